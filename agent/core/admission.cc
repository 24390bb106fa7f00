#include "agent/core/admission.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "agent/core/reason.h"
#include "agent/core/start_failure.h"
#include "common/failpoint.h"
#include "common/ids.h"

namespace shoal::agent {
namespace {

bool HasIndex(const std::vector<ProcessEntry*>& processes, size_t index) {
  return std::any_of(processes.begin(), processes.end(), [&](const ProcessEntry* process) {
    return process->request_index == static_cast<int>(index);
  });
}

}  // namespace

void Admission::Refuse(const SpawnCommand& command, const absl::Status& status,
                       SpawnCallback& done) {
  done(std::vector<SpawnOutcome>(command.items.size(), SpawnOutcome{status, nullptr}), false);
}

void Admission::Spawn(SpawnCommand command, SpawnCallback done) {
  absl::StatusOr<const LoggedRequest*> first =
      core_->requests.Begin(RequestKind::kSpawn, command, command.session_id);
  if (!first.ok()) return Refuse(command, first.status(), done);
  if (*first != nullptr) return Repeat(std::move(command), **first, std::move(done));
  SHOAL_FAILPOINT("spawn:received");
  const absl::StatusOr<Permit> permit = AuthorizeInSession(command);
  if (!permit.ok()) {
    core_->requests.Forget(command);  // nothing starts in it any more, row or not
    return Refuse(command, permit.status(), done);
  }
  SpawnRest(*permit, std::move(command), {}, std::move(done));
}

void Admission::Repeat(SpawnCommand command, const LoggedRequest& first, SpawnCallback done) {
  if (!first.decision.status.ok()) {
    return RefuseForGood(command, first.decision.status, std::move(done));
  }
  const std::vector<ProcessEntry*> known =
      core_->table.OfRequest(command.owner(), command.request_id);
  if (known.size() == command.items.size()) {
    return ReplyAfterCommit(std::move(command), known, {}, std::move(done));
  }
  if (known.size() + first.unstarted.size() < command.items.size()) {
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
  std::vector<std::string> names = NamesFor(command, known);
  if (absl::Status status = Check(command, names, known); !status.ok()) {
    return RefuseForGood(command, status, std::move(done));
  }
  std::vector<ProcessEntry*> admitted = Admit(permit, command, names, known);
  core_->requests.Decide(command, {});
  SHOAL_FAILPOINT("spawn:admitted");
  ReplyAfterCommit(std::move(command), known, admitted, std::move(done));
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
  const std::unique_ptr<ProcessEntry> undone = core_->table.Remove(id);
  if (undone == nullptr) return;
  core_->requests.RemoveProcess(*undone, /*unstarted=*/true);
  core_->ledger.Deleted(id);  // a wait or a reader of this turn may know it
}

void Admission::ReplyAfterCommit(SpawnCommand command, const std::vector<ProcessEntry*>& known,
                                 const std::vector<ProcessEntry*>& admitted, SpawnCallback done) {
  std::vector<ProcessEntry*> all = known;
  all.insert(all.end(), admitted.begin(), admitted.end());
  std::sort(all.begin(), all.end(), [](const ProcessEntry* a, const ProcessEntry* b) {
    return a->request_index < b->request_index;
  });
  std::vector<std::string> ids, new_ids;
  for (const ProcessEntry* process : all) ids.push_back(process->id);
  for (const ProcessEntry* process : admitted) new_ids.push_back(process->id);
  const bool replayed = !known.empty();
  core_->ledger.Then([this, replayed, ids, new_ids, command = std::move(command),
                      done = std::move(done)](const absl::Status& committed) mutable {
    if (!new_ids.empty()) SHOAL_FAILPOINT("spawn:after-intent");
    if (!committed.ok()) {
      for (const std::string& id : new_ids) Undo(id);
    }
    // A known one may have been admitted in this very turn and be undone with it.
    std::vector<ProcessEntry*> processes;
    for (const std::string& id : ids) {
      if (ProcessEntry* process = core_->table.Find(id)) processes.push_back(process);
    }
    if (processes.size() != ids.size()) {
      absl::Status gone = absl::NotFoundError("the process was deleted");
      return Refuse(command, committed.ok() ? gone : committed, done);
    }
    ReplyWhenStarted(processes, replayed, std::move(done));
    Queue(new_ids);
  });
}

void Admission::Queue(const std::vector<std::string>& ids) {
  std::vector<StartQueue::Item> items;
  for (const std::string& id : ids) {
    const ProcessEntry* process = core_->table.Find(id);
    if (process == nullptr) continue;
    Starter* starter = forks_;
    if (process->spec->start_method == StartMethod::kSpawn) starter = launcher_;
    items.push_back({.id = id, .starter = starter});
  }
  queue_->Add(items);
}

std::vector<std::string> Admission::NamesFor(const SpawnCommand& command,
                                             const std::vector<ProcessEntry*>& known) {
  std::vector<std::string> names;
  std::string batch_base;  // unnamed ranks of one request share one number
  if (!known.empty() && known[0]->rank) {
    batch_base = known[0]->name.substr(0, known[0]->name.rfind('.'));
  }
  for (const SpawnItem& item : command.items) {
    std::string name = item.spec->name;
    if (name.empty() && (!item.rank || batch_base.empty())) {
      name = batch_base = core_->table.MakeName(ProgramName(item.spec->argv[0]));
    } else if (name.empty()) {
      name = batch_base;
    }
    names.push_back(item.rank ? absl::StrCat(name, ".", *item.rank) : name);
  }
  return names;
}

absl::StatusOr<Permit> Admission::AuthorizeInSession(const SpawnCommand& command) const {
  if (command.session_id.empty()) return command.permit;
  return sessions_->AuthorizeSpawn(command.permit, command.session_id);
}

absl::Status Admission::Check(const SpawnCommand& command, const std::vector<std::string>& names,
                              const std::vector<ProcessEntry*>& known) const {
  std::set<std::pair<std::string, std::string>> own;
  for (size_t i = 0; i < names.size(); ++i) {
    if (HasIndex(known, i)) continue;
    bool detached = command.items[i].spec->lifetime == Lifetime::kDetached;
    if (!detached && command.session_id.empty()) {
      return absl::InvalidArgumentError("session_id is required for LIFETIME_SESSION");
    }
    if (absl::Status parent = ParentOf(command.permit, *command.items[i].spec).status();
        !parent.ok()) {
      return parent;
    }
    std::string scope = detached ? "" : command.session_id;
    if (absl::Status free = core_->table.CheckNameIsFree(scope, names[i]); !free.ok()) return free;
    const bool checked = i > 0 && command.items[i].spec == command.items[i - 1].spec;
    if (!checked && !command.items[i].spec->files.empty()) {
      absl::Status there = files_->Check(*command.items[i].spec);
      if (!there.ok()) return WithReason(kReasonBlobMissing, std::move(there));
    }
    if (!own.insert({scope, names[i]}).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("name \"", names[i], "\" stands twice in this request"));
    }
  }
  return absl::OkStatus();
}

std::vector<ProcessEntry*> Admission::Admit(const Permit& permit, const SpawnCommand& command,
                                            const std::vector<std::string>& names,
                                            const std::vector<ProcessEntry*>& known) {
  std::vector<ProcessEntry*> admitted;
  // Ranks share spec and template: the program is looked at once for them all.
  const SpawnItem* asked = nullptr;
  std::string current;
  for (size_t i = 0; i < command.items.size(); ++i) {
    if (HasIndex(known, i)) continue;
    const SpawnItem& item = command.items[i];
    auto process = std::make_unique<ProcessEntry>();
    process->id = NewId();
    process->name = names[i];
    process->spec = item.spec;
    process->rank = item.rank;
    process->rank_env = item.rank_env;
    process->inline_files = item.inline_files;
    process->owner = permit.owner();
    process->request_id = command.request_id;
    process->request_index = static_cast<int>(i);
    process->boot_id = core_->options.boot_id;
    process->create_time = core_->clock->Now();
    process->lifetime = item.spec->lifetime;
    if (process->lifetime == Lifetime::kSession) process->session_id = command.session_id;
    process->labels = item.spec->labels;
    process->segment_bytes = record::SegmentBytesFor(item.spec->cap_bytes);
    if (!core_->options.has_cgroup) process->flags |= kFlagNoCgroup;
    if (item.spec->start_method == StartMethod::kForkserver) {
      if (asked == nullptr || asked->spec != item.spec ||
          asked->inline_files != item.inline_files) {
        current = templates_->Current({permit.owner(), item.spec, item.inline_files, std::nullopt});
      }
      asked = &item;
      process->forked_from = current;
    } else {
      process->forked_from = ParentOf(permit, *item.spec).value_or("");
    }
    ProcessEntry* entry = core_->table.Add(std::move(process));
    core_->requests.AddProcess(*entry);
    core_->ledger.Save(*entry);
    core_->ledger.Changed(entry);
    admitted.push_back(entry);
  }
  return admitted;
}

absl::StatusOr<std::string> Admission::ParentOf(const Permit& permit, const Spec& spec) const {
  if (spec.start_method != StartMethod::kFork) return std::string();
  Selector selector;
  selector.terms = {spec.fork_of};
  absl::StatusOr<std::vector<ProcessEntry*>> selected = core_->table.Select(selector);
  if (!selected.ok()) {
    return absl::Status(selected.status().code(),
                        absl::StrCat("fork_of: ", selected.status().message()));
  }
  if (selected->size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("fork_of \"", spec.fork_of, "\" fits ",
                                                   selected->size(), " processes: name one"));
  }
  const ProcessEntry& parent = *selected->front();
  const absl::StatusOr<Permit> may =
      Authorize(permit.caller(), Verb::kSpawn, Target::Process(parent));
  if (!may.ok()) return may.status();
  if (parent.IsLive()) return parent.id;
  return absl::FailedPreconditionError(
      absl::StrCat("fork_of: ", Describe(parent), " has ended and cannot be forked"));
}

void Admission::ReplyWhenStarted(const std::vector<ProcessEntry*>& processes, bool replayed,
                                 SpawnCallback done) {
  core_->waits.Add(processes, Until::kStarted, /*any=*/false, absl::InfiniteDuration(),
                   [this, replayed, done = std::move(done)](const std::vector<std::string>& ids,
                                                            bool /*timed_out*/) mutable {
                     Reply(ids, replayed, done);
                   });
}

void Admission::Reply(const std::vector<std::string>& ids, bool replayed, SpawnCallback& done) {
  SHOAL_FAILPOINT("spawn:before-reply");
  std::vector<SpawnOutcome> outcomes;
  std::vector<std::string> transient;
  for (const std::string& id : ids) {
    const ProcessEntry* process = core_->table.Find(id);
    SpawnOutcome outcome{absl::OkStatus(), process};
    if (process == nullptr) {
      outcome.status = absl::NotFoundError("the process was deleted");
    } else if (process->start_failure) {
      outcome.status = StatusOf(*process->start_failure);
      if (IsTransient(*process->start_failure)) transient.push_back(id);
    }
    outcomes.push_back(outcome);
  }
  done(outcomes, replayed);
  // Processes that another try may start are forgotten, so that the same request may be repeated.
  for (const std::string& id : transient) {
    const ProcessEntry* process = core_->table.Find(id);
    if (process->slot != 0) continue;
    if (!process->spec->files.empty()) files_->Remove(id);
    Undo(id);
    core_->ledger.Forget(id);
  }
}

}  // namespace shoal::agent
