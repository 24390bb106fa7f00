#include "agent/core/ledger.h"

#include <utility>

#include "common/failpoint.h"

namespace shoal::agent {
namespace {

constexpr size_t kRingCapacity = 16'384;
// The store keeps a revision that was not used yet; after a crash the next one begins there.
constexpr int64_t kRevisionBlock = 100'000;
constexpr absl::Duration kSaveAgainAfter = absl::Seconds(1);

}  // namespace

Ledger::Ledger(Store* store, Scheduler* scheduler, ProcessTable* table, Waits* waits,
               Observers* observers, RequestLog* requests)
    : store_(store),
      scheduler_(scheduler),
      table_(table),
      waits_(waits),
      observers_(observers),
      requests_(requests),
      ring_(kRingCapacity) {}

void Ledger::StartAt(int64_t revision) {
  ring_.StartAt(revision);
  reserved_revision_ = stored_revision_ = revision;
  ReserveRevisions();
}

void Ledger::ReserveRevisions() {
  // Half a block ahead, so that no failed commit is noticed too late.
  if (ring_.revision() + kRevisionBlock / 2 < reserved_revision_) return;
  reserved_revision_ = ring_.revision() + kRevisionBlock;
  store_->PutRevision(reserved_revision_);
}

void Ledger::Save(const ProcessEntry& process) {
  if (forgotten_.contains(process.id)) return;
  store_->PutProcess(process);
  saved_.insert(process.id);
}

void Ledger::Forget(const std::string& process_id) {
  store_->DeleteProcess(process_id);
  saved_.insert(process_id);
  forgotten_.insert(process_id);
}

void Ledger::SaveSession(const SessionEntry& session) {
  store_->PutSession(session);
  saved_sessions_[session.id] = session;
  unsaved_sessions_.erase(session.id);
}

void Ledger::ForgetSession(const std::string& session_id) {
  store_->DeleteSession(session_id);
  saved_sessions_[session_id] = std::nullopt;
  unsaved_sessions_.erase(session_id);
}

void Ledger::Changed(ProcessEntry* process) {
  process->revision = ring_.Add(process->id, /*deleted=*/false);
  ReserveRevisions();
  changed_.insert(process->id);
}

void Ledger::Deleted(const std::string& process_id) {
  int64_t revision = ring_.Add(process_id, /*deleted=*/true);
  ReserveRevisions();
  changed_.erase(process_id);
  deleted_.emplace_back(process_id, revision);
}

void Ledger::OutputMoved(const ProcessEntry& process) {
  table_->usage().NoteOutput(process);
  if (moved_.empty() || moved_.back() != process.id) moved_.push_back(process.id);
}

absl::Status Ledger::Commit() {
  requests_->Save();
  if (!store_->IsDirty()) return absl::OkStatus();
  SHOAL_FAILPOINT("turn:before-commit");
  absl::Status committed = store_->Commit();
  SHOAL_FAILPOINT("turn:after-commit");
  requests_->OnCommit(committed);
  if (!committed.ok()) {
    if (!std::exchange(is_save_again_set_, true)) {
      scheduler_->After(kSaveAgainAfter, [this] { SaveAgain(); });
    }
    unsaved_.merge(saved_);
    unsaved_sessions_.merge(saved_sessions_);
    reserved_revision_ = stored_revision_;
  }
  stored_revision_ = reserved_revision_;
  saved_.clear();
  forgotten_.clear();
  saved_sessions_.clear();
  return committed;
}

void Ledger::SaveAgain() {
  is_save_again_set_ = false;
  ReserveRevisions();
  requests_->SaveAgain();
  for (const auto& [id, session] : std::exchange(unsaved_sessions_, {})) {
    if (session) {
      SaveSession(*session);
    } else {
      ForgetSession(id);
    }
  }
  for (const std::string& id : std::exchange(unsaved_, {})) {
    if (const ProcessEntry* process = table_->Find(id); process != nullptr) {
      Save(*process);
    } else {
      Forget(id);
    }
  }
}

bool Ledger::HasWork() const {
  return store_->IsDirty() || requests_->IsDirty() || !actions_.empty() || !changed_.empty() ||
         !deleted_.empty() || !moved_.empty() || !sessions_over_.empty();
}

Ledger::News Ledger::TakeNews() {
  return {std::exchange(changed_, {}), std::exchange(deleted_, {}), std::exchange(moved_, {}),
          std::exchange(sessions_over_, {})};
}

void Ledger::Tell(const News& news) {
  for (const std::string& id : news.changed) {
    const ProcessEntry* process = table_->Find(id);
    if (process == nullptr) continue;  // undone, or deleted since
    waits_->OnChanged(*process);
    observers_->TellChanged(*process);
  }
  for (const std::string& id : news.moved) {
    const ProcessEntry* process = table_->Find(id);
    if (process != nullptr && !news.changed.contains(id)) observers_->TellOutput(*process);
  }
  for (const auto& [id, revision] : news.deleted) {
    waits_->OnDeleted(id);
    observers_->TellDeleted(id, revision);
  }
  for (const std::string& id : news.sessions_over) observers_->TellSessionOver(id);
}

void Ledger::FinishTurn() {
  do {
    while (HasWork()) {
      News news = TakeNews();
      absl::Status committed = Commit();
      for (Action& action : std::exchange(actions_, {})) action(committed);
      Tell(news);
    }
  } while (waits_->Settle() || HasWork());
  observers_->TellTurnEnd();
}

}  // namespace shoal::agent
