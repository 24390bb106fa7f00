#include "agent/core/admission.h"

#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/reason.h"
#include "agent/core/spawn_rules.h"
#include "agent/core/start_failure.h"
#include "agent/spec/beside_spec.h"
#include "common/escape.h"
#include "common/failpoint.h"
#include "common/ids.h"
#include "common/program_name.h"
#include "common/status.h"

namespace shoal::agent {

// A command while its processes are admitted, in slices: first all are checked, so that what is refused
// has left no trace as a rule, then each is checked again and admitted.
struct Admission::Batch {
  SpawnCommand command;
  Permit permit;  // in the session, if there is one
  SpawnCallback done;
  std::vector<std::string> ids = {};  // by index; empty: not admitted yet
  bool is_replayed = false;           // some were there
  std::vector<std::string> names = {};
  std::string base = {};                                   // of the names of unnamed ranks
  std::set<std::pair<std::string, std::string>> own = {};  // scope, name
  size_t checked = 0;
  size_t admitted = 0;
  std::vector<std::string> new_ids = {};  // by this call
  const SpawnItem* asked = nullptr;       // whose template is `current`
  std::string current = {};
  bool has_slice_open = false;  // what was admitted in this turn awaits its commit
  bool is_first_slice = true;
  bool is_last = false;
  bool is_over = false;  // refused
  absl::Status failure = {};
};

void Admission::Refuse(const SpawnCommand& command, const absl::Status& status,
                       SpawnCallback& done) {
  done(std::vector<SpawnOutcome>(command.items.size(), SpawnOutcome{status, nullptr}), false);
}

void Admission::Spawn(SpawnCommand command, SpawnCallback done) {
  absl::StatusOr<const LoggedRequest*> first =
      core_->requests.Begin(RequestKind::kSpawn, command, command.session_id);
  if (!first.ok()) return Refuse(command, first.status(), done);
  if (*first != nullptr && core_->running.IsRunning(command)) {
    const LoggedCall call = command;
    return core_->running.Await(
        call, [this, command = std::move(command), done = std::move(done)]() mutable {
          Spawn(std::move(command), std::move(done));
        });
  }
  if (*first != nullptr) return Repeat(std::move(command), **first, std::move(done));
  SHOAL_FAILPOINT("spawn:received");
  const absl::StatusOr<Permit> permit = AuthorizeInSession(command);
  if (!permit.ok()) {
    core_->requests.Forget(command);  // nothing starts in it any more, row or not
    return Refuse(command, permit.status(), done);
  }
  SpawnRest(*permit, std::move(command), {}, std::move(done));
}

// Of one that was not decided when an agent was killed nothing has started.
void Admission::Repeat(SpawnCommand command, const LoggedRequest& first, SpawnCallback done) {
  if (!first.decision.status.ok()) {
    return RefuseForGood(command, first.decision.status, std::move(done));
  }
  const std::vector<ProcessEntry*> known =
      core_->table.OfRequest(command.owner(), command.request_id);
  if (known.size() == command.items.size()) return Replay(command, known, std::move(done));
  if (first.is_decided && known.size() + first.unstarted.size() < command.items.size()) {
    return Refuse(command,
                  absl::FailedPreconditionError("request_id was served before and what it started "
                                                "was deleted since; use a new one"),
                  done);
  }
  SHOAL_FAILPOINT("spawn:received");
  const absl::StatusOr<Permit> permit = AuthorizeInSession(command);
  if (!permit.ok()) return Refuse(command, permit.status(), done);
  SpawnRest(*permit, std::move(command), known, std::move(done));
}

void Admission::SpawnRest(const Permit& permit, SpawnCommand command,
                          const std::vector<ProcessEntry*>& known, SpawnCallback done) {
  // Shared by the slices, and by the commits of what they have done.
  auto batch = std::make_shared<Batch>(
      Batch{.command = std::move(command), .permit = permit, .done = std::move(done)});
  batch->ids.resize(batch->command.items.size());
  for (const ProcessEntry* process : known) {
    batch->ids.at(static_cast<size_t>(process->request_index)) = process->id;
    if (process->rank) batch->base = process->name.substr(0, process->name.rfind('.'));
  }
  batch->is_replayed = !known.empty();
  core_->running.Begin(batch->command);
  core_->slices.Run(permit.caller(), [this, batch] { return Step(batch); });
}

std::vector<const SpawnItem*> Admission::ToStart(const Batch& batch) {
  std::vector<const SpawnItem*> items;
  for (size_t i = 0; i < batch.ids.size(); ++i) {
    if (batch.ids[i].empty()) items.push_back(&batch.command.items[i]);
  }
  return items;
}

bool Admission::Step(const std::shared_ptr<Batch>& batch) {
  if (batch->is_over) return false;
  const std::vector<SpawnItem>& items = batch->command.items;
  if (batch->checked == 0) {
    batch->failure = CheckQuotas(*core_, batch->permit.owner(), ToStart(*batch));
  }
  if (batch->failure.ok() && batch->checked < items.size()) {
    const size_t index = batch->checked++;
    batch->names.push_back(NameFor(batch.get(), index));
    batch->failure = Check(batch.get(), index);
    return true;
  }
  if (batch->failure.ok() && batch->admitted < items.size()) {
    OpenSlice(batch);
    const size_t index = batch->admitted++;
    if (!batch->ids[index].empty()) return true;
    batch->failure = CheckAgain(*batch, index);
    if (batch->failure.ok()) Admit(batch.get(), index);
    return true;
  }
  if (!batch->failure.ok()) {
    Abandon(batch.get());
    return false;
  }
  OpenSlice(batch);
  core_->requests.Decide(batch->command, {});
  SHOAL_FAILPOINT("spawn:admitted");
  batch->is_last = true;
  return false;
}

// What was admitted meanwhile is not started: it is as if it had never been.
void Admission::Abandon(Batch* batch) {
  batch->is_over = true;
  for (const std::string& id : std::exchange(batch->new_ids, {})) {
    Undo(id);
    core_->ledger.Forget(id);
  }
  core_->running.End(batch->command);
  if (AuthorizeInSession(batch->command).ok()) {
    return RefuseForGood(batch->command, batch->failure, std::move(batch->done));
  }
  core_->requests.Forget(batch->command);
  Refuse(batch->command, batch->failure, batch->done);
}

void Admission::OpenSlice(const std::shared_ptr<Batch>& batch) {
  if (std::exchange(batch->has_slice_open, true)) return;
  core_->ledger.Then([this, batch](const absl::Status& committed) {
    batch->has_slice_open = false;
    OnCommitted(batch.get(), committed);
  });
}

void Admission::OnCommitted(Batch* batch, const absl::Status& committed) {
  if (!batch->new_ids.empty()) SHOAL_FAILPOINT("spawn:after-intent");
  if (batch->is_over) return;
  if (!committed.ok()) {
    batch->is_over = true;
    for (const std::string& id : std::exchange(batch->new_ids, {})) {
      Undo(id);
      // Those of earlier slices are in the store.
      if (!batch->is_first_slice) core_->ledger.Forget(id);
    }
    if (!batch->is_first_slice) core_->requests.Forget(batch->command);
    core_->running.End(batch->command);
    return Refuse(batch->command, committed, batch->done);
  }
  batch->is_first_slice = false;
  if (!batch->is_last) return;
  core_->running.End(batch->command);
  Answer(batch->command, batch->ids, batch->is_replayed, std::move(batch->done));
  Queue(batch->command.permit.caller(), batch->new_ids);
}

void Admission::Replay(const SpawnCommand& command, const std::vector<ProcessEntry*>& known,
                       SpawnCallback done) {
  std::vector<std::string> ids;
  ids.reserve(known.size());
  for (const ProcessEntry* process : known) ids.push_back(process->id);
  core_->ledger.Then([this, ids = std::move(ids), command,
                      done = std::move(done)](const absl::Status& committed) mutable {
    if (!committed.ok()) return Refuse(command, committed, done);
    Answer(command, ids, /*replayed=*/true, std::move(done));
  });
}

void Admission::RefuseForGood(const SpawnCommand& command, const absl::Status& status,
                              SpawnCallback done) {
  core_->requests.Decide(command, {.status = status});
  core_->ledger.Then(
      [command, status, done = std::move(done)](const absl::Status& committed) mutable {
        Refuse(command, committed.ok() ? status : committed, done);
      });
}

void Admission::Undo(const std::string& id) {
  const std::shared_ptr<ProcessEntry> undone = core_->table.Remove(id);
  if (undone == nullptr) return;
  core_->events->OnUndone(*undone);
  core_->requests.RemoveProcess(*undone, /*unstarted=*/true);
  core_->ledger.Deleted(id);  // a wait or a reader of this turn may know it
}

void Admission::Answer(const SpawnCommand& command, const std::vector<std::string>& ids,
                       bool replayed, SpawnCallback done) {
  // A known one may have been undone, or deleted, meanwhile.
  std::vector<ProcessEntry*> processes;
  for (const std::string& id : ids) {
    if (ProcessEntry* process = core_->table.Find(id)) processes.push_back(process);
  }
  if (processes.size() != ids.size()) {
    return Refuse(command, absl::NotFoundError("the process was deleted"), done);
  }
  ReplyWhenStarted(command, processes, replayed, std::move(done));
}

void Admission::Queue(const Caller& caller, const std::vector<std::string>& ids) {
  std::vector<StartQueue::Item> items;
  for (const std::string& id : ids) {
    const ProcessEntry* process = core_->table.Find(id);
    if (process == nullptr) continue;
    Starter* starter = forks_;
    if (process->spec->start_method == StartMethod::kSpawn) starter = launcher_;
    items.push_back({.id = id, .starter = starter});
  }
  queue_->Add(caller, items);
}

// Unnamed ranks of one request share one number.
std::string Admission::NameFor(Batch* batch, size_t index) {
  const SpawnItem& item = batch->command.items[index];
  std::string name = item.spec->name;
  if (name.empty() && (!item.rank || batch->base.empty())) {
    name = batch->base = core_->table.MakeName(ProgramName(item.spec->argv[0]));
  } else if (name.empty()) {
    name = batch->base;
  }
  return item.rank ? absl::StrCat(name, ".", *item.rank) : name;
}

absl::StatusOr<Permit> Admission::AuthorizeInSession(const SpawnCommand& command) const {
  if (command.session_id.empty()) return command.permit;
  return sessions_->AuthorizeSpawn(command.permit, command.session_id, command.session_token);
}

absl::Status Admission::Check(Batch* batch, size_t index) const {
  if (!batch->ids[index].empty()) return absl::OkStatus();
  const SpawnCommand& command = batch->command;
  const SpawnItem& item = command.items[index];
  const bool detached = item.spec->lifetime == Lifetime::kDetached;
  if (!detached && command.session_id.empty()) {
    return absl::InvalidArgumentError("session_id is required for LIFETIME_SESSION");
  }
  SHOAL_RETURN_IF_ERROR(CheckAgain(*batch, index));
  const bool checked = index > 0 && item.spec == command.items[index - 1].spec;
  if (!checked && !item.spec->files.empty()) {
    absl::Status there = files_->Check(*item.spec, IsCallersOf(command.permit.caller()));
    if (!there.ok()) return WithReason(kReasonBlobMissing, std::move(there));
  }
  const std::string& name = batch->names[index];
  if (batch->own.emplace(detached ? "" : command.session_id, name).second) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("name \"", name, "\" stands twice in this request"));
}

// What another caller may have changed between two slices.
absl::Status Admission::CheckAgain(const Batch& batch, size_t index) const {
  const SpawnCommand& command = batch.command;
  const Spec& spec = *command.items[index].spec;
  SHOAL_RETURN_IF_ERROR(AuthorizeInSession(command).status());
  SHOAL_RETURN_IF_ERROR(ParentOf(*core_, command.permit, spec).status());
  SHOAL_RETURN_IF_ERROR(BesideOf(*core_, command.permit, spec).status());
  const bool detached = spec.lifetime == Lifetime::kDetached;
  return core_->table.CheckNameIsFree(detached ? "" : command.session_id, batch.names[index]);
}

void Admission::Admit(Batch* batch, size_t index) {
  const SpawnCommand& command = batch->command;
  const SpawnItem& item = command.items[index];
  auto process = std::make_unique<ProcessEntry>();
  process->id = NewId();
  process->name = batch->names[index];
  process->spec = item.spec;
  if (const ProcessEntry* beside = BesideOf(*core_, batch->permit, *item.spec).value_or(nullptr)) {
    process->spec = BesideSpec(*item.spec, beside->id, *beside->spec);
  }
  process->rank = item.rank;
  process->ranks = item.ranks;
  process->inline_files = item.inline_files;
  process->owner = batch->permit.owner();
  process->request_id = command.request_id;
  process->request_index = static_cast<int>(index);
  process->boot_id = core_->options.boot_id;
  process->create_time = core_->clock->Now();
  process->lifetime = item.spec->lifetime;
  if (process->lifetime == Lifetime::kSession) process->session_id = command.session_id;
  process->labels = item.spec->labels;
  process->terminal = {item.spec->terminal_rows, item.spec->terminal_columns, 0};
  process->segment_bytes = record::SegmentBytesFor(item.spec->cap_bytes);
  if (!core_->options.has_cgroup) process->flags |= kFlagNoCgroup;
  process->forked_from = ParentFor(batch, item);
  ProcessEntry* entry = core_->table.Add(std::move(process));
  core_->requests.AddProcess(*entry);
  core_->ledger.Save(*entry);
  core_->ledger.Changed(entry);
  batch->ids[index] = entry->id;
  batch->new_ids.push_back(entry->id);
}

// Ranks share spec and template: the program is looked at once for them all.
std::string Admission::ParentFor(Batch* batch, const SpawnItem& item) {
  if (item.spec->start_method != StartMethod::kForkserver) {
    return ParentOf(*core_, batch->permit, *item.spec).value_or("");
  }
  const bool is_asked = batch->asked != nullptr && batch->asked->spec == item.spec &&
                        batch->asked->inline_files == item.inline_files;
  if (!is_asked) {
    batch->current =
        templates_->Current({batch->permit.owner(), item.spec, item.inline_files, std::nullopt});
  }
  batch->asked = &item;
  return batch->current;
}

void Admission::ReplyWhenStarted(const LoggedCall& call,
                                 const std::vector<ProcessEntry*>& processes, bool replayed,
                                 SpawnCallback done) {
  core_->waits.Add(call.permit.caller(), processes, Until::kStarted, /*any=*/false,
                   absl::InfiniteDuration(),
                   [this, call, replayed, done = std::move(done)](const SharedProcesses& awaited,
                                                                  bool /*timed_out*/) mutable {
                     Reply(call, *awaited, replayed, done);
                   });
}

void Admission::Reply(const LoggedCall& call, const HeldProcesses& awaited, bool replayed,
                      SpawnCallback& done) {
  SHOAL_FAILPOINT("spawn:before-reply");
  std::vector<SpawnOutcome> outcomes;
  std::vector<std::string> transient;
  outcomes.reserve(awaited.size());
  for (const std::shared_ptr<ProcessEntry>& process : awaited) {
    SpawnOutcome outcome{absl::OkStatus(), process->is_removed ? nullptr : process.get()};
    if (process->is_removed) {
      outcome.status = absl::NotFoundError("the process was deleted");
    } else if (process->start_failure) {
      outcome.status = StatusOf(*process->start_failure);
      if (IsTransient(*process->start_failure)) transient.push_back(process->id);
    }
    outcomes.push_back(std::move(outcome));
  }
  done(outcomes, replayed);
  if (!transient.empty()) ForgetTransient(call, std::move(transient));
}

// Processes that another try may start are forgotten, so that the same request may be repeated.
void Admission::ForgetTransient(const LoggedCall& call, std::vector<std::string> ids) {
  core_->running.Begin(call);
  core_->slices.Run(call.permit.caller(), [this, call, ids = std::move(ids)]() mutable {
    if (ids.empty()) {
      core_->running.End(call);
      return false;
    }
    const std::string id = std::move(ids.back());
    ids.pop_back();
    const ProcessEntry* process = core_->table.Find(id);
    if (process == nullptr || process->slot != 0) return true;
    if (!process->spec->files.empty()) files_->Remove(id);
    Undo(id);
    core_->ledger.Forget(id);
    return true;
  });
}

}  // namespace shoal::agent
