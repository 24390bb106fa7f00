#include "agent/core/launcher.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/core/forks.h"
#include "agent/core/sessions.h"
#include "agent/core/shipped_files.h"
#include "agent/core/start_failure.h"
#include "agent/core/templates.h"
#include "agent/core/transitions.h"
#include "common/failpoint.h"
#include "common/ids.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {
namespace {

constexpr int kStartsPerTurn = 16;

bool HasIndex(const std::vector<ProcessEntry*>& processes, size_t index) {
  return std::any_of(processes.begin(), processes.end(), [&](const ProcessEntry* process) {
    return process->request_index == static_cast<int>(index);
  });
}

}  // namespace

void Launcher::Refuse(const SpawnCommand& command, const absl::Status& status,
                      Supervisor::SpawnCallback& done) {
  done(std::vector<SpawnOutcome>(command.items.size(), SpawnOutcome{status, nullptr}), false);
}

void Launcher::Spawn(SpawnCommand command, Supervisor::SpawnCallback done) {
  std::vector<ProcessEntry*> known = core_->table.OfRequest(command.owner, command.request_id);
  if (!known.empty() && known[0]->fingerprint != command.fingerprint) {
    return Refuse(
        command,
        absl::AlreadyExistsError(absl::StrCat("request_id reused with a different spec (",
                                              known[0]->fingerprint.substr(0, 12), " then, ",
                                              command.fingerprint.substr(0, 12), " now)")),
        done);
  }
  if (!known.empty() && known.size() == command.items.size()) {
    return ReplyAfterCommit(std::move(command), known, {}, std::move(done));
  }
  if (IsBuried(command.owner, command.request_id)) {
    return Refuse(command,
                  absl::FailedPreconditionError("request_id was served before and what it started "
                                                "was deleted since; use a new one"),
                  done);
  }
  SHOAL_FAILPOINT("spawn:received");
  // All of it, or what an agent that was killed had not come to.
  std::vector<std::string> names = NamesFor(command, known);
  if (absl::Status status = Check(command, names, known); !status.ok()) {
    return Refuse(command, status, done);
  }
  std::vector<ProcessEntry*> admitted = Admit(command, names, known);
  SHOAL_FAILPOINT("spawn:admitted");
  ReplyAfterCommit(std::move(command), known, admitted, std::move(done));
}

void Launcher::ReplyAfterCommit(SpawnCommand command, const std::vector<ProcessEntry*>& known,
                                const std::vector<ProcessEntry*>& admitted,
                                Supervisor::SpawnCallback done) {
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
      for (const std::string& id : new_ids) core_->table.Remove(id);
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
    Enqueue(new_ids);
  });
}

std::vector<std::string> Launcher::NamesFor(const SpawnCommand& command,
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

absl::Status Launcher::Check(const SpawnCommand& command, const std::vector<std::string>& names,
                             const std::vector<ProcessEntry*>& known) const {
  if (!command.session_id.empty()) {
    absl::Status open = sessions_->CheckMaySpawn(command.session_id, command.owner);
    if (!open.ok()) return open;
  }
  std::set<std::pair<std::string, std::string>> own;
  for (size_t i = 0; i < names.size(); ++i) {
    if (HasIndex(known, i)) continue;
    bool detached = command.items[i].spec->lifetime == Lifetime::kDetached;
    if (!detached && command.session_id.empty()) {
      return absl::InvalidArgumentError("session_id is required for LIFETIME_SESSION");
    }
    if (absl::Status parent = ParentOf(*command.items[i].spec).status(); !parent.ok()) {
      return parent;
    }
    std::string scope = detached ? "" : command.session_id;
    if (absl::Status free = core_->table.CheckNameIsFree(scope, names[i]); !free.ok()) return free;
    const bool checked = i > 0 && command.items[i].spec == command.items[i - 1].spec;
    if (!checked && !command.items[i].spec->files.empty()) {
      absl::Status there = core_->files->Check(*command.items[i].spec);
      if (!there.ok()) return there;
    }
    if (!own.insert({scope, names[i]}).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("name \"", names[i], "\" stands twice in this request"));
    }
  }
  return absl::OkStatus();
}

std::vector<ProcessEntry*> Launcher::Admit(const SpawnCommand& command,
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
    process->owner = command.owner;
    process->request_id = command.request_id;
    process->request_index = static_cast<int>(i);
    process->fingerprint = command.fingerprint;
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
        current = templates_->Current({command.owner, item.spec, item.inline_files, std::nullopt});
      }
      asked = &item;
      process->forked_from = current;
    } else {
      process->forked_from = ParentOf(*item.spec).value_or("");
    }
    ProcessEntry* entry = core_->table.Add(std::move(process));
    core_->ledger.Save(*entry);
    core_->ledger.Changed(entry);
    admitted.push_back(entry);
  }
  return admitted;
}

void Launcher::Enqueue(const std::vector<std::string>& ids) {
  bool was_idle = queue_.empty();
  queue_.insert(queue_.end(), ids.begin(), ids.end());
  if (was_idle && !start_scheduled_) StartSome();
}

void Launcher::StartSome() {
  start_scheduled_ = false;
  for (int i = 0; i < kStartsPerTurn && !queue_.empty(); ++i) {
    ProcessEntry* process = core_->table.Find(queue_.front());
    const bool placed = placed_.erase(queue_.front()) > 0;
    queue_.pop_front();
    // Its end may have been asked for while it waited.
    if (process == nullptr || process->state != State::kPending) continue;
    if (placed || process->spec->files.empty()) {
      StartOne(process);
    } else {
      PlaceFiles(process);
    }
  }
  if (queue_.empty()) return;
  start_scheduled_ = true;
  core_->scheduler->After(absl::ZeroDuration(), [this] { StartSome(); });
}

void Launcher::PlaceFiles(ProcessEntry* process) {
  core_->files->Prepare(process->id, process->spec, process->inline_files,
                        [this, id = process->id](std::optional<StartFailure> failure) {
                          ProcessEntry* prepared = core_->table.Find(id);
                          // Deleted meanwhile: what was made is removed after it, in the order of
                          // the requests.
                          if (prepared == nullptr || prepared->state != State::kPending) return;
                          if (failure) return FailToStart(core_, prepared, *std::move(failure));
                          placed_.insert(id);
                          Enqueue({id});
                        });
}

void Launcher::StartOne(ProcessEntry* process) {
  if (process->spec->start_method == StartMethod::kSpawn) return Launch(process, std::nullopt);
  forks_->Start(process);
}

absl::StatusOr<std::string> Launcher::ParentOf(const Spec& spec) const {
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
  if (parent.IsLive()) return parent.id;
  return absl::FailedPreconditionError(
      absl::StrCat("fork_of: ", Describe(parent), " has ended and cannot be forked"));
}

void Launcher::Launch(ProcessEntry* process, std::optional<ForkParent> parent) {
  ShimStart start{.id = process->id,
                  .argv = process->spec->argv,
                  .env = EnvironmentFor(*process),
                  .cwd = process->spec->cwd,
                  .desired = DesiredFor(*process),
                  .fork_from = parent};
  if (!process->spec->files.empty()) {
    StartBesideFiles(*process->spec, core_->files->DirectoryOf(process->id), &start);
  }
  SHOAL_FAILPOINT("spawn:before-start");
  absl::StatusOr<int> slot = core_->shims->Start(start);
  SHOAL_FAILPOINT("spawn:after-start");
  if (!slot.ok()) {
    const bool parent_gone = absl::IsUnavailable(slot.status());
    StartFailure failure{.stage = parent_gone ? "fork" : "shim",
                         .error_number = parent_gone ? ECONNRESET : EAGAIN,
                         .message = std::string(slot.status().message())};
    return FailToStart(core_, process, std::move(failure));
  }
  core_->table.SetSlot(process, *slot);
  Advance(process, State::kStarting);
  process->rank_env.clear();
  process->rank_env.shrink_to_fit();
  process->inline_files.reset();
  core_->ledger.Changed(process);
}

record::AgentHalf Launcher::DesiredFor(const ProcessEntry& process) const {
  const Spec& spec = *process.spec;
  record::AgentHalf desired{};
  desired.flags = (spec.keep_descendants ? record::kKeepDescendants : 0u) |
                  (spec.merge_stderr ? record::kMergeStderr : 0u) |
                  (spec.drop_oldest ? record::kDropOldest : 0u) |
                  (spec.result_stream ? record::kResultStream : 0u) |
                  (spec.forbid_children ? record::kForbidChildren : 0u);
  desired.grace_ns = absl::ToInt64Nanoseconds(spec.grace);
  if (spec.time_limit) desired.limit_from_exec_ns = absl::ToInt64Nanoseconds(*spec.time_limit);
  desired.cap_bytes = spec.cap_bytes;
  desired.segment_bytes = process.segment_bytes;
  if (!process.session_id.empty()) {
    desired.dead_man_ns = sessions_->DeadManOf(process.session_id);
  }
  return desired;
}

std::vector<std::string> Launcher::EnvironmentFor(const ProcessEntry& process) const {
  std::vector<std::string> variables = core_->options.base_env;
  const std::vector<std::string>& given = process.spec->env;
  variables.insert(variables.end(), given.begin(), given.end());
  variables.insert(variables.end(), process.rank_env.begin(), process.rank_env.end());
  const std::vector<std::string>& own = core_->options.own_env;
  variables.insert(variables.end(), own.begin(), own.end());
  variables.push_back(absl::StrCat("SHOAL_NAME=", process.name));
  variables.push_back(absl::StrCat("SHOAL_ID=", process.id));
  // A later one of the same key replaces an earlier one, in its place.
  std::vector<std::string> environment;
  std::map<std::string, size_t, std::less<>> position;
  for (std::string& variable : variables) {
    std::string key = variable.substr(0, variable.find('='));
    auto [found, added] = position.try_emplace(std::move(key), environment.size());
    if (added) {
      environment.push_back(std::move(variable));
    } else {
      environment[found->second] = std::move(variable);
    }
  }
  // It may have come along with the environment of a template.
  if (!process.template_facts) {
    const std::string told = absl::StrCat(fork_protocol::kTemplateVariable, "=");
    std::erase_if(environment, [&told](const std::string& variable) {
      return absl::StartsWith(variable, told);
    });
  }
  return environment;
}

void Launcher::ReplyWhenStarted(const std::vector<ProcessEntry*>& processes, bool replayed,
                                Supervisor::SpawnCallback done) {
  core_->waits.Add(processes, Until::kStarted, /*any=*/false, absl::InfiniteDuration(),
                   [this, replayed, done = std::move(done)](const std::vector<std::string>& ids,
                                                            bool /*timed_out*/) mutable {
                     Reply(ids, replayed, done);
                   });
}

void Launcher::Reply(const std::vector<std::string>& ids, bool replayed,
                     Supervisor::SpawnCallback& done) {
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
  // What was refused for want of something is forgotten, so that the same request may be tried
  // afresh.
  for (const std::string& id : transient) {
    const ProcessEntry* process = core_->table.Find(id);
    if (process->slot != 0) continue;
    if (!process->spec->files.empty()) core_->files->Remove(id);
    core_->table.Remove(id);
    core_->ledger.Forget(id);
    core_->ledger.Deleted(id);
  }
}

void Launcher::Bury(const ProcessEntry& process) {
  if (process.request_id.empty()) return;
  // A session's request cannot start anything once the session is over.
  if (process.lifetime == Lifetime::kSession &&
      !sessions_->CheckMaySpawn(process.session_id, process.owner).ok()) {
    return;
  }
  BurySignal(process.owner, process.request_id);
}

void Launcher::BurySignal(const std::string& owner, const std::string& request_id) {
  absl::Time now = core_->clock->Now();
  if (!buried_.try_emplace({owner, request_id}, now).second) return;
  core_->ledger.Bury({.owner = owner, .request_id = request_id, .time = now});
}

void Launcher::ForgetBuriedBefore(absl::Time time) {
  std::erase_if(buried_, [&](const auto& entry) { return entry.second < time; });
  core_->ledger.ForgetTombstonesBefore(time);
}

}  // namespace shoal::agent
