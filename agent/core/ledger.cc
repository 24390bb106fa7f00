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

Ledger::Ledger(Store* store, Scheduler* scheduler, ProcessTable* table, Waits* waits)
    : store_(store), scheduler_(scheduler), table_(table), waits_(waits), ring_(kRingCapacity) {}

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
  store_->PutProcess(process);
  saved_.insert(process.id);
}

void Ledger::Forget(const std::string& process_id) {
  store_->DeleteProcess(process_id);
  saved_.insert(process_id);
}

void Ledger::Bury(const Tombstone& tombstone) {
  store_->PutTombstone(tombstone);
  buried_.push_back(tombstone);
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

absl::Status Ledger::Commit() {
  if (!store_->IsDirty()) return absl::OkStatus();
  SHOAL_FAILPOINT("turn:before-commit");
  absl::Status committed = store_->Commit();
  SHOAL_FAILPOINT("turn:after-commit");
  if (!committed.ok()) {
    if (unsaved_.empty() && unburied_.empty()) {
      scheduler_->After(kSaveAgainAfter, [this] { SaveAgain(); });
    }
    unsaved_.merge(saved_);
    unburied_.insert(unburied_.end(), buried_.begin(), buried_.end());
    reserved_revision_ = stored_revision_;
  }
  stored_revision_ = reserved_revision_;
  saved_.clear();
  buried_.clear();
  return committed;
}

void Ledger::SaveAgain() {
  ReserveRevisions();
  for (const Tombstone& tombstone : std::exchange(unburied_, {})) Bury(tombstone);
  for (const std::string& id : std::exchange(unsaved_, {})) {
    if (const ProcessEntry* process = table_->Find(id); process != nullptr) {
      Save(*process);
    } else {
      Forget(id);
    }
  }
}

bool Ledger::HasWork() const {
  return store_->IsDirty() || !actions_.empty() || !changed_.empty() || !deleted_.empty() ||
         !moved_.empty() || !sessions_over_.empty();
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
    for (ProcessObserver* observer : observers_) observer->OnChanged(*process);
  }
  for (const std::string& id : news.moved) {
    const ProcessEntry* process = table_->Find(id);
    if (process == nullptr || news.changed.contains(id)) continue;
    for (ProcessObserver* observer : observers_) observer->OnOutput(*process);
  }
  for (const auto& [id, revision] : news.deleted) {
    waits_->OnDeleted(id);
    for (ProcessObserver* observer : observers_) observer->OnDeleted(id, revision);
  }
  for (const std::string& id : news.sessions_over) {
    for (ProcessObserver* observer : observers_) observer->OnSessionOver(id);
  }
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
}

}  // namespace shoal::agent
