#include "agent/shim/command.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "common/start_fields.h"

namespace shoal::shim {
namespace {

constexpr size_t kShortestField = sizeof("arg=");

}  // namespace

void Command::ReadPayload(int fd) {
  error_ = Read(fd);
  close(fd);
}

// One mapping holds all of it, so that all of it can go; of a short command it touches one page.
int Command::Read(int fd) {
  struct stat file;
  if (fstat(fd, &file) != 0) return errno;
  size_ = static_cast<size_t>(file.st_size);
  const size_t pointers_at = (size_ + sizeof(char*) - 1) & ~(sizeof(char*) - 1);
  const size_t most_pointers = size_ / kShortestField + 2;  // and the ends of argv and environment
  const size_t mapped_size = pointers_at + most_pointers * sizeof(char*);
  void* const mapped =
      mmap(nullptr, mapped_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return errno;
  bytes_ = static_cast<char*>(mapped);
  mapped_size_ = mapped_size;
  const ssize_t got = pread(fd, bytes_, size_, 0);
  if (got < 0) return errno;
  StartFields fields(bytes_, size_);
  if (static_cast<size_t>(got) != size_ || !fields.IsWhole()) return EINVAL;

  argv_ = reinterpret_cast<char**>(bytes_ + pointers_at);
  env_ = Collect("arg", argv_);
  Collect("env", env_);
  StartField field;
  while (fields.Next(&field)) {
    if (field.Has("cwd")) cwd_ = field.value;
    if (field.Has("input-file")) input_ = field.value;
  }
  return argv_[0] == nullptr ? EINVAL : 0;
}

// The values of a key, in their order, from `at` on, with a null pointer behind them. Returns what
// is behind that.
char** Command::Collect(const char* key, char** at) {
  StartFields fields(bytes_, size_);
  StartField field;
  while (fields.Next(&field)) {
    if (field.Has(key)) *at++ = field.value;
  }
  *at++ = nullptr;
  return at;
}

void Command::TakeWords(char** words, bool has_cwd) {
  if (has_cwd && *words != nullptr) cwd_ = *words++;
  argv_ = words;
  error_ = *words == nullptr ? EINVAL : 0;
}

void Command::Drop() {
  if (mapped_size_ != 0) munmap(bytes_, mapped_size_);
  mapped_size_ = 0;
  argv_ = env_ = nullptr;
  cwd_ = input_ = nullptr;
}

}  // namespace shoal::shim
