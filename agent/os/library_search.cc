#include "agent/os/library_search.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

// glibc's sysdeps/generic/dl-cache.h, struct cache_file_new and file_entry_new.
constexpr absl::string_view kMagic = "glibc-ld.so.cache1.1";
constexpr size_t kHeaderBytes = 48;
constexpr size_t kCountAt = 20;
constexpr size_t kEntryBytes = 24;
constexpr size_t kKeyAt = 4;
constexpr size_t kValueAt = 8;
constexpr off_t kMaxCacheBytes = 64 << 20;

// Flags of an entry for the C library and processor of this program.
#if defined(__x86_64__) && !defined(__ILP32__)
constexpr uint32_t kOwnFlags = 0x0303;
constexpr char kTriplet[] = "x86_64-linux-gnu";
#elif defined(__aarch64__)
constexpr uint32_t kOwnFlags = 0x0a03;
constexpr char kTriplet[] = "aarch64-linux-gnu";
#else
#error "say which flags ldconfig gives to the libraries of this processor"
#endif

uint32_t NumberAt(absl::string_view bytes, size_t at) {
  uint32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof(number));
  return number;
}

// The string at `offset`, empty if it does not end within `bytes`.
std::string TextAt(absl::string_view bytes, size_t offset) {
  if (offset >= bytes.size()) return {};
  const absl::string_view rest = bytes.substr(offset);
  const size_t end = rest.find('\0');
  return end == absl::string_view::npos ? std::string() : std::string(rest.substr(0, end));
}

std::string ReadWhole(int fd, off_t size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got =
        pread(fd, bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(filled));
    if (got <= 0) break;
    filled += static_cast<size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace

absl::flat_hash_map<std::string, std::string> ParseLibraryCache(absl::string_view bytes) {
  absl::flat_hash_map<std::string, std::string> libraries;
  const size_t begin = bytes.find(kMagic);
  if (begin == absl::string_view::npos) return libraries;
  bytes.remove_prefix(begin);  // offsets count from here
  if (bytes.size() < kHeaderBytes) return libraries;
  const size_t count = NumberAt(bytes, kCountAt);
  if (count > (bytes.size() - kHeaderBytes) / kEntryBytes) return libraries;
  for (size_t i = 0; i < count; ++i) {
    const size_t at = kHeaderBytes + i * kEntryBytes;
    if (NumberAt(bytes, at) != kOwnFlags) continue;
    std::string soname = TextAt(bytes, NumberAt(bytes, at + kKeyAt));
    std::string path = TextAt(bytes, NumberAt(bytes, at + kValueAt));
    if (!soname.empty() && !path.empty()) {
      libraries.try_emplace(std::move(soname), std::move(path));
    }
  }
  return libraries;
}

LibrarySearch::LibrarySearch()
    : LibrarySearch("/etc/ld.so.cache",
                    {absl::StrCat("/lib/", kTriplet), absl::StrCat("/usr/lib/", kTriplet), "/lib64",
                     "/usr/lib64", "/lib", "/usr/lib"}) {}

LibrarySearch::LibrarySearch(std::string cache_path, std::vector<std::string> directories)
    : cache_path_(std::move(cache_path)), directories_(std::move(directories)) {}

std::vector<std::string> LibrarySearch::FindMissing(const std::vector<std::string>& sonames) {
  Refresh();
  std::vector<std::string> missing;
  for (const std::string& soname : sonames) {
    if (!Finds(soname)) missing.push_back(soname);
  }
  return missing;
}

void LibrarySearch::Refresh() {
  const UniqueFd fd(open(cache_path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts {};
  if (!fd || fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode) ||
      facts.st_size > kMaxCacheBytes) {
    libraries_.clear();
    size_ = -1;
    return;
  }
  const bool same = facts.st_ino == inode_ && facts.st_size == size_ &&
                    facts.st_mtim.tv_sec == change_time_.tv_sec &&
                    facts.st_mtim.tv_nsec == change_time_.tv_nsec;
  if (same) return;
  libraries_ = ParseLibraryCache(ReadWhole(fd.get(), facts.st_size));
  inode_ = facts.st_ino;
  size_ = facts.st_size;
  change_time_ = facts.st_mtim;
}

bool LibrarySearch::Finds(const std::string& soname) const {
  const auto cached = libraries_.find(soname);
  if (cached != libraries_.end() && access(cached->second.c_str(), R_OK) == 0) return true;
  for (const std::string& directory : directories_) {
    if (access(absl::StrCat(directory, "/", soname).c_str(), R_OK) == 0) return true;
  }
  return false;
}

}  // namespace shoal::agent
