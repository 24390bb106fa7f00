#include "agent/os/system_input_rings.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "common/mutex.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

constexpr size_t kMostOpen = 128;  // rings; others are opened again when they are written to
// Written at once: what is typed is as small, and a thread that is woken for it, and wakes the loop again, takes as long
// as much of its way. It goes into the cache of the disk that commits go to.
constexpr size_t kSmall = size_t{4} << 10;

std::string NameOf(const std::string& id) { return absl::StrCat(id, ".in"); }

absl::Status WriteAt(int file, absl::string_view bytes, int64_t at) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(file, bytes.data(), bytes.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return ErrnoStatus(written < 0 ? errno : EIO, "write the ring");
    bytes.remove_prefix(static_cast<size_t>(written));
    at += written;
  }
  return absl::OkStatus();
}

}  // namespace

// Open rings, the one that was used last in front. Thread-safe.
class SystemInputRings::Files {
 public:
  explicit Files(int directory) : directory_(directory) {}

  absl::Status Write(const std::string& id, int64_t window, const InputPiece& piece) {
    SHOAL_ASSIGN_OR_RETURN(const std::shared_ptr<UniqueFd> ring, Find(id));
    const int file = ring->get();
    const absl::string_view bytes = absl::string_view(*piece.data).substr(piece.from, piece.size);
    const int64_t at = piece.offset % window;
    const auto first = std::min(bytes.size(), static_cast<size_t>(window - at));
    SHOAL_RETURN_IF_ERROR(WriteAt(file, bytes.substr(0, first), at));
    return WriteAt(file, bytes.substr(first), 0);
  }

  void Forget(const std::string& id) {
    {
      MutexLock lock(&mu_);
      const auto found = by_id_.find(id);
      if (found != by_id_.end()) {
        open_.erase(found->second);
        by_id_.erase(found);
      }
    }
    unlinkat(directory_, NameOf(id).c_str(), 0);
  }

 private:
  struct Ring {
    std::string id;
    std::shared_ptr<UniqueFd> file;  // and those that write to it
  };

  absl::StatusOr<std::shared_ptr<UniqueFd>> Find(const std::string& id) {
    MutexLock lock(&mu_);
    const auto found = by_id_.find(id);
    if (found != by_id_.end()) {
      open_.splice(open_.begin(), open_, found->second);
      return open_.front().file;
    }
    SHOAL_ASSIGN_OR_RETURN(UniqueFd file, OpenAt(directory_, NameOf(id), O_WRONLY | O_NOFOLLOW));
    if (open_.size() >= kMostOpen) {
      by_id_.erase(open_.back().id);
      open_.pop_back();
    }
    open_.push_front({id, std::make_shared<UniqueFd>(std::move(file))});
    by_id_[id] = open_.begin();
    return open_.front().file;
  }

  const int directory_;
  Mutex mu_;
  std::list<Ring> open_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::list<Ring>::iterator> by_id_ ABSL_GUARDED_BY(mu_);
};

SystemInputRings::SystemInputRings(EventLoop* loop, int directory)
    : loop_(loop), files_(std::make_unique<Files>(directory)) {}

SystemInputRings::~SystemInputRings() = default;

void SystemInputRings::Write(const std::string& id, int64_t window, InputPiece piece,
                             absl::AnyInvocable<void(absl::Status)> done) {
  if (piece.size <= kSmall) {
    loop_->Post([written = files_->Write(id, window, piece), done = std::move(done)]() mutable {
      done(std::move(written));
    });
    return;
  }
  thread_.Run([this, id, window, piece = std::move(piece), done = std::move(done)]() mutable {
    absl::Status written = files_->Write(id, window, piece);
    loop_->Post([written = std::move(written), done = std::move(done)]() mutable {
      done(std::move(written));
    });
  });
}

void SystemInputRings::Forget(const std::string& id) {
  thread_.Run([this, id] { files_->Forget(id); });
}

}  // namespace shoal::agent
