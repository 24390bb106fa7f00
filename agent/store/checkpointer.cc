#include "agent/store/checkpointer.h"

#include <sqlite3.h>

#include <utility>

#include "common/status.h"

namespace shoal::agent {

absl::StatusOr<std::unique_ptr<Checkpointer>> Checkpointer::Start(const std::string& path) {
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path));
  SHOAL_RETURN_IF_ERROR(database->Execute("PRAGMA synchronous=NORMAL"));
  return std::unique_ptr<Checkpointer>(new Checkpointer(std::move(database)));
}

Checkpointer::Checkpointer(std::unique_ptr<Database> database)
    : database_(std::move(database)), thread_([this] { Run(); }) {}

Checkpointer::~Checkpointer() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  thread_.join();
}

void Checkpointer::OnCommitted(int pages) {
  if (pages < last_pages_) next_pages_ = kPages;  // the log began anew
  last_pages_ = pages;
  if (pages < next_pages_) return;
  next_pages_ = pages + kPages;
  MutexLock lock(&mu_);
  wanted_ = true;
}

absl::Status Checkpointer::Health() const {
  MutexLock lock(&mu_);
  return health_;
}

void Checkpointer::Run() {
  while (true) {
    {
      MutexLock lock(&mu_);
      mu_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return wanted_ || stop_; });
      if (stop_) return;
      wanted_ = false;
    }
    const int result = sqlite3_wal_checkpoint_v2(database_->handle(), nullptr,
                                                 SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    if ((result & 0xff) != SQLITE_IOERR) continue;  // full or busy: the next one does more
    MutexLock lock(&mu_);
    health_ = database_->ToStatus(result, "checkpoint");
  }
}

}  // namespace shoal::agent
