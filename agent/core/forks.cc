#include "agent/core/forks.h"

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/start_failure.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

// More would only wait in the parent's socket, with three descriptors of this agent each.
constexpr size_t kForksAsked = 32;
constexpr absl::Duration kForkTime = absl::Seconds(30);

// What the parent of `process` said, or why it says nothing.
StartFailure MakeForkFailure(const Core& core, const ProcessEntry& process,
                             const ForkFailure& refused) {
  const ProcessEntry* parent = core.table.Find(process.forked_from);
  const std::string name = parent != nullptr ? Describe(*parent) : process.forked_from;
  StartFailure failure{.stage = "fork", .error_number = refused.error_number, .message = ""};
  const bool speaks = refused.error_number == 0 || refused.error_number == ECONNRESET;
  const std::string reason =
      speaks ? refused.text
      : refused.text.empty()
          ? std::string(ErrnoStatus(refused.error_number, refused.stage).message())
          : absl::StrCat(refused.stage, ": ", refused.text);
  failure.message = absl::StrCat(name, " could not be forked: ", reason);
  return failure;
}

}  // namespace

void Forks::Start(ProcessEntry* process) {
  const Spec& spec = *process->spec;
  if (spec.start_method == StartMethod::kForkserver) {
    templates_->Acquire({process->owner, process->spec, process->inline_files, std::nullopt},
                        [this, id = process->id](absl::StatusOr<std::string> parent) {
                          if (!parent.ok()) return Fail(id, parent.status());
                          Ask(*parent, id);
                        });
    return;
  }
  const ProcessEntry* parent = core_->table.Find(process->forked_from);
  if (parent == nullptr) {
    return Fail(process->id, absl::FailedPreconditionError("the process to fork is gone"));
  }
  offers_->Await(*parent, spec.fork_wait.value_or(offers_->PatienceFor(*parent)),
                 [this, id = process->id, parent_id = parent->id](const absl::Status& offered) {
                   if (!offered.ok()) return Fail(id, offered);
                   Ask(parent_id, id);
                 });
}

void Forks::Ask(const std::string& parent_id, const std::string& id) {
  ProcessEntry* process = core_->table.Find(id);
  // Its end may have been asked for while it waited.
  if (process == nullptr || process->state != State::kPending) return;
  const std::optional<ForkParent> parent = offers_->Of(parent_id);
  if (!parent) return Fail(id, absl::UnavailableError("the process to fork has just ended"));
  Parent& asked_of = parents_[parent_id];
  if (asked_of.asked.size() >= MostAskedFor(process->owner)) {
    asked_of.waiting.push_back(id);
    return;
  }
  if (asked_of.asked.empty()) asked_of.progress = core_->clock->BootTime();
  asked_of.asked.insert(id);
  if (!asked_of.watched) Watch(parent_id, kForkTime);
  if (process->forked_from == parent_id) return LaunchAsked(parent_id, id);
  process->forked_from = parent_id;
  core_->ledger.Save(*process);
  // Where it comes from is known for good before it is asked for.
  core_->ledger.Then([this, parent_id, id](const absl::Status&) { LaunchAsked(parent_id, id); });
}

void Forks::LaunchAsked(const std::string& parent_id, const std::string& id) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr || process->state != State::kPending) return;
  const std::optional<ForkParent> parent = offers_->Of(parent_id);
  if (!parent) return Fail(id, absl::UnavailableError("the process to fork has just ended"));
  templates_->OnForked(parent_id);
  launcher_->StartFrom(process, *parent);
}

// A template that is asked and does nothing for so long is stuck, and is replaced; a process of the
// user's is theirs to end.
void Forks::Watch(const std::string& parent_id, absl::Duration delay) {
  parents_[parent_id].watched = true;
  core_->scheduler->After(delay, [this, parent_id] {
    const auto found = parents_.find(parent_id);
    if (found == parents_.end()) return;
    Parent& asked_of = found->second;
    asked_of.watched = false;
    if (asked_of.asked.empty()) return;
    const absl::Duration left = asked_of.progress + kForkTime - core_->clock->BootTime();
    if (left > absl::ZeroDuration()) return Watch(parent_id, left);
    templates_->OnSilent(parent_id);
    Watch(parent_id, kForkTime);
  });
}

void Forks::OnStartSettled(const ProcessEntry& process) {
  const auto found = parents_.find(process.forked_from);
  if (found == parents_.end() || found->second.asked.erase(process.id) == 0) return;
  found->second.progress = core_->clock->BootTime();
  if (process.IsLive()) templates_->OnForkStarted(process.forked_from);
  if (found->second.waiting.empty()) {
    if (found->second.asked.empty()) parents_.erase(found);
    return;
  }
  // Not from within: one that fails at once would settle inside of this, and so on.
  core_->scheduler->After(absl::ZeroDuration(),
                          [this, parent_id = process.forked_from] { AskWaiting(parent_id); });
}

size_t Forks::MostAskedFor(const std::string& owner) const {
  return queue_->HasOthers(owner) ? StartQueue::kStartingBesideOthers : kForksAsked;
}

void Forks::AskWaiting(const std::string& parent_id) {
  auto found = parents_.find(parent_id);
  while (found != parents_.end() && !found->second.waiting.empty()) {
    const ProcessEntry* first = core_->table.Find(found->second.waiting.front());
    const bool has_room =
        first == nullptr || found->second.asked.size() < MostAskedFor(first->owner);
    if (!has_room) break;
    const std::string next = std::move(found->second.waiting.front());
    found->second.waiting.pop_front();
    Ask(parent_id, next);
    found = parents_.find(parent_id);
  }
  // Those that waited may all have failed: then nothing settles any more.
  if (found != parents_.end() && found->second.asked.empty() && found->second.waiting.empty()) {
    parents_.erase(found);
  }
}

void Forks::OnRefused(ProcessEntry* process, const ForkFailure& refused) {
  ForkFailure reason = refused;
  if (templates_->OnForkFailed(process->forked_from, refused)) reason.error_number = 0;
  FailToStart(core_, process, MakeForkFailure(*core_, *process, reason));
}

void Forks::Fail(const std::string& id, const absl::Status& why) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr || process->state != State::kPending) return;
  if (absl::IsNotFound(why)) {
    return FailToStart(core_, process,
                       MakeStartFailure(programs_, *process->spec, record::Stage::kExec, ENOENT));
  }
  FailToStart(core_, process,
              StartFailure{.stage = "fork",
                           .error_number = absl::IsUnavailable(why)         ? ECONNRESET
                                           : absl::IsResourceExhausted(why) ? ENOSPC
                                                                            : 0,
                           .message = std::string(why.message())});
}

}  // namespace shoal::agent
