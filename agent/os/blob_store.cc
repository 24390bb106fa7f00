#include "agent/os/blob_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "agent/os/blob_upload.h"
#include "agent/os/descriptor.h"
#include "agent/os/directory.h"
#include "agent/os/disk_reserve.h"
#include "agent/os/file_digest.h"
#include "agent/os/remove_tree.h"
#include "common/failpoint.h"
#include "common/private_directory.h"
#include "common/sha256.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr mode_t kReadOnly = 0400;
constexpr mode_t kReadAndRun = 0500;
constexpr mode_t kWritable = 0600;

absl::StatusOr<UniqueFd> OpenPrivateDirectory(const std::string& path) {
  SHOAL_RETURN_IF_ERROR(MakePrivateDirectory(path, "blob directory"));
  return OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

std::vector<std::string> NamesIn(int directory) {
  std::vector<std::string> names;
  ForEachName(directory, [&names](const char* name, bool) { names.emplace_back(name); });
  return names;
}

bool AreEqual(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

BlobStore::BlobStore(BlobStoreOptions options, Clock* clock)
    : options_(std::move(options)), clock_(clock), seal_(options_.boot_id) {}

BlobStore::~BlobStore() = default;

absl::StatusOr<std::unique_ptr<BlobStore>> BlobStore::Open(const std::string& state_dir,
                                                           BlobStoreOptions options, Clock* clock) {
  auto store = absl::WrapUnique(new BlobStore(std::move(options), clock));
  SHOAL_RETURN_IF_ERROR(store->OpenDirectories(state_dir));
  store->ScanComplete();
  store->ScanPartial();
  SHOAL_RETURN_IF_ERROR(store->OpenHolders(state_dir));
  store->DropOldPartials();
  return store;
}

absl::Status BlobStore::OpenDirectories(const std::string& state_dir) {
  const std::string blobs = absl::StrCat(state_dir, "/blobs");
  SHOAL_RETURN_IF_ERROR(MakePrivateDirectory(blobs, "blob directory"));
  SHOAL_ASSIGN_OR_RETURN(complete_directory_, OpenPrivateDirectory(blobs + "/complete"));
  SHOAL_ASSIGN_OR_RETURN(partial_directory_, OpenPrivateDirectory(blobs + "/partial"));
  return absl::OkStatus();
}

// A blob that lost its seal keeps its holders: they need not send it again.
absl::Status BlobStore::OpenHolders(const std::string& state_dir) {
  const auto is_partial = [this](const std::string& sha256) { return partial_.contains(sha256); };
  const auto is_there = [&](const std::string& sha256) {
    return IsComplete(sha256) || is_partial(sha256);
  };
  SHOAL_ASSIGN_OR_RETURN(holders_, BlobHolders::Open(state_dir + "/blobs/holders", is_there));
  SHOAL_ASSIGN_OR_RETURN(writers_, BlobHolders::Open(state_dir + "/blobs/writers", is_partial));
  return absl::OkStatus();
}

void BlobStore::ScanComplete() {
  MutexLock lock(&mu_);
  for (const std::string& name : NamesIn(complete_directory_.get())) {
    const std::string sha256 = DigestFromHex(name);
    struct stat facts {};
    if (fstatat(complete_directory_.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;
    }
    if (sha256.empty() || !S_ISREG(facts.st_mode)) {
      RemoveTree(complete_directory_.get(), name);
    } else if (seal_.IsOn(facts)) {
      complete_[sha256] = {facts.st_size, absl::TimeFromTimespec(facts.st_atim), std::nullopt};
    } else {
      Demote(sha256, facts);
    }
  }
}

void BlobStore::ScanPartial() {
  for (const std::string& name : NamesIn(partial_directory_.get())) {
    const std::string sha256 = DigestFromHex(name);
    struct stat facts {};
    if (fstatat(partial_directory_.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;
    }
    if (sha256.empty() || !S_ISREG(facts.st_mode)) {
      RemoveTree(partial_directory_.get(), name);
    } else if (!partial_.contains(sha256)) {
      MakePartial(name, &facts);
      partial_[sha256] = {facts.st_size, absl::TimeFromTimespec(facts.st_mtim), {}};
    }
  }
}

// One that was being made a complete blob when that failed is read-only, and its time may be the
// seal, which says nothing of when it was written.
void BlobStore::MakePartial(const std::string& name, struct stat* facts) const {
  const int directory = partial_directory_.get();
  if ((facts->st_mode & kWritable) != kWritable) fchmodat(directory, name.c_str(), kWritable, 0);
  if (!BlobSeal::IsSome(*facts)) return;
  const timespec now = absl::ToTimespec(clock_->Now());
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, now};
  utimensat(directory, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  facts->st_mtim = now;
}

bool BlobStore::IsUnchanged(const std::string& sha256, int fd, const struct stat& facts) {
  std::optional<timespec> change_time;
  {
    MutexLock lock(&mu_);
    const auto blob = complete_.find(sha256);
    if (blob == complete_.end()) return false;
    change_time = blob->second.change_time;
  }
  if (change_time) return AreEqual(*change_time, facts.st_ctim);
  struct stat after {};
  if (DigestOf(fd) != sha256 || fstat(fd, &after) != 0) return false;
  if (!AreEqual(after.st_ctim, facts.st_ctim)) return false;
  NoteChange(sha256, after);
  return true;
}

void BlobStore::NoteChange(const std::string& sha256, const struct stat& facts) {
  if (!seal_.IsOn(facts)) return;
  MutexLock lock(&mu_);
  const auto blob = complete_.find(sha256);
  if (blob != complete_.end()) blob->second.change_time = facts.st_ctim;
}

void BlobStore::Demote(const std::string& sha256, const struct stat& facts) {
  const std::string name = DigestToHex(sha256);
  const int from = complete_directory_.get();
  // A file that stands beside a process, too, must not be written to.
  const bool shared = facts.st_nlink > 1 || partial_.contains(sha256);
  if (shared || renameat(from, name.c_str(), partial_directory_.get(), name.c_str()) != 0) {
    unlinkat(from, name.c_str(), 0);
    return;
  }
  struct stat demoted = facts;
  MakePartial(name, &demoted);
  partial_[sha256] = {facts.st_size, clock_->Now(), {}};
}

// The store writes the time to the disk only while no process has a link of the blob: what a process does to the file in
// that moment would not be noticed.
void BlobStore::NoteUse(const std::string& sha256, int fd, const struct stat& facts) {
  {
    MutexLock lock(&mu_);
    auto blob = complete_.find(sha256);
    if (blob == complete_.end()) return;
    blob->second.last_use = clock_->Now();
  }
  if (facts.st_nlink > 1) return;
  const timespec times[2] = {absl::ToTimespec(clock_->Now()), {.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
  struct stat after {};
  if (futimens(fd, times) == 0 && fstat(fd, &after) == 0) NoteChange(sha256, after);
}

bool BlobStore::IsComplete(const std::string& sha256) const {
  MutexLock lock(&mu_);
  return complete_.contains(sha256);
}

bool BlobStore::Has(const std::string& sha256, BlobHolders::IsCallers is_callers) {
  if (!holders_->Holds(sha256, is_callers)) return false;
  MutexLock lock(&mu_);
  auto blob = complete_.find(sha256);
  if (blob == complete_.end()) return false;
  blob->second.last_use = clock_->Now();
  return true;
}

std::optional<int64_t> BlobStore::FindMissing(const std::string& sha256,
                                              BlobHolders::IsCallers is_callers) {
  const std::optional<int64_t> received = LookFor(sha256);
  if (holders_->Holds(sha256, is_callers)) return received;
  return received.has_value() && writers_->IsAll(sha256, is_callers) ? *received : 0;
}

std::optional<int64_t> BlobStore::LookFor(const std::string& sha256) {
  if (OpenBlob(sha256).ok()) return std::nullopt;
  auto partial = partial_.find(sha256);
  return partial == partial_.end() ? 0 : partial->second.received_bytes;
}

absl::StatusOr<BlobStore::Opened> BlobStore::OpenBlob(const std::string& sha256) {
  const std::string name = DigestToHex(sha256);
  absl::Status missing =
      absl::NotFoundError(absl::StrCat("blob ", name.substr(0, 12), " is not on this host"));
  if (!IsComplete(sha256)) return missing;
  absl::StatusOr<UniqueFd> fd =
      OpenAt(complete_directory_.get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat facts {};
  const bool there = fd.ok() && fstat(fd->get(), &facts) == 0;
  if (there && seal_.IsOn(facts) && IsUnchanged(sha256, fd->get(), facts)) {
    NoteUse(sha256, fd->get(), facts);
    return Opened{*std::move(fd), facts.st_size};
  }
  if (!fd.ok() && !absl::IsNotFound(fd.status())) return fd.status();
  {
    MutexLock lock(&mu_);
    complete_.erase(sha256);
  }
  if (there) Demote(sha256, facts);
  return missing;
}

int BlobStore::Link(const std::string& sha256, const Opened& blob, bool executable, int directory,
                    const std::string& name) {
  if (executable && fchmod(blob.fd.get(), kReadAndRun) != 0) return errno;
  const std::string own = DigestToHex(sha256);
  const int error =
      linkat(complete_directory_.get(), own.c_str(), directory, name.c_str(), 0) == 0 ? 0 : errno;
  struct stat after {};
  if (fstat(blob.fd.get(), &after) == 0) NoteChange(sha256, after);
  return error;
}

void BlobStore::WhileLinksGo(absl::FunctionRef<void()> remove) {
  std::vector<std::pair<std::string, timespec>> known;
  {
    MutexLock lock(&mu_);
    for (const auto& [sha256, blob] : complete_) {
      if (blob.change_time) known.emplace_back(sha256, *blob.change_time);
    }
  }
  const auto look = [this](const std::string& sha256, struct stat* facts) {
    return fstatat(complete_directory_.get(), DigestToHex(sha256).c_str(), facts,
                   AT_SYMLINK_NOFOLLOW) == 0;
  };
  std::vector<std::string> unchanged;
  struct stat facts {};
  for (const auto& [sha256, change_time] : known) {
    const bool is_linked = look(sha256, &facts) && facts.st_nlink > 1;
    if (is_linked && AreEqual(facts.st_ctim, change_time)) unchanged.push_back(sha256);
  }
  remove();
  for (const std::string& sha256 : unchanged) {
    if (look(sha256, &facts)) NoteChange(sha256, facts);
  }
}

int64_t BlobStore::UsedBytes() const {
  int64_t used = 0;
  for (const auto& [sha256, partial] : partial_) {
    used += partial.received_bytes;
  }
  MutexLock lock(&mu_);
  for (const auto& [sha256, blob] : complete_) used += blob.size_bytes;
  return used;
}

bool BlobStore::EvictOne(const std::string& sha256) { return EvictBlob() || EvictPartial(sha256); }

bool BlobStore::EvictPartial(const std::string& but) {
  const std::pair<const std::string, Partial>* oldest = nullptr;
  for (const auto& entry : partial_) {
    const auto& [sha256, partial] = entry;
    const bool is_idle = clock_->Now() - partial.last_write >= options_.keep_idle;
    if (sha256 == but || partial.received_bytes == 0) continue;
    if (!partial.upload.expired() && !is_idle) continue;
    if (oldest == nullptr || partial.last_write < oldest->second.last_write) oldest = &entry;
  }
  if (oldest == nullptr) return false;
  if (const std::shared_ptr<BlobUpload> upload = oldest->second.upload.lock()) {
    upload->End(absl::ResourceExhaustedError(
        "no room for a blob that nothing was received of for long: others needed it"));
  }
  Discard(std::string(oldest->first));
  return true;
}

bool BlobStore::EvictBlob() {
  std::vector<std::pair<absl::Time, std::string>> candidates;
  {
    MutexLock lock(&mu_);
    const absl::Time latest = clock_->Now() - options_.keep_after_use;
    for (const auto& [sha256, blob] : complete_) {
      if (blob.last_use <= latest) candidates.emplace_back(blob.last_use, sha256);
    }
  }
  std::sort(candidates.begin(), candidates.end());
  for (const auto& [last_use, sha256] : candidates) {
    const std::string name = DigestToHex(sha256);
    struct stat facts {};
    const bool there =
        fstatat(complete_directory_.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && facts.st_nlink > 1) continue;
    {
      // Has may just have said that it is there.
      MutexLock lock(&mu_);
      auto blob = complete_.find(sha256);
      if (blob == complete_.end() || blob->second.last_use != last_use) continue;
      complete_.erase(blob);
    }
    unlinkat(complete_directory_.get(), name.c_str(), 0);
    holders_->Forget(sha256);
    return true;
  }
  return false;
}

absl::Status BlobStore::MakeRoom(const std::string& sha256, int64_t bytes) {
  while (UsedBytes() > options_.cap_bytes - bytes) {
    if (EvictOne(sha256)) continue;
    return absl::ResourceExhaustedError(
        absl::StrCat("no room for ", bytes, " bytes more: the blobs of this host are in use (",
                     UsedBytes(), " of ", options_.cap_bytes, " bytes)"));
  }
  while (!HasReserve(partial_directory_.get(), bytes)) {
    if (EvictOne(sha256)) continue;
    return absl::ResourceExhaustedError(absl::StrCat(
        "no room for ", bytes, " bytes more: the rest of the disk is reserved for the agent"));
  }
  return absl::OkStatus();
}

void BlobStore::DropOldPartials() {
  const absl::Time oldest = clock_->Now() - options_.keep_partial;
  std::erase_if(partial_, [&](const auto& entry) {
    const auto& [sha256, partial] = entry;
    const bool of_use = partial.received_bytes > 0 && partial.last_write >= oldest;
    if (of_use || !partial.upload.expired()) return false;
    unlinkat(partial_directory_.get(), DigestToHex(sha256).c_str(), 0);
    writers_->Forget(sha256);
    return true;
  });
}

absl::StatusOr<std::shared_ptr<BlobUpload>> BlobStore::BeginUpload(const std::string& sha256,
                                                                   int64_t size_bytes) {
  DropOldPartials();
  if (!LookFor(sha256).has_value()) return nullptr;
  if (size_bytes > options_.cap_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a blob of ", size_bytes, " bytes is larger than the store may become (",
                     options_.cap_bytes, " bytes; blob-cap of the agent)"));
  }
  if (const auto partial = partial_.find(sha256); partial != partial_.end()) {
    if (std::shared_ptr<BlobUpload> joined = partial->second.upload.lock()) {
      if (joined->size_bytes() == size_bytes) return joined;
      return absl::InvalidArgumentError(absl::StrCat("size_bytes is ", size_bytes,
                                                     ", but somebody writes the same blob with ",
                                                     joined->size_bytes()));
    }
    if (partial->second.received_bytes > size_bytes) Discard(sha256);  // one of the sizes is wrong
  }
  // Room is made as the bytes come: what was declared and never sent takes none from others.
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, OpenPartial(DigestToHex(sha256)));
  struct stat facts {};
  if (fstat(fd.get(), &facts) != 0) return ErrnoStatus(errno, "fstat of a partial blob");
  auto upload =
      std::make_shared<BlobUpload>(this, sha256, std::move(fd), size_bytes, facts.st_size);
  partial_[sha256] = {facts.st_size, clock_->Now(), upload};
  return upload;
}

// Also one whose rename failed when it was whole.
absl::StatusOr<UniqueFd> BlobStore::OpenPartial(const std::string& name) const {
  const int directory = partial_directory_.get();
  struct stat facts {};
  const bool there = fstatat(directory, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && !S_ISREG(facts.st_mode)) {
    return absl::InternalError("a partial blob is not a regular file");
  }
  if (there) MakePartial(name, &facts);
  return OpenAt(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW, kWritable);
}

void BlobStore::NoteReceived(const std::string& sha256, int64_t received_bytes) {
  Partial& partial = partial_[sha256];
  partial.received_bytes = received_bytes;
  partial.last_write = clock_->Now();
}

// The descriptor for writing is closed before the name is there: a program that is still open for
// writing cannot be executed (ETXTBSY).
absl::Status BlobStore::Promote(const std::string& sha256, UniqueFd fd, int64_t size_bytes) {
  const std::string name = DigestToHex(sha256);
  if (fchmod(fd.get(), kReadOnly) != 0) return ErrnoStatus(errno, "chmod of a blob");
  seal_.Put(fd.get(), clock_->Now());
  fd.Reset();
  SHOAL_FAILPOINT("blob:before-rename");
  if (renameat(partial_directory_.get(), name.c_str(), complete_directory_.get(), name.c_str()) !=
      0) {
    return ErrnoStatus(errno, absl::StrCat("rename of blob ", name.substr(0, 12)));
  }
  SHOAL_FAILPOINT("blob:after-rename");
  partial_.erase(sha256);
  writers_->Forget(sha256);
  struct stat facts {};
  const int there = fstatat(complete_directory_.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW);
  {
    MutexLock lock(&mu_);
    complete_[sha256] = {size_bytes, clock_->Now(), std::nullopt};
  }
  if (there == 0) NoteChange(sha256, facts);
  return absl::OkStatus();
}

void BlobStore::Discard(const std::string& sha256) {
  partial_.erase(sha256);
  writers_->Forget(sha256);
  unlinkat(partial_directory_.get(), DigestToHex(sha256).c_str(), 0);
}

}  // namespace shoal::agent
