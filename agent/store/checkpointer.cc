#include "agent/store/checkpointer.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "common/status.h"

namespace shoal::agent {

absl::StatusOr<std::unique_ptr<Checkpointer>> Checkpointer::Start(const std::string& path,
                                                                  std::function<void()> on_rest) {
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path));
  SHOAL_RETURN_IF_ERROR(database->Execute("PRAGMA synchronous=NORMAL"));
  return std::unique_ptr<Checkpointer>(new Checkpointer(std::move(database), std::move(on_rest)));
}

Checkpointer::Checkpointer(std::unique_ptr<Database> database, std::function<void()> on_rest)
    : on_rest_(std::move(on_rest)), database_(std::move(database)), thread_([this] { Run(); }) {}

Checkpointer::~Checkpointer() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  thread_.join();
}

void Checkpointer::AwaitRoom() {
  if (!is_truncating_ && pages_ < kFullPages) return;
  MutexLock lock(&mu_);
  is_wanted_ = is_wanted_ || pages_ >= kFullPages;
  mu_.AwaitWithTimeout(
      [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return !health_.ok() || (!is_truncating_ && pages_ < kFullPages);
      },
      kLongestWait);
}

// A lock for each commit would wake the thread for each.
void Checkpointer::OnCommitted(int pages) {
  ++commits_;
  pages_ = pages;
  if (pages < last_pages_) next_pages_ = kPages;  // the log began anew
  last_pages_ = pages;
  const bool is_wanted = pages >= next_pages_;
  const bool is_large = pages >= kRestPages && peak_ < kRestPages;
  if (pages > peak_) peak_ = pages;
  if (!is_wanted && !is_large) return;
  if (is_wanted) next_pages_ = pages + kPages;
  MutexLock lock(&mu_);
  is_wanted_ = is_wanted_ || is_wanted;
  is_large_ = is_large_ || is_large;
}

// Asked for each commit: as above.
absl::Status Checkpointer::Health() const {
  if (!has_failed_) return absl::OkStatus();
  MutexLock lock(&mu_);
  return health_;
}

bool Checkpointer::AwaitWork(bool* is_wanted) {
  MutexLock lock(&mu_);
  const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return is_wanted_ || stop_; };
  if (is_watching_) {
    mu_.AwaitWithTimeout(has_work, kRest);
  } else {
    mu_.Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return has_work() || is_large_; });
  }
  *is_wanted = std::exchange(is_wanted_, false);
  if (std::exchange(is_large_, false)) is_watching_ = true;
  return !stop_;
}

void Checkpointer::Run() {
  bool is_wanted = false;
  while (AwaitWork(&is_wanted)) {
    const int64_t commits = commits_;
    const bool rests = commits == std::exchange(seen_commits_, commits);
    if (is_wanted) {
      if (Checkpoint(SQLITE_CHECKPOINT_PASSIVE) >= kTruncatePages) Truncate();
    } else if (is_watching_ && rests) {
      Checkpoint(SQLITE_CHECKPOINT_PASSIVE);
      Truncate();
      is_watching_ = false;  // until it is large again
      if (on_rest_) on_rest_();
    }
  }
}

int Checkpointer::Checkpoint(int mode) {
  int pages = 0;
  const int result = sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, mode, &pages, nullptr);
  if ((result & 0xff) != SQLITE_IOERR) return pages;  // full or busy: the next one does more
  MutexLock lock(&mu_);
  health_ = database_->ToStatus(result, "checkpoint");
  has_failed_ = true;
  return 0;
}

// A transaction that began before this is waited for by the busy timeout of the connection.
void Checkpointer::Truncate() {
  {
    MutexLock lock(&mu_);
    is_truncating_ = true;
  }
  const int pages = Checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
  MutexLock lock(&mu_);
  pages_ = std::max(0, pages);
  peak_ = std::max(0, pages);
  is_truncating_ = false;
}

}  // namespace shoal::agent
