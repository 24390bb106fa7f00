#include "agent/core/start_queue.h"

#include <optional>
#include <utility>

#include "agent/core/start_failure.h"

namespace shoal::agent {
namespace {

constexpr int kStartsPerTurn = 16;

}  // namespace

void StartQueue::Add(const std::vector<Item>& items) {
  const bool was_idle = queue_.empty();
  queue_.insert(queue_.end(), items.begin(), items.end());
  if (was_idle && !start_scheduled_) StartSome();
}

void StartQueue::StartSome() {
  start_scheduled_ = false;
  for (int i = 0; i < kStartsPerTurn && !queue_.empty(); ++i) {
    const Item item = std::move(queue_.front());
    queue_.pop_front();
    ProcessEntry* process = core_->table.Find(item.id);
    // Its end may have been asked for while it waited.
    if (process == nullptr || process->state != State::kPending) continue;
    if (item.has_files || process->spec->files.empty()) {
      item.starter->Start(process);
    } else {
      PlaceFiles(process, item.starter);
    }
  }
  if (queue_.empty()) return;
  start_scheduled_ = true;
  core_->scheduler->After(absl::ZeroDuration(), [this] { StartSome(); });
}

void StartQueue::PlaceFiles(ProcessEntry* process, Starter* starter) {
  files_->Prepare(process->id, process->spec, process->inline_files,
                  [this, id = process->id, starter](std::optional<StartFailure> failure) {
                    ProcessEntry* prepared = core_->table.Find(id);
                    // Deleted meanwhile: what was made is removed after it, in the order of the
                    // requests.
                    if (prepared == nullptr || prepared->state != State::kPending) return;
                    if (failure) return FailToStart(core_, prepared, *std::move(failure));
                    Add({{.id = id, .starter = starter, .has_files = true}});
                  });
}

}  // namespace shoal::agent
