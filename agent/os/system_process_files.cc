#include "agent/os/system_process_files.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "agent/os/directory.h"
#include "agent/os/remove_tree.h"
#include "common/escape.h"
#include "common/failpoint.h"
#include "common/private_directory.h"
#include "common/sha256.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int64_t kWorthLinking = 1 << 20;
constexpr size_t kBlockBytes = 256 << 10;
constexpr mode_t kPlain = 0600;
constexpr mode_t kExecutable = 0700;

// What failed: an errno, and on what.
struct Failed {
  int error_number;
  std::string what;
};
using MaybeFailed = std::optional<Failed>;

// Follows no link and leaves `directory` by no path; errno in -1.
int OpenBeneath(int directory, const std::string& path, uint64_t flags, mode_t mode) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof(how)));
}

int WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno != EINTR) return errno;
    if (put > 0) bytes.remove_prefix(static_cast<size_t>(put));
  }
  return 0;
}

int CopyAll(int from, int64_t size_bytes, int to) {
  int64_t copied = 0;
  while (copied < size_bytes) {
    const ssize_t got =
        copy_file_range(from, &copied, to, nullptr, static_cast<size_t>(size_bytes - copied), 0);
    if (got == 0) return EIO;  // shorter than its name says
    if (got < 0 && copied == 0) break;
    if (got < 0 && errno != EINTR) return errno;
  }
  std::string block(kBlockBytes, '\0');
  while (copied < size_bytes) {
    const ssize_t got = pread(from, block.data(), block.size(), copied);
    if (got <= 0) return got < 0 ? errno : EIO;
    if (int error = WriteAll(to, {block.data(), static_cast<size_t>(got)}); error != 0) {
      return error;
    }
    copied += got;
  }
  return 0;
}

// The files of one process while they are put in their places. Thread of disk work only.
class Placement {
 public:
  Placement(BlobStore* blobs, int root) : blobs_(blobs), root_(root) {}

  MaybeFailed Place(const SpecFile& file, absl::string_view content) {
    UniqueFd directory;
    if (MaybeFailed failed = MakeParents(file.path, &directory)) return failed;
    const int error = file.sha256.empty() ? PlaceInline(directory.get(), file, content)
                                          : PlaceBlob(directory.get(), file);
    if (error == 0) return std::nullopt;
    return Failed{error, EscapeForMessage(file.path)};
  }

 private:
  static std::string BaseOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

  MaybeFailed MakeParents(const std::string& path, UniqueFd* parent) const {
    UniqueFd at(OpenBeneath(root_, ".", O_RDONLY | O_DIRECTORY, 0));
    for (size_t begin = 0, end = path.find('/'); at && end != std::string::npos;
         begin = end + 1, end = path.find('/', begin)) {
      const std::string part = path.substr(begin, end - begin);
      if (mkdirat(at.get(), part.c_str(), 0700) != 0 && errno != EEXIST) {
        return Failed{errno, EscapeForMessage(path.substr(0, end))};
      }
      at = UniqueFd(OpenBeneath(at.get(), part, O_RDONLY | O_DIRECTORY, 0));
    }
    if (!at) return Failed{errno, EscapeForMessage(path)};
    *parent = std::move(at);
    return std::nullopt;
  }

  static int Create(int directory, const SpecFile& file, UniqueFd* created) {
    const mode_t mode = file.executable ? kExecutable : kPlain;
    *created = UniqueFd(
        OpenBeneath(directory, BaseOf(file.path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
    return *created ? 0 : errno;
  }

  static int PlaceInline(int directory, const SpecFile& file, absl::string_view content) {
    UniqueFd to;
    const int error = Create(directory, file, &to);
    return error != 0 ? error : WriteAll(to.get(), content);
  }

  int PlaceBlob(int directory, const SpecFile& file) {
    absl::StatusOr<BlobStore::Opened> blob = blobs_->OpenBlob(file.sha256);
    if (!blob.ok()) return absl::IsNotFound(blob.status()) ? ENOENT : EIO;
    UniqueFd to;
    if (int error = Create(directory, file, &to); error != 0) return error;
    if (blob->size_bytes == 0 || ioctl(to.get(), FICLONE, blob->fd.get()) == 0) return 0;
    const bool read_only = file.executable || file.library;
    if (read_only && blob->size_bytes >= kWorthLinking) {
      to.Reset();
      const std::string name = BaseOf(file.path);
      unlinkat(directory, name.c_str(), 0);
      if (blobs_->Link(file.sha256, *blob, file.executable, directory, name) == 0) return 0;
      // Too many links (EMLINK), or the file system has none: a copy does as well.
      if (int error = Create(directory, file, &to); error != 0) return error;
    }
    return CopyAll(blob->fd.get(), blob->size_bytes, to.get());
  }

  BlobStore* const blobs_;
  const int root_;
};

MaybeFailed PlaceAll(BlobStore* blobs, int root, const Spec& spec, const InlineFiles* contents) {
  Placement placement(blobs, root);
  for (size_t i = 0; i < spec.files.size(); ++i) {
    absl::string_view content;
    if (contents != nullptr && i < contents->size()) content = (*contents)[i];
    if (MaybeFailed failed = placement.Place(spec.files[i], content)) return failed;
  }
  return std::nullopt;
}

MaybeFailed MakeDirectory(BlobStore* blobs, int files, const std::string& id, const Spec& spec,
                          const InlineFiles* contents) {
  SHOAL_FAILPOINT("files:before-prepare");
  if (mkdirat(files, id.c_str(), 0700) != 0) return Failed{errno, "the directory"};
  UniqueFd root(OpenBeneath(files, id, O_RDONLY | O_DIRECTORY, 0));
  MaybeFailed failed = root ? PlaceAll(blobs, root.get(), spec, contents)
                            : MaybeFailed(Failed{errno, "the directory"});
  if (failed) blobs->WhileLinksGo([&] { RemoveTree(files, id); });
  SHOAL_FAILPOINT("files:prepared");
  return failed;
}

std::optional<StartFailure> ToStartFailure(const MaybeFailed& failed) {
  if (!failed) return std::nullopt;
  const absl::Status status =
      ErrnoStatus(failed->error_number, absl::StrCat("place ", failed->what, " beside it"));
  return StartFailure{.stage = "files",
                      .error_number = failed->error_number,
                      .message = std::string(status.message())};
}

}  // namespace

SystemProcessFiles::SystemProcessFiles(std::string path, UniqueFd directory, BlobStore* blobs,
                                       HelperThread* helper, EventLoop* loop)
    : path_(std::move(path)),
      directory_(std::make_shared<const UniqueFd>(std::move(directory))),
      blobs_(blobs),
      helper_(helper),
      loop_(loop) {}

absl::StatusOr<std::unique_ptr<SystemProcessFiles>> SystemProcessFiles::Open(
    const std::string& state_dir, BlobStore* blobs, HelperThread* helper, EventLoop* loop) {
  const std::string path = absl::StrCat(state_dir, "/files");
  SHOAL_RETURN_IF_ERROR(MakePrivateDirectory(path, "directory of files"));
  SHOAL_ASSIGN_OR_RETURN(UniqueFd directory,
                         OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return absl::WrapUnique(new SystemProcessFiles(path, std::move(directory), blobs, helper, loop));
}

absl::Status SystemProcessFiles::Check(const Spec& spec, IsCallers is_callers) {
  for (const SpecFile& file : spec.files) {
    if (file.sha256.empty() || blobs_->Has(file.sha256, is_callers)) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "this host has no blob ", DigestToHex(file.sha256).substr(0, 12), " of yours for file '",
        EscapeForMessage(file.path), "': write it with BlobService first"));
  }
  return absl::OkStatus();
}

void SystemProcessFiles::Prepare(const std::string& id, std::shared_ptr<const Spec> spec,
                                 std::shared_ptr<const InlineFiles> contents,
                                 absl::AnyInvocable<void(std::optional<StartFailure>)> done) {
  helper_->Run([directory = directory_, blobs = blobs_, loop = loop_, id, spec = std::move(spec),
                contents = std::move(contents), done = std::move(done)]() mutable {
    MaybeFailed failed = MakeDirectory(blobs, directory->get(), id, *spec, contents.get());
    loop->Post([failure = ToStartFailure(failed), done = std::move(done)]() mutable {
      done(std::move(failure));
    });
  });
}

std::string SystemProcessFiles::DirectoryOf(const std::string& id) const {
  return absl::StrCat(path_, "/", id);
}

void SystemProcessFiles::Remove(const std::string& id) {
  helper_->Run([directory = directory_, blobs = blobs_, id] {
    blobs->WhileLinksGo([&] { RemoveTree(directory->get(), id); });
  });
}

void SystemProcessFiles::RemoveAllBut(const std::vector<std::string>& keep) {
  absl::flat_hash_set<std::string> kept(keep.begin(), keep.end());
  helper_->Run([directory = directory_, blobs = blobs_, kept = std::move(kept)] {
    std::vector<std::string> gone;
    ForEachName(directory->get(), [&](const char* name, bool) {
      if (!kept.contains(name)) gone.emplace_back(name);
    });
    blobs->WhileLinksGo([&] {
      for (const std::string& name : gone) RemoveTree(directory->get(), name);
    });
  });
}

}  // namespace shoal::agent
