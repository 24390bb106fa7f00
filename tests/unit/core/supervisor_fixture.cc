#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

std::shared_ptr<Spec> SpecNamed(const std::string& name, Lifetime lifetime) {
  auto spec = std::make_shared<Spec>();
  spec->argv = {"/bin/program", "argument"};
  spec->cwd = "/";
  spec->name = name;
  spec->lifetime = lifetime;
  return spec;
}

OutcomesCallback Into(std::shared_ptr<BulkReply> reply) {
  return [reply = std::move(reply)](absl::StatusOr<std::vector<Outcome>> outcomes) {
    ++reply->calls;
    reply->status = outcomes.status();
    if (!outcomes.ok()) return;
    for (const Outcome& outcome : *outcomes) {
      reply->outcomes.emplace_back(outcome.process == nullptr ? "" : outcome.process->id,
                                   outcome.status);
    }
  };
}

}  // namespace

std::shared_ptr<SpawnReply> World::Spawn(SpawnCommand command) {
  auto reply = std::make_shared<SpawnReply>();
  supervisor->Spawn(std::move(command),
                    [reply](const std::vector<SpawnOutcome>& outcomes, bool replayed) {
                      ++reply->calls;
                      reply->replayed = replayed;
                      for (const SpawnOutcome& outcome : outcomes) {
                        reply->statuses.push_back(outcome.status);
                        reply->ids.push_back(outcome.process == nullptr ? "" : outcome.process->id);
                      }
                    });
  return reply;
}

std::shared_ptr<BulkReply> World::Terminate(TerminateCommand command) {
  auto reply = std::make_shared<BulkReply>();
  supervisor->Terminate(std::move(command), Into(reply));
  Turn();
  return reply;
}

std::shared_ptr<BulkReply> World::Update(UpdateCommand command) {
  auto reply = std::make_shared<BulkReply>();
  if (command.request_id.empty()) command.request_id = NextRequestId();
  supervisor->Update(std::move(command), Into(reply));
  Turn();
  return reply;
}

std::shared_ptr<BulkReply> World::Delete(const Selector& selector, const std::string& request_id) {
  auto reply = std::make_shared<BulkReply>();
  DeleteCommand command{{PermitOf()}};
  command.request_id = request_id.empty() ? NextRequestId() : request_id;
  command.selector = selector;
  supervisor->Delete(std::move(command), Into(reply));
  Turn();
  return reply;
}

std::shared_ptr<BulkReply> World::Signal(const Selector& selector, int signal,
                                         const std::string& request_id) {
  auto reply = std::make_shared<BulkReply>();
  SignalCommand command{{PermitOf()}};
  command.request_id = request_id.empty() ? NextRequestId() : request_id;
  command.selector = selector;
  command.signal = signal;
  supervisor->Signal(std::move(command), Into(reply));
  Turn();
  return reply;
}

std::shared_ptr<WaitReply> World::Wait(const Selector& selector, Until until, bool any,
                                       absl::Duration timeout) {
  auto reply = std::make_shared<WaitReply>();
  supervisor->Wait(PermitOf(), selector, until, any, timeout, std::make_shared<WaitTicket>(),
                   [reply](absl::StatusOr<SharedProcesses> processes, bool timed_out) {
                     ++reply->calls;
                     reply->status = processes.status();
                     reply->timed_out = timed_out;
                     if (!processes.ok()) return;
                     for (const std::shared_ptr<ProcessEntry>& process : **processes) {
                       if (!process->is_removed) reply->ids.push_back(process->id);
                     }
                   });
  Turn();
  return reply;
}

std::shared_ptr<InputReply> World::WriteInput(WriteInputCommand command,
                                              std::shared_ptr<InputTicket> ticket) {
  auto reply = std::make_shared<InputReply>();
  if (ticket == nullptr) ticket = std::make_shared<InputTicket>();
  supervisor->WriteInput(std::move(command), std::move(ticket),
                         [reply](absl::StatusOr<InputAnswer> answer) {
                           ++reply->calls;
                           reply->status = answer.status();
                           if (!answer.ok()) return;
                           reply->input = answer->process->input;
                           reply->timed_out = answer->timed_out;
                         });
  Turn();
  return reply;
}

absl::StatusOr<std::vector<const ProcessEntry*>> World::Select(const Selector& selector) {
  absl::StatusOr<std::vector<const ProcessEntry*>> found = absl::UnknownError("not called back");
  supervisor->Select(PermitOf(), selector, nullptr,
                     [&found](absl::StatusOr<std::vector<const ProcessEntry*>> selected) {
                       found = std::move(selected);
                     });
  return found;
}

SessionEntry World::OpenSession(absl::Duration ttl, const std::string& request_id) {
  SessionEntry opened;
  supervisor->OpenSession(Opening(request_id, ttl),
                          [&](absl::StatusOr<const SessionEntry*> session) {
                            ASSERT_TRUE(session.ok()) << session.status();
                            opened = **session;
                          });
  Turn();
  return opened;
}

std::string World::Run(SpawnCommand command) {
  auto reply = Spawn(std::move(command));
  Turn();
  shims.StartAll();
  Turn();
  EXPECT_EQ(reply->calls, 1);
  EXPECT_TRUE(reply->statuses.at(0).ok()) << reply->statuses.at(0);
  return reply->ids.at(0);
}

const ProcessEntry& World::Get(const std::string& id) const {
  static const ProcessEntry kNone;
  const ProcessEntry* process = supervisor->Find(PermitOf(), id);
  EXPECT_NE(process, nullptr) << id << " is not known";
  return process == nullptr ? kNone : *process;
}

OpenSessionCommand Opening(const std::string& request_id, absl::Duration ttl) {
  OpenSessionCommand command{{PermitOf()}};
  command.request_id = request_id;
  command.name = "test";
  command.ttl = ttl;
  return command;
}

SpawnCommand Detached(const std::string& name, const std::string& request_id) {
  SpawnCommand command{{PermitOf()}};
  command.request_id = request_id;
  command.fingerprint = "fingerprint of " + name;
  command.items.push_back({.spec = SpecNamed(name, Lifetime::kDetached), .rank = {}, .ranks = {}});
  return command;
}

SpawnCommand InSession(const SessionEntry& session, const std::string& name,
                       const std::string& request_id) {
  SpawnCommand command = Detached(name, request_id);
  command.session_id = session.id;
  command.items[0].spec = SpecNamed(name, Lifetime::kSession);
  return command;
}

SpawnCommand Ranks(const std::string& name, int count, const std::string& request_id) {
  SpawnCommand command = Detached(name, request_id);
  std::shared_ptr<const Spec> spec = command.items[0].spec;
  command.items.clear();
  for (int i = 0; i < count; ++i) {
    command.items.push_back(
        {.spec = spec, .rank = i, .ranks = std::make_shared<RankSet>(RankSet{.count = count})});
  }
  return command;
}

TerminateCommand EndOf(Selector selector) {
  TerminateCommand command{PermitOf()};
  command.selector = std::move(selector);
  return command;
}

Selector Term(const std::string& term) {
  Selector selector;
  selector.terms = {term};
  return selector;
}

Selector All() {
  Selector selector;
  selector.all = true;
  return selector;
}

}  // namespace shoal::agent
