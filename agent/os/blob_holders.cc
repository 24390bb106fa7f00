#include "agent/os/blob_holders.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/os/descriptor.h"
#include "agent/os/directory.h"
#include "common/private_directory.h"
#include "common/sha256.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxToABlob = 256;

}  // namespace

absl::StatusOr<std::unique_ptr<BlobHolders>> BlobHolders::Open(
    const std::string& path, absl::FunctionRef<bool(const std::string& sha256)> is_there) {
  SHOAL_RETURN_IF_ERROR(MakePrivateDirectory(path, "blob directory"));
  SHOAL_ASSIGN_OR_RETURN(UniqueFd directory,
                         OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  std::vector<std::string> names;
  ForEachName(directory.get(), [&](const char* name, bool) { names.emplace_back(name); });
  auto holders = absl::WrapUnique(new BlobHolders(std::move(directory)));
  for (const std::string& name : names) {
    const std::string sha256 = DigestFromHex(name);
    const absl::StatusOr<std::string> text = ReadSmallFile(holders->directory_.get(), name);
    if (sha256.empty() || !is_there(sha256) || !text.ok()) {
      unlinkat(holders->directory_.get(), name.c_str(), 0);
      continue;
    }
    std::vector<std::string> identities = absl::StrSplit(*text, '\n', absl::SkipEmpty());
    MutexLock lock(&holders->mu_);
    holders->by_blob_[sha256] = std::move(identities);
  }
  return holders;
}

bool BlobHolders::Holds(const std::string& sha256, IsCallers is_callers) const {
  if (is_callers("")) return true;
  MutexLock lock(&mu_);
  const auto found = by_blob_.find(sha256);
  return found != by_blob_.end() && absl::c_any_of(found->second, is_callers);
}

bool BlobHolders::IsAll(const std::string& sha256, IsCallers is_callers) const {
  if (is_callers("")) return true;
  MutexLock lock(&mu_);
  const auto found = by_blob_.find(sha256);
  return found != by_blob_.end() && absl::c_all_of(found->second, is_callers);
}

void BlobHolders::Add(const std::string& sha256, const std::string& identity) {
  if (absl::StrContains(identity, '\n')) return;
  std::vector<std::string> identities;
  {
    MutexLock lock(&mu_);
    std::vector<std::string>& known = by_blob_[sha256];
    if (absl::c_linear_search(known, identity)) return;
    if (known.size() == kMaxToABlob) known.erase(known.begin());
    known.push_back(identity);
    identities = known;
  }
  Store(sha256, identities);
}

void BlobHolders::Forget(const std::string& sha256) {
  {
    MutexLock lock(&mu_);
    if (by_blob_.erase(sha256) == 0) return;
  }
  unlinkat(directory_.get(), DigestToHex(sha256).c_str(), 0);
}

// A name beside it first: a list that is cut off would let go of holders.
void BlobHolders::Store(const std::string& sha256,
                        const std::vector<std::string>& identities) const {
  const std::string name = DigestToHex(sha256);
  const std::string fresh = absl::StrCat(name, ".new");
  const std::string text = absl::StrCat(absl::StrJoin(identities, "\n"), "\n");
  const absl::StatusOr<UniqueFd> fd =
      OpenAt(directory_.get(), fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  const bool is_stored =
      fd.ok() && write(fd->get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      renameat(directory_.get(), fresh.c_str(), directory_.get(), name.c_str()) == 0;
  if (!is_stored) unlinkat(directory_.get(), fresh.c_str(), 0);
}

}  // namespace shoal::agent
