#include "shoal/shipping/digest_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/escape.h"
#include "common/sha256.h"
#include "common/status.h"
#include "common/user_directories.h"

namespace shoal {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr size_t kMaxEntries = 1'000;
constexpr absl::Duration kSettled = absl::Seconds(2);

std::string PathOfUser() {
  const std::string cache = CacheDirectory();
  return cache.empty() ? cache : absl::StrCat(cache, "/digests");
}

absl::StatusOr<std::string> HashFile(int fd, const std::string& name) {
  Sha256 hash;
  std::string block(kBlockBytes, '\0');
  for (off_t offset = 0;;) {
    const ssize_t got = pread(fd, block.data(), block.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("read of ", EscapeForMessage(name)));
    if (got == 0) return hash.Finish();
    hash.Update({block.data(), static_cast<size_t>(got)});
    offset += got;
  }
}

}  // namespace

DigestCache& DigestCache::Get() {
  static auto* const kCache = new DigestCache(PathOfUser());
  return *kCache;
}

std::string DigestCache::KeyOf(const struct stat& facts) {
  return absl::StrCat(facts.st_dev, ":", facts.st_ino, ":", facts.st_size, ":",
                      absl::ToUnixNanos(absl::TimeFromTimespec(facts.st_mtim)), ":",
                      absl::ToUnixNanos(absl::TimeFromTimespec(facts.st_ctim)));
}

absl::StatusOr<std::string> DigestCache::DigestOf(int fd, const std::string& name) {
  struct stat facts {};
  if (fstat(fd, &facts) != 0) return ErrnoStatus(errno, absl::StrCat("stat of ", name));
  const std::string key = KeyOf(facts);
  {
    MutexLock lock(&mu_);
    Load();
    auto known = digests_.find(key);
    if (known != digests_.end()) return DigestFromHex(known->second);
  }
  const absl::Time begun = absl::Now();
  SHOAL_ASSIGN_OR_RETURN(std::string sha256, HashFile(fd, name));
  const bool settled = absl::TimeFromTimespec(facts.st_ctim) + kSettled < begun;
  if (fstat(fd, &facts) == 0 && KeyOf(facts) == key && settled) {
    MutexLock lock(&mu_);
    Insert(key, DigestToHex(sha256));
    Save();
  }
  return sha256;
}

void DigestCache::Forget(int fd) {
  struct stat facts {};
  if (fstat(fd, &facts) != 0) return;
  MutexLock lock(&mu_);
  if (digests_.erase(KeyOf(facts)) > 0) Save();
}

// A file has one key: what it was before is not asked for again. Of too many, any other goes.
void DigestCache::Insert(const std::string& key, std::string hex) {
  const std::string file = key.substr(0, key.find(':', key.find(':') + 1) + 1);  // "device:inode:"
  auto older = digests_.lower_bound(file);
  while (older != digests_.end() && absl::StartsWith(older->first, file)) {
    older = digests_.erase(older);
  }
  while (digests_.size() >= kMaxEntries) digests_.erase(digests_.begin());
  digests_[key] = std::move(hex);
}

// One line each: the key, a space, the digest. A line that is no such thing is passed over.
void DigestCache::Load() {
  if (std::exchange(loaded_, true) || path_.empty()) return;
  std::ifstream file(path_);
  std::string key;
  std::string hex;
  while (digests_.size() < kMaxEntries && file >> key >> hex) {
    if (!DigestFromHex(hex).empty()) digests_[key] = hex;
  }
}

// As a whole, so that readers see the old or the new one; of two writers one is forgotten.
void DigestCache::Save() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  const std::string written = absl::StrCat(path_, ".", getpid());
  {
    std::ofstream file(written, std::ios::trunc);
    for (const auto& [key, hex] : digests_) file << key << ' ' << hex << '\n';
    if (!file.flush()) {
      unlink(written.c_str());
      return;
    }
  }
  if (std::rename(written.c_str(), path_.c_str()) != 0) unlink(written.c_str());
}

}  // namespace shoal
