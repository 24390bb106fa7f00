#include "agent/core/supervisor.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "agent/core/admission.h"
#include "agent/core/core.h"
#include "agent/core/forks.h"
#include "agent/core/inputs.h"
#include "agent/core/launcher.h"
#include "agent/core/limit_watch.h"
#include "agent/core/offers.h"
#include "agent/core/ports/fork_offers.h"
#include "agent/core/ports/shim_slots.h"
#include "agent/core/record_reader.h"
#include "agent/core/recovery.h"
#include "agent/core/retention.h"
#include "agent/core/session_table.h"
#include "agent/core/sessions.h"
#include "agent/core/signal_sender.h"
#include "agent/core/start_queue.h"
#include "agent/core/takeovers.h"
#include "agent/core/template_requests.h"
#include "agent/core/templates.h"
#include "agent/core/terminator.h"
#include "agent/core/unmanaged.h"
#include "agent/core/updater.h"
#include "common/status.h"

namespace shoal::agent {

// The parts, each above those that it knows.
class Supervisor::Impl final : public ProcessEvents {
 public:
  Impl(SupervisorOptions options, const Ports& the_ports)
      : ports(the_ports),
        core(std::move(options), ports, this),
        session_table(&core),
        terminator(&core, ports.slots, ports.trees),
        offers(&core, ports.offers, ports.output),
        launcher(&core, ports.slots, ports.files, &session_table),
        queue(&core, ports.files),
        templates(&core, ports.programs, ports.slots, &queue, &launcher, &offers, &terminator),
        forks(&core, ports.programs, &queue, &launcher, &offers, &templates),
        reader(&core, ports, &launcher, &forks, &terminator),
        retention(&core, ports.output, ports.files, &reader),
        sessions(&core, ports, &session_table, &terminator, &retention),
        takeovers(&core, &session_table, &sessions),
        admission(&core, ports.files, &session_table, &queue, &launcher, &templates, &forks),
        signals(&core, ports.trees),
        inputs(&core, ports.slots, ports.inputs, ports.peers),
        limits(&core, ports.slots),
        updater(&core, ports.slots, &sessions, &limits),
        template_requests(&core, ports.files, &templates, &terminator) {
    ports.slots->SetShimEvents(&reader);
    ports.offers->SetOfferEvents(&offers);
  }
  ~Impl() override {
    ports.slots->SetShimEvents(nullptr);
    ports.offers->SetOfferEvents(nullptr);
  }

  void OnStartSettled(ProcessEntry* process) override {
    process->ranks.reset();
    if (process->IsLive()) offers.OnStarted(*process);
    limits.Watch(*process);
    forks.OnStartSettled(*process);
    queue.OnStartSettled();
    inputs.OnMoved(process);
  }

  void Acknowledge(const Acknowledgement& position) {
    const ProcessEntry* process = core.table.Find(position.id);
    const bool is_stream = position.stream >= 0 && position.stream < record::kStreams;
    if (process == nullptr || process->slot == 0 || !is_stream) return;
    const auto index = static_cast<size_t>(position.stream);
    const bool stalled = (process->flags & kFlagOutputStalled) != 0;
    const int64_t offset = std::min(position.offset, process->streams[index].end);
    ports.slots->Tell(
        process->slot, process->id,
        [&](record::AgentHalf& half) {
          half.acknowledged[index] = std::max(half.acknowledged[index], offset);
        },
        /*wake=*/stalled);
  }

  // Processes that the waits of an owner wait for: given back whatever becomes of the wait.
  class Awaited {
   public:
    Awaited(Impl* impl, std::string owner, size_t count)
        : impl_(impl), owner_(std::move(owner)), count_(count) {
      impl_->awaited[owner_] += count_;
    }
    ~Awaited() {
      if ((impl_->awaited[owner_] -= count_) == 0) impl_->awaited.erase(owner_);
    }
    Awaited(const Awaited&) = delete;
    Awaited& operator=(const Awaited&) = delete;

   private:
    Impl* const impl_;
    const std::string owner_;
    const size_t count_;
  };

  WaitId AddWait(const Permit& permit, HeldProcesses processes, Until until, bool any,
                 absl::Duration timeout, WaitCallback done) {
    const std::string& owner = permit.owner();
    const size_t limit = core.options.quotas.awaited_processes;
    const auto known = awaited.find(owner);
    const size_t has = known == awaited.end() ? 0 : known->second;
    if (has + processes.size() > limit) {
      done(QuotaExceeded(owner, "processes in its waits", static_cast<int64_t>(has),
                         static_cast<int64_t>(limit)),
           false);
      return 0;
    }
    auto counted = std::make_unique<Awaited>(this, owner, processes.size());
    return core.waits.Add(permit.caller(), std::move(processes), until, any, timeout,
                          [counted = std::move(counted), done = std::move(done)](
                              const SharedProcesses& waited_for, bool timed_out) mutable {
                            done(waited_for, timed_out);
                          });
  }

  void OnInputMoved(ProcessEntry* process) override { inputs.OnMoved(process); }

  void OnTreeEmpty(ProcessEntry* process) override {
    sessions.OnTreeEmpty(*process);
    if (!process->spec->beside.empty()) reader.OnBesideOver(*process);
  }

  void OnOver(ProcessEntry* process) override {
    core.table.ReleaseName(*process);
    core.table.usage().Leave(*process);
    terminator.OnOver(*process);
    limits.OnOver(*process);
    inputs.OnOver(process);
    offers.OnOver(*process);
    templates.OnOver(*process);
    sessions.OnProcessOver(*process);
    ForgetEnvironment(process);
    if (!process->spec->beside.empty()) reader.OnBesideOver(*process);
    retention.OnOver(process);
  }

  void OnUndone(const ProcessEntry& process) override {
    inputs.OnGone(process.id);
    retention.Drop(process);
  }

  // The values of its environment go with the last process of its request that has the same: nothing
  // is started from them any more.
  void ForgetEnvironment(ProcessEntry* ended) {
    const std::shared_ptr<const Spec> spec = ended->spec;
    const auto needs_it = [&](const ProcessEntry& process) {
      return process.spec == spec && !process.IsTreeOver();
    };
    if (core.table.HasOfRequest(ended->owner, ended->request_id, needs_it)) return;
    const std::shared_ptr<const Spec> names = WithoutEnvValues(*spec);
    if (names == nullptr) return;
    ended->spec = names;
    for (ProcessEntry* process : core.table.OfRequest(ended->owner, ended->request_id)) {
      if (process->spec == spec) process->spec = names;
    }
    core.ledger.SaveSpec(*ended);
  }

  const Ports ports;
  absl::flat_hash_map<std::string, size_t> awaited;  // by owner; outlives the waits of `core`
  Core core;
  SessionTable session_table;
  Terminator terminator;
  Offers offers;
  Launcher launcher;
  StartQueue queue;
  agent::Templates templates;
  Forks forks;
  RecordReader reader;
  Retention retention;
  agent::Sessions sessions;
  Takeovers takeovers;
  Admission admission;
  SignalSender signals;
  Inputs inputs;
  LimitWatch limits;
  Updater updater;
  TemplateRequests template_requests;
  std::string agent_id;
};

Supervisor::Supervisor(SupervisorOptions options, const Ports& ports)
    : impl_(std::make_unique<Impl>(std::move(options), ports)) {}

Supervisor::~Supervisor() = default;

absl::Status Supervisor::Recover() {
  absl::StatusOr<Store::Content> content = impl_->ports.store->Load();
  if (!content.ok()) return content.status();
  impl_->agent_id = content->agent_id;
  Recovery(&impl_->core, impl_->ports, &impl_->reader, &impl_->sessions, &impl_->terminator)
      .Run(*std::move(content));
  for (const auto& [id, process] : impl_->core.table.entries()) impl_->limits.Watch(*process);
  impl_->templates.Restore();
  impl_->core.ledger.FinishTurn();
  return absl::OkStatus();
}

std::vector<std::string> Supervisor::unmanaged() const {
  std::vector<std::string> lines;
  for (const auto& [id, process] : impl_->core.table.entries()) {
    const absl::Status managed = CheckManaged(impl_->core, *process);
    if (!managed.ok()) lines.emplace_back(managed.message());
  }
  return lines;
}

void Supervisor::FinishTurn() { impl_->core.ledger.FinishTurn(); }

void Supervisor::Spawn(SpawnCommand command, SpawnCallback done) {
  impl_->admission.Spawn(std::move(command), std::move(done));
}

void Supervisor::Signal(SignalCommand command, OutcomesCallback done) {
  impl_->signals.Signal(std::move(command), std::move(done));
}

void Supervisor::Terminate(TerminateCommand command, OutcomesCallback done) {
  impl_->terminator.Terminate(std::move(command), std::move(done));
}

void Supervisor::Update(UpdateCommand command, OutcomesCallback done) {
  impl_->updater.Update(std::move(command), std::move(done));
}

void Supervisor::Delete(DeleteCommand command, OutcomesCallback done) {
  impl_->retention.Delete(std::move(command), std::move(done));
}

void Supervisor::Select(const Permit& permit, const Selector& selector, IsWanted is_wanted,
                        SelectCallback done) {
  impl_->core.selecting.Run(
      permit.caller(), selector, std::move(is_wanted),
      [done = std::move(done)](absl::StatusOr<std::vector<ProcessEntry*>> selected) mutable {
        if (!selected.ok()) return done(selected.status());
        done(std::vector<const ProcessEntry*>(selected->begin(), selected->end()));
      });
}

const ProcessEntry* Supervisor::Find(const Permit& /*permit*/, absl::string_view id) const {
  return impl_->core.table.Find(id);
}

std::vector<const ProcessEntry*> Supervisor::OfRequest(const Permit& permit,
                                                       const std::string& request_id) const {
  const std::vector<ProcessEntry*> found = impl_->core.table.OfRequest(permit.owner(), request_id);
  return {found.begin(), found.end()};
}

void Supervisor::ForEachFrom(const Permit& /*permit*/, const std::string& after_id,
                             absl::FunctionRef<bool(const ProcessEntry&)> visit) const {
  const ProcessTable::Entries& entries = impl_->core.table.entries();
  for (auto it = entries.upper_bound(after_id); it != entries.end(); ++it) {
    if (!visit(*it->second)) return;
  }
}

void Supervisor::Wait(const Permit& permit, const Selector& selector, Until until, bool any,
                      absl::Duration timeout, std::shared_ptr<WaitTicket> ticket,
                      WaitCallback done) {
  impl_->core.selecting.Hold(
      permit.caller(), selector, [ticket] { return !ticket->is_cancelled; },
      [this, permit, until, any, timeout, ticket,
       done = std::move(done)](absl::StatusOr<HeldProcesses> selected) mutable {
        if (!selected.ok()) return done(selected.status(), false);
        ticket->id =
            impl_->AddWait(permit, *std::move(selected), until, any, timeout, std::move(done));
      });
}

void Supervisor::CancelWait(WaitTicket* ticket) {
  ticket->is_cancelled = true;
  impl_->core.waits.Cancel(ticket->id);
}

absl::StatusOr<Changes> Supervisor::ChangesSince(const Permit& /*permit*/, int64_t revision) const {
  absl::StatusOr<std::vector<EventRing::Event>> events = impl_->core.ledger.ring().Since(revision);
  if (!events.ok()) return events.status();
  Changes changes;
  for (const EventRing::Event& event : *events) {
    const ProcessEntry* process = event.deleted ? nullptr : impl_->core.table.Find(event.id);
    if (process != nullptr) {
      changes.upserts.push_back(process);
    } else if (event.deleted) {
      changes.deleted.emplace_back(event.id, event.revision);
    }
  }
  return changes;
}

int64_t Supervisor::revision() const { return impl_->core.ledger.ring().revision(); }
Observers& Supervisor::observers(const Permit& /*permit*/) { return impl_->core.observers; }

absl::Status Supervisor::Acknowledge(const Permit& permit,
                                     const std::vector<Acknowledgement>& positions) {
  for (const Acknowledgement& position : positions) {
    const ProcessEntry* process = impl_->core.table.Find(position.id);
    if (process == nullptr) continue;
    SHOAL_RETURN_IF_ERROR(
        Authorize(permit.caller(), Verb::kAcknowledgeOutput, Target::Process(*process)).status());
  }
  for (const Acknowledgement& position : positions) impl_->Acknowledge(position);
  return absl::OkStatus();
}

void Supervisor::WriteInput(WriteInputCommand command, std::shared_ptr<InputTicket> ticket,
                            InputCallback done) {
  impl_->inputs.Write(std::move(command), std::move(ticket), std::move(done));
}

absl::StatusOr<const ProcessEntry*> Supervisor::ResizeTerminal(const ResizeCommand& command) {
  return impl_->inputs.Resize(command);
}

void Supervisor::CancelInput(InputTicket* ticket) { impl_->inputs.Cancel(ticket); }

void Supervisor::OpenSession(OpenSessionCommand command, OpenCallback done) {
  impl_->sessions.Open(std::move(command), std::move(done));
}

absl::StatusOr<absl::Duration> Supervisor::KeepAlive(const Permit& permit,
                                                     const std::string& session_id,
                                                     const std::string& token) {
  return impl_->sessions.KeepAlive(permit, session_id, token);
}

void Supervisor::TakeOverSession(TakeoverCommand command, OpenCallback done) {
  impl_->takeovers.TakeOver(std::move(command), std::move(done));
}

void Supervisor::CloseSession(CloseSessionCommand command, CloseCallback done) {
  impl_->sessions.Close(command, std::move(done));
}

std::vector<const SessionEntry*> Supervisor::Sessions(const Permit& /*permit*/) const {
  return impl_->session_table.Living();
}

void Supervisor::ForEachSessionFrom(const Permit& /*permit*/, const std::string& after_id,
                                    absl::FunctionRef<bool(const SessionEntry&)> visit) const {
  impl_->session_table.ForEachLivingFrom(after_id, visit);
}

bool Supervisor::IsSessionOpen(const Permit& /*permit*/, const std::string& id) const {
  const SessionEntry* session = impl_->session_table.Find(id);
  return session != nullptr && !session->over;
}

int Supervisor::open_sessions() const { return impl_->session_table.living(); }

const SessionEntry* Supervisor::FindSession(const Permit& /*permit*/, const std::string& id) const {
  return impl_->session_table.Find(id);
}

int Supervisor::LiveProcessesOf(const std::string& session_id) const {
  return impl_->sessions.LiveProcessesOf(session_id);
}

int Supervisor::live_processes() const {
  int living = 0;
  for (const auto& [id, process] : impl_->core.table.entries()) {
    living += !process->IsTreeOver() && !process->template_facts;
  }
  return living;
}

void Supervisor::CreateTemplate(CreateTemplateCommand command, CreateCallback done) {
  impl_->template_requests.Create(std::move(command), std::move(done));
}

std::vector<const ProcessEntry*> Supervisor::Templates(const Permit& /*permit*/) const {
  return impl_->templates.Living();
}

std::string Supervisor::LeaveTemplates(bool end) { return impl_->templates.Leave(end); }

void Supervisor::DeleteTemplates(DeleteTemplatesCommand command, OutcomesCallback done) {
  impl_->template_requests.Delete(std::move(command), std::move(done));
}

bool Supervisor::OffersForks(const ProcessEntry& process) const {
  return impl_->offers.Of(process.id).has_value();
}

const std::string& Supervisor::agent_id() const { return impl_->agent_id; }
const std::string& Supervisor::boot_id() const { return impl_->core.options.boot_id; }

}  // namespace shoal::agent
