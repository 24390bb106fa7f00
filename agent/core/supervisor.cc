#include "agent/core/supervisor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/core.h"
#include "agent/core/ender.h"
#include "agent/core/forks.h"
#include "agent/core/launcher.h"
#include "agent/core/offers.h"
#include "agent/core/record_reader.h"
#include "agent/core/recovery.h"
#include "agent/core/retention.h"
#include "agent/core/sessions.h"
#include "agent/core/templates.h"

namespace shoal::agent {

class Supervisor::Impl {
 public:
  Impl(SupervisorOptions options, Clock* clock, Scheduler* scheduler, Shims* shims,
       OutputFiles* output, ProcessFiles* files, Store* the_store)
      : core(std::move(options), clock, scheduler, shims, output, files, the_store),
        store(the_store),
        reader(&core),
        ender(&core),
        sessions(&core, &ender,
                 [this](const std::string& id) { retention.Delete(id).IgnoreError(); }),
        offers(&core),
        templates(&core, &offers, &ender, [this](const std::string& id) { launcher.Start(id); }),
        forks(&core, &offers, &templates,
              [this](ProcessEntry* process, const ForkParent& parent) {
                launcher.LaunchFrom(process, parent);
              }),
        launcher(&core, &sessions, &templates, &forks),
        retention(&core, &launcher, &reader) {
    core.on_start_settled = [this](ProcessEntry* process) {
      if (process->IsLive()) offers.OnStarted(*process);
      forks.OnStartSettled(*process);
    };
    core.on_fork_failed = [this](const std::string& parent_id, const ForkFailure& refused) {
      return templates.OnForkFailed(parent_id, refused);
    };
    core.on_over = [this](ProcessEntry* process) {
      core.table.ReleaseName(*process);
      offers.OnOver(*process);
      templates.OnOver(*process);
      sessions.OnProcessOver(*process);
      retention.OnOver(*process);
    };
    shims->SetHandlers([this](int slot) { reader.OnReport(slot); }, [this] { reader.OnOverflow(); },
                       [this](int slot, const std::string& id) { reader.OnDeath(slot, id); });
    shims->SetOfferHandlers([this](const ForkParent& parent) { offers.OnOffer(parent); },
                            [this](const ForkParent& parent) { offers.OnWithdrawn(parent); });
  }

  Core core;
  Store* const store;
  RecordReader reader;
  Ender ender;
  agent::Sessions sessions;
  Offers offers;
  agent::Templates templates;
  Forks forks;
  Launcher launcher;
  Retention retention;
  std::string agent_id;
};

Supervisor::Supervisor(SupervisorOptions options, Clock* clock, Scheduler* scheduler, Shims* shims,
                       OutputFiles* output, ProcessFiles* files, Store* store)
    : impl_(std::make_unique<Impl>(std::move(options), clock, scheduler, shims, output, files,
                                   store)) {}

Supervisor::~Supervisor() = default;

absl::Status Supervisor::Recover() {
  absl::StatusOr<Store::Content> content = impl_->store->Load();
  if (!content.ok()) return content.status();
  impl_->agent_id = content->agent_id;
  Recovery(&impl_->core, &impl_->reader, &impl_->launcher, &impl_->sessions)
      .Run(*std::move(content));
  impl_->templates.Restore();
  impl_->core.ledger.FinishTurn();
  return absl::OkStatus();
}

void Supervisor::FinishTurn() { impl_->core.ledger.FinishTurn(); }

void Supervisor::Spawn(SpawnCommand command, SpawnCallback done) {
  impl_->launcher.Spawn(std::move(command), std::move(done));
}

void Supervisor::Signal(const std::string& owner, const std::string& request_id,
                        const Selector& selector, int signal, SignalScope scope,
                        OutcomesCallback done) {
  Core& core = impl_->core;
  absl::StatusOr<std::vector<ProcessEntry*>> selected = core.table.Select(selector);
  if (!selected.ok()) return done(selected.status());
  bool replayed = impl_->launcher.IsBuried(owner, request_id);
  if (!replayed) impl_->launcher.BurySignal(owner, request_id);
  std::vector<std::string> ids;
  for (const ProcessEntry* process : *selected) ids.push_back(process->id);
  core.ledger.Then([this, owner, signal, scope, replayed, ids = std::move(ids),
                    done = std::move(done)](const absl::Status& committed) mutable {
    if (!committed.ok()) return done(committed);
    std::vector<Outcome> outcomes;
    for (const std::string& id : ids) {
      ProcessEntry* process = impl_->core.table.Find(id);
      if (process == nullptr) continue;
      absl::Status sent = replayed ? absl::OkStatus() : Send(process, owner, signal, scope);
      outcomes.push_back({process, std::move(sent)});
    }
    done(std::move(outcomes));
  });
}

absl::Status Supervisor::Send(ProcessEntry* process, const std::string& owner, int signal,
                              SignalScope scope) {
  Core& core = impl_->core;
  bool tree_lives = scope == SignalScope::kTree && !process->IsOver();
  if (!process->IsLive() && !tree_lives) {
    return absl::FailedPreconditionError(
        absl::StrCat(Describe(*process), ": the process has ended"));
  }
  if (process->pid == 0) {
    return absl::FailedPreconditionError(absl::StrCat(Describe(*process), " has not started yet"));
  }
  absl::Status sent = core.shims->Signal(*process, signal, scope);
  if (!sent.ok()) return sent;
  process->signals.push_back({signal, owner, core.clock->Now()});
  if (process->signals.size() > kMaxSignalEvents) process->signals.erase(process->signals.begin());
  core.ledger.Save(*process);
  core.ledger.Changed(process);
  return absl::OkStatus();
}

void Supervisor::Terminate(TerminateCommand command, OutcomesCallback done) {
  impl_->ender.Terminate(std::move(command), std::move(done));
}

absl::Status Supervisor::Apply(const UpdateCommand& command, ProcessEntry* process) {
  Core& core = impl_->core;
  bool detaches = command.detach && process->lifetime == Lifetime::kSession;
  if ((detaches || command.time_limit) && !process->IsLive()) {
    return absl::FailedPreconditionError(
        absl::StrCat(Describe(*process), ": the process has ended"));
  }
  if (detaches) {
    absl::Status free = core.table.CheckNameIsFree("", process->name);
    if (!free.ok()) return free;
    core.table.SetSession(process, "");
  }
  for (const std::string& key : command.remove_labels) process->labels.erase(key);
  for (const auto& [key, value] : command.set_labels) process->labels[key] = value;
  if ((detaches || command.time_limit) && process->slot != 0) {
    int64_t now = absl::ToInt64Nanoseconds(core.clock->BootTime());
    core.shims->Tell(
        process->slot, process->id,
        [&](record::AgentHalf& half) {
          if (detaches) half.dead_man_ns = 0;
          if (!command.time_limit) return;
          int64_t span = absl::ToInt64Nanoseconds(*command.time_limit);
          half.limit_from_exec_ns = 0;
          half.time_limit_ns = span == 0 ? 0 : now + span;
        },
        /*wake=*/true);
  }
  core.ledger.Save(*process);
  core.ledger.Changed(process);
  return absl::OkStatus();
}

void Supervisor::Update(UpdateCommand command, OutcomesCallback done) {
  Core& core = impl_->core;
  absl::StatusOr<std::vector<ProcessEntry*>> selected = core.table.Select(command.selector);
  if (!selected.ok()) return done(selected.status());
  std::vector<std::pair<std::string, absl::Status>> answers;
  for (ProcessEntry* process : *selected) {
    answers.emplace_back(process->id, Apply(command, process));
  }
  core.ledger.Then([this, answers = std::move(answers),
                    done = std::move(done)](const absl::Status& committed) mutable {
    if (!committed.ok()) return done(committed);
    std::vector<Outcome> outcomes;
    for (auto& [id, status] : answers) outcomes.push_back({Find(id), std::move(status)});
    done(std::move(outcomes));
  });
}

void Supervisor::Delete(const Selector& selector, OutcomesCallback done) {
  impl_->retention.Delete(selector, std::move(done));
}

absl::StatusOr<std::vector<const ProcessEntry*>> Supervisor::Select(
    const Selector& selector) const {
  absl::StatusOr<std::vector<ProcessEntry*>> selected = impl_->core.table.Select(selector);
  if (!selected.ok()) return selected.status();
  return std::vector<const ProcessEntry*>(selected->begin(), selected->end());
}

const ProcessEntry* Supervisor::Find(absl::string_view id) const {
  return impl_->core.table.Find(id);
}

void Supervisor::ForEachFrom(const std::string& after_id,
                             absl::FunctionRef<bool(const ProcessEntry&)> visit) const {
  const ProcessTable::Entries& entries = impl_->core.table.entries();
  for (auto it = entries.upper_bound(after_id); it != entries.end(); ++it) {
    if (!visit(*it->second)) return;
  }
}

Supervisor::WaitId Supervisor::Wait(const Selector& selector, Until until, bool any,
                                    absl::Duration timeout, WaitCallback done) {
  absl::StatusOr<std::vector<ProcessEntry*>> selected = impl_->core.table.Select(selector);
  if (!selected.ok()) {
    done(selected.status(), false);
    return 0;
  }
  return impl_->core.waits.Add(
      *selected, until, any, timeout,
      [this, done = std::move(done)](const std::vector<std::string>& ids, bool timed_out) mutable {
        std::vector<const ProcessEntry*> processes;
        for (const std::string& id : ids) {
          if (const ProcessEntry* process = Find(id)) processes.push_back(process);
        }
        done(std::move(processes), timed_out);
      });
}

void Supervisor::CancelWait(WaitId wait) { impl_->core.waits.Cancel(wait); }

absl::StatusOr<Supervisor::Changes> Supervisor::ChangesSince(int64_t revision) const {
  absl::StatusOr<std::vector<EventRing::Event>> events = impl_->core.ledger.ring().Since(revision);
  if (!events.ok()) return events.status();
  Changes changes;
  for (const EventRing::Event& event : *events) {
    const ProcessEntry* process = event.deleted ? nullptr : Find(event.id);
    if (process != nullptr) {
      changes.upserts.push_back(process);
    } else if (event.deleted) {
      changes.deleted.emplace_back(event.id, event.revision);
    }
  }
  return changes;
}

int64_t Supervisor::revision() const { return impl_->core.ledger.ring().revision(); }
void Supervisor::AddObserver(ProcessObserver* observer) {
  impl_->core.ledger.AddObserver(observer);
}
void Supervisor::RemoveObserver(ProcessObserver* observer) {
  impl_->core.ledger.RemoveObserver(observer);
}

void Supervisor::Acknowledge(const std::string& id, int stream, int64_t offset) {
  const ProcessEntry* process = Find(id);
  if (process == nullptr || process->slot == 0 || stream < 0 || stream >= record::kStreams) return;
  auto index = static_cast<size_t>(stream);
  bool stalled = (process->flags & kFlagOutputStalled) != 0;
  int64_t known_end = process->streams[index].end;
  impl_->core.shims->Tell(
      process->slot, id,
      [&](record::AgentHalf& half) {
        half.acknowledged[index] = std::max(half.acknowledged[index], std::min(offset, known_end));
      },
      /*wake=*/stalled);
}

void Supervisor::OpenSession(OpenSessionCommand command,
                             absl::AnyInvocable<void(absl::StatusOr<const SessionEntry*>)> done) {
  impl_->sessions.Open(std::move(command), std::move(done));
}

absl::StatusOr<absl::Duration> Supervisor::KeepAlive(const std::string& session_id,
                                                     const std::string& token) {
  return impl_->sessions.KeepAlive(session_id, token);
}

void Supervisor::CloseSession(const std::string& session_id, const std::string& token, bool forget,
                              std::optional<absl::Duration> grace,
                              std::optional<absl::Duration> timeout,
                              absl::AnyInvocable<void(absl::StatusOr<SessionEnd>)> done) {
  impl_->sessions.Close(session_id, token, forget, grace, timeout, std::move(done));
}

std::vector<const SessionEntry*> Supervisor::Sessions() const { return impl_->sessions.Living(); }

int Supervisor::LiveProcessesOf(const std::string& session_id) const {
  return impl_->sessions.LiveProcessesOf(session_id);
}

int Supervisor::live_processes() const {
  int living = 0;
  for (const auto& [id, process] : impl_->core.table.entries()) {
    living += !process->IsOver() && !process->template_facts;
  }
  return living;
}

void Supervisor::CreateTemplate(
    const TemplateWish& wish, absl::AnyInvocable<void(absl::StatusOr<const ProcessEntry*>)> done) {
  if (!wish.spec->files.empty()) {
    absl::Status there = impl_->core.files->Check(*wish.spec);
    if (!there.ok()) return done(there);
  }
  impl_->templates.Acquire(wish,
                           [this, done = std::move(done)](absl::StatusOr<std::string> id) mutable {
                             if (!id.ok()) return done(id.status());
                             done(Find(*id));
                           });
}

std::vector<const ProcessEntry*> Supervisor::Templates() const { return impl_->templates.Living(); }

void Supervisor::DeleteTemplates(const std::string& owner, const std::vector<std::string>& terms,
                                 OutcomesCallback done) {
  TerminateCommand command;
  command.owner = owner;
  command.selector.terms = terms;
  absl::StatusOr<std::vector<ProcessEntry*>> selected = impl_->core.table.Select(command.selector);
  if (!selected.ok()) return done(selected.status());
  for (const ProcessEntry* process : *selected) {
    if (process->template_facts) continue;
    return done(absl::NotFoundError(absl::StrCat(Describe(*process), " is no template")));
  }
  Terminate(std::move(command), std::move(done));
}

bool Supervisor::OffersForks(const ProcessEntry& process) const {
  return impl_->offers.Of(process.id).has_value();
}

const std::string& Supervisor::agent_id() const { return impl_->agent_id; }
const std::string& Supervisor::boot_id() const { return impl_->core.options.boot_id; }

}  // namespace shoal::agent
