#include "agent/shim/command.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "agent/record/orders.h"
#include "common/start_fields.h"

namespace shoal::shim {
namespace {

constexpr size_t kShortestField = sizeof("arg=");

size_t PointersAt(size_t size) { return (size + sizeof(char*) - 1) & ~(sizeof(char*) - 1); }

// A payload, and behind it the pointers into it: one for each field, and the ends of argv and environment.
constexpr size_t RoomFor(size_t size) {
  return size + sizeof(char*) + (size / kShortestField + 2) * sizeof(char*);
}

// Whole pages, also the largest, since it is given back by pages. Of a short command one of 4 KiB is touched.
alignas(65536) char payload_room[65536];
static_assert(RoomFor(record::kMaxPayloadBytes) <= sizeof(payload_room));

}  // namespace

char* Command::PayloadRoom() { return payload_room; }

void Command::TakePayload(size_t size) {
  bytes_ = payload_room;
  error_ = Parse(size);
}

void Command::ReadPayload(int fd) {
  error_ = Read(fd);
  close(fd);
}

// One mapping holds all of it, so that all of it can go.
int Command::Read(int fd) {
  struct stat file;
  if (fstat(fd, &file) != 0) return errno;
  const auto size = static_cast<size_t>(file.st_size);
  const size_t mapped_size = RoomFor(size);
  void* const mapped =
      mmap(nullptr, mapped_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return errno;
  bytes_ = static_cast<char*>(mapped);
  mapped_size_ = mapped_size;
  const ssize_t got = pread(fd, bytes_, size, 0);
  if (got < 0) return errno;
  return static_cast<size_t>(got) == size ? Parse(size) : EINVAL;
}

int Command::Parse(size_t size) {
  size_ = size;
  StartFields fields(bytes_, size_);
  if (!fields.IsWhole()) return EINVAL;
  argv_ = reinterpret_cast<char**>(bytes_ + PointersAt(size_));
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
  if (bytes_ == payload_room) madvise(payload_room, sizeof(payload_room), MADV_DONTNEED);
  bytes_ = nullptr;
  mapped_size_ = 0;
  argv_ = env_ = nullptr;
  cwd_ = input_ = nullptr;
}

}  // namespace shoal::shim
