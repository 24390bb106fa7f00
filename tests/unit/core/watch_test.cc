// Waits, the ring of events, updates, deletion and retention.
#include <map>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class WatchTest : public SupervisorTest {
 protected:
  std::string RunNamed(const std::string& name) {
    return world_.Run(Detached(name, "request of " + name));
  }
  void End(const std::string& id) {
    world_.shims.End(id, 0);
    world_.Turn();
  }
  // One that has lost its shim, and of whose tree two live.
  std::string RunLeaked(const std::string& name) {
    std::string id = RunNamed(name);
    world_.shims.orphans[id] = {411, 412};
    world_.shims.Die(id);
    world_.Turn();
    world_.shims.FinishLostTree(id, absl::FailedPreconditionError("no cgroup"));
    world_.Turn();
    return id;
  }
};

struct Observer : ProcessObserver {
  void OnChanged(const ProcessEntry& process) override { changed.push_back(process.id); }
  void OnDeleted(const std::string& id, int64_t) override { deleted.push_back(id); }
  void OnOutput(const ProcessEntry& process) override { moved.push_back(process.id); }
  void OnSessionOver(const std::string& id) override { sessions.push_back(id); }
  void OnTurnEnd() override { ++turns; }
  std::vector<std::string> changed, deleted, moved, sessions;
  int turns = 0;
};

TEST_F(WatchTest, ThatAProcessIsStartingIsToldOnlyIfItTakesAWhile) {
  Observer observer;
  world_.supervisor->observers(PermitOf()).Follow(&observer, All());
  auto quick = world_.Spawn(Detached("quick", "request of quick"));
  auto slow = world_.Spawn(Detached("slow", "request of slow"));
  world_.Turn();
  const std::string a = world_.shims.starts().at(0).id;
  const std::string b = world_.shims.starts().at(1).id;
  EXPECT_THAT(observer.changed, UnorderedElementsAre(a, b)) << "as intents";
  observer.changed.clear();
  world_.shims.Started(a);
  world_.Turn();
  EXPECT_THAT(observer.changed, ElementsAre(a));
  EXPECT_EQ(world_.Get(b).state, State::kStarting);
  observer.changed.clear();
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_THAT(observer.changed, ElementsAre(b)) << "once";
  world_.supervisor->observers(PermitOf()).Remove(&observer);
}

TEST_F(WatchTest, AWaitForAllComesWithTheLastOne) {
  std::string a = RunNamed("a"), b = RunNamed("b");
  auto all = world_.Wait(All(), Until::kExited);
  auto any = world_.Wait(All(), Until::kExited, /*any=*/true);
  world_.shims.Exited(a, 0);
  world_.Turn();
  EXPECT_EQ(any->calls, 1);
  EXPECT_EQ(all->calls, 0);
  world_.shims.Exited(b, 0);
  world_.Turn();
  EXPECT_EQ(any->calls, 1);
  ASSERT_EQ(all->calls, 1);
  EXPECT_THAT(all->ids, UnorderedElementsAre(a, b));
  EXPECT_FALSE(all->timed_out);
}

TEST_F(WatchTest, EachUntilWaitsForItsOwnEvent) {
  std::string id = RunNamed("a");
  auto exited = world_.Wait(Term(id), Until::kExited);
  auto complete = world_.Wait(Term(id), Until::kOutputComplete);
  auto empty = world_.Wait(Term(id), Until::kEmpty);
  auto calls = [&] { return std::vector<int>{exited->calls, complete->calls, empty->calls}; };
  EXPECT_THAT(calls(), ElementsAre(0, 0, 0));
  world_.shims.Exited(id, 0);
  world_.Turn();
  EXPECT_THAT(calls(), ElementsAre(1, 0, 0));
  world_.shims.OutputComplete(id);
  world_.Turn();
  EXPECT_THAT(calls(), ElementsAre(1, 1, 0));
  world_.shims.Empty(id);
  world_.Turn();
  EXPECT_THAT(calls(), ElementsAre(1, 1, 1));
}

TEST_F(WatchTest, AWaitForWhatHasHappenedReturnsAtOnce) {
  std::string id = RunNamed("a");
  End(id);
  auto reply = world_.Wait(Term("a"), Until::kEmpty);
  EXPECT_EQ(reply->calls, 1);
  EXPECT_THAT(reply->ids, ElementsAre(id));
}

TEST_F(WatchTest, AWaitTimesOutOnce) {
  std::string id = RunNamed("a");
  auto reply = world_.Wait(Term("a"), Until::kExited, false, absl::Seconds(3));
  world_.scheduler.Advance(absl::Seconds(3));
  ASSERT_EQ(reply->calls, 1);
  EXPECT_TRUE(reply->timed_out);
  End(id);
  EXPECT_EQ(reply->calls, 1);
}

TEST_F(WatchTest, ACancelledWaitNeverCallsBack) {
  std::string id = RunNamed("a");
  int calls = 0;
  auto ticket = std::make_shared<WaitTicket>();
  world_.supervisor->Wait(PermitOf(), Term("a"), Until::kExited, false, absl::Seconds(3), ticket,
                          [&](absl::StatusOr<SharedProcesses>, bool) { ++calls; });
  world_.supervisor->CancelWait(ticket.get());
  End(id);
  world_.scheduler.Advance(absl::Seconds(5));
  EXPECT_EQ(calls, 0);
}

TEST_F(WatchTest, AWaitForADeletedProcessReturns) {
  std::string a = RunNamed("a"), b = RunNamed("b");
  End(a);
  auto reply = world_.Wait(All(), Until::kEmpty);
  world_.Delete(Term(a));
  End(b);
  ASSERT_EQ(reply->calls, 1);
  EXPECT_THAT(reply->ids, ElementsAre(b));
}

TEST_F(WatchTest, WaitingForNobodyIsNotFound) {
  EXPECT_EQ(world_.Wait(Term("nobody"), Until::kExited)->status.code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(world_.Wait(Selector{}, Until::kExited)->status.code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(WatchTest, ChangesSinceARevisionAreTheNewestOfEach) {
  std::string a = RunNamed("a");
  int64_t revision = world_.supervisor->revision();
  std::string b = RunNamed("b");
  End(a);
  auto changes = world_.supervisor->ChangesSince(PermitOf(), revision);
  ASSERT_TRUE(changes.ok());
  std::map<std::string, State> states;
  for (const ProcessEntry* process : changes->upserts) states[process->id] = process->state;
  EXPECT_THAT(states, UnorderedElementsAre(Pair(a, State::kExited), Pair(b, State::kRunning)));
  EXPECT_THAT(changes->upserts, SizeIs(2));
  revision = world_.supervisor->revision();
  world_.Delete(Term(a));
  changes = world_.supervisor->ChangesSince(PermitOf(), revision);
  EXPECT_THAT(changes->upserts, IsEmpty());
  EXPECT_THAT(changes->deleted, ElementsAre(Pair(a, revision + 1)));
}

TEST_F(WatchTest, ARevisionThatIsNotKeptIsOutOfRange) {
  std::string id = RunNamed("a");
  int64_t revision = world_.supervisor->revision();
  EXPECT_EQ(world_.supervisor->ChangesSince(PermitOf(), revision + 1).status().code(),
            absl::StatusCode::kOutOfRange);
  for (int i = 0; i < 17'000; ++i) {
    UpdateCommand command{{PermitOf()}};
    command.selector = Term(id);
    command.set_labels = {{"n", absl::StrCat(i)}};
    world_.Update(command);
  }
  absl::Status gone = world_.supervisor->ChangesSince(PermitOf(), revision).status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(gone.message(), HasSubstr("the oldest is"));
  EXPECT_TRUE(
      world_.supervisor->ChangesSince(PermitOf(), world_.supervisor->revision() - 100).ok());
}

TEST_F(WatchTest, AfterARestartWatchersMustListAgain) {
  RunNamed("a");
  int64_t revision = world_.supervisor->revision();
  world_.Restart();
  EXPECT_EQ(world_.supervisor->ChangesSince(PermitOf(), revision).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST_F(WatchTest, ObserversSeeEveryChangeAfterItsCommit) {
  Observer observer;
  Observers& observers = world_.supervisor->observers(PermitOf());
  observers.Follow(&observer, All());
  auto reply = world_.Spawn(Detached("a"));
  EXPECT_THAT(observer.changed, IsEmpty());
  world_.Turn();
  EXPECT_THAT(observer.changed, ::testing::Not(IsEmpty()));
  world_.shims.StartAll();
  world_.Turn();
  std::string id = reply->ids.at(0);
  observers.FollowProcess(&observer, id);
  world_.shims.Write(id, 0, 10);
  world_.Turn();
  EXPECT_THAT(observer.moved, ElementsAre(id));
  End(id);
  world_.Delete(Term(id));
  EXPECT_THAT(observer.deleted, ElementsAre(id));
  observers.Remove(&observer);
}

TEST_F(WatchTest, AnExitReachesItsObserverInItsOwnTurnWithOneEnd) {
  std::string id = RunNamed("a");
  Observer observer;
  world_.supervisor->observers(PermitOf()).FollowProcess(&observer, id);
  auto wait = world_.Wait(Term(id), Until::kExited);
  world_.shims.Write(id, 0, 10);
  world_.shims.Exited(id, 0);
  world_.supervisor->FinishTurn();
  EXPECT_THAT(observer.changed, ElementsAre(id));
  EXPECT_THAT(observer.moved, IsEmpty()) << "what changed has its output positions with it";
  EXPECT_EQ(observer.turns, 1);
  EXPECT_EQ(wait->calls, 1);
  world_.supervisor->FinishTurn();
  EXPECT_EQ(observer.turns, 1);
  world_.supervisor->observers(PermitOf()).Remove(&observer);
}

TEST_F(WatchTest, TheEndOfASessionReachesItsObserver) {
  SessionEntry session = world_.OpenSession();
  Observer observer, of_another;
  Selector selector;
  selector.session_id = session.id;
  world_.supervisor->observers(PermitOf()).Follow(&observer, selector);
  selector.session_id = "another";
  world_.supervisor->observers(PermitOf()).Follow(&of_another, selector);
  world_.supervisor->CloseSession({PermitOf(), session.id, session.token, /*forget=*/true, {}, {}},
                                  [](absl::StatusOr<SessionEnd>) {});
  world_.Turn();
  EXPECT_THAT(observer.sessions, ElementsAre(session.id));
  EXPECT_EQ(observer.turns, 1);
  EXPECT_THAT(of_another.sessions, IsEmpty());
  world_.supervisor->observers(PermitOf()).Remove(&observer);
  world_.supervisor->observers(PermitOf()).Remove(&of_another);
}

TEST_F(WatchTest, UpdateChangesLabelsAndTheDeadline) {
  std::string id = RunNamed("a");
  UpdateCommand command{{PermitOf()}};
  command.selector = Term("a");
  command.set_labels = {{"x", "1"}, {"y", "2"}};
  command.time_limit = absl::Seconds(30);
  EXPECT_TRUE(world_.Update(command)->outcomes[0].second.ok());
  EXPECT_EQ(world_.shims.SlotOf(id).agent.time_limit_ns,
            absl::ToInt64Nanoseconds(world_.clock.BootTime() + absl::Seconds(30)));
  EXPECT_EQ(world_.shims.SlotOf(id).agent.limit_from_exec_ns, 0);
  EXPECT_EQ(world_.shims.SlotOf(id).wakes, 1);
  command.set_labels.clear();
  command.remove_labels = {"x"};
  command.time_limit = absl::ZeroDuration();
  world_.Update(command);
  EXPECT_EQ(world_.shims.SlotOf(id).agent.time_limit_ns, 0);
  EXPECT_THAT(world_.Get(id).labels, ElementsAre(Pair("y", "2")));
  world_.Restart();
  EXPECT_THAT(world_.Get(id).labels, ElementsAre(Pair("y", "2")));
}

TEST_F(WatchTest, ADeadlineForWhatHasEndedIsRefused) {
  std::string id = RunNamed("a");
  End(id);
  UpdateCommand command{{PermitOf()}};
  command.selector = Term(id);
  command.time_limit = absl::Seconds(1);
  EXPECT_EQ(world_.Update(command)->outcomes[0].second.code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(WatchTest, DeleteForgetsWhatIsOverOnly) {
  std::string running = RunNamed("a"), ended = RunNamed("b"), silent = RunNamed("c");
  world_.shims.Write(ended, record::kStderr, 5);
  End(ended);
  End(silent);
  auto reply = world_.Delete(All());
  std::map<std::string, absl::Status> outcomes(reply->outcomes.begin(), reply->outcomes.end());
  EXPECT_TRUE(outcomes[ended].ok());
  EXPECT_EQ(outcomes[running].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(outcomes[running].message(), HasSubstr("still runs"));
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), ended), nullptr);
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), silent), nullptr);
  EXPECT_THAT(world_.output.removed, ElementsAre(ended)) << "the other has written nothing";
  EXPECT_THAT(world_.store.processes(), SizeIs(1));
}

TEST_F(WatchTest, WhatIsKnownToLiveOfALostTreeIsNotForgottenOnRequest) {
  const std::string id = RunLeaked("web");
  const auto kept = world_.Delete(Term(id));
  EXPECT_EQ(kept->outcomes[0].second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(kept->outcomes[0].second.message(),
              AllOf(HasSubstr("web"), HasSubstr("still live: PID 411 (daemon), PID 412 (daemon)"),
                    HasSubstr("end them on their host by kill")));
  EXPECT_NE(world_.supervisor->Find(PermitOf(), id), nullptr);
  world_.shims.orphans.clear();
  EXPECT_TRUE(world_.Delete(Term(id))->outcomes[0].second.ok()) << "they have ended";
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), id), nullptr);
}

TEST_F(WatchTest, WhatIsKnownToLiveOfALostTreeOutlivesItsRetention) {
  const std::string leaked = RunLeaked("web");
  const std::string old = RunNamed("old");
  End(old);
  world_.scheduler.Advance(absl::Hours(25));
  world_.scheduler.Advance(absl::Hours(1));
  EXPECT_NE(world_.supervisor->Find(PermitOf(), leaked), nullptr);
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), old), nullptr) << "holds up no other";
  world_.shims.orphans.clear();
  world_.scheduler.Advance(absl::Hours(2));
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), leaked), nullptr);
}

TEST_F(WatchTest, RetentionByCountForgetsTheOldest) {
  world_.options.retention_count = 3;
  world_.Restart();
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(RunNamed(absl::StrCat("p", i)));
    End(ids.back());
    world_.scheduler.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), ids[0]), nullptr);
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), ids[1]), nullptr);
  EXPECT_NE(world_.supervisor->Find(PermitOf(), ids[2]), nullptr);
  EXPECT_THAT(world_.store.processes(), SizeIs(3));
}

TEST_F(WatchTest, RetentionDeletesNothingUnderATerminateThatSelectedIt) {
  world_.options.retention_count = 1;
  world_.Restart();
  std::string old = RunNamed("old");
  End(old);
  world_.clock.Advance(absl::Seconds(1));  // the oldest is the one that ended first
  for (int i = 0; i < 20; ++i) world_.Spawn(Detached(absl::StrCat("p", i), absl::StrCat("r", i)));
  // Before their commit: all pending, so each is over at once and pushes the oldest out.
  auto reply = world_.Terminate(EndOf(All()));
  EXPECT_EQ(reply->calls, 1);
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), old), nullptr);
  EXPECT_EQ(world_.supervisor->live_processes(), 0);
}

TEST_F(WatchTest, RetentionByAgeForgetsWhatIsOldAlsoAfterARestart) {
  std::string running = RunNamed("a"), old = RunNamed("b");
  End(old);
  world_.scheduler.Advance(absl::Hours(23));
  EXPECT_NE(world_.supervisor->Find(PermitOf(), old), nullptr);
  world_.Restart();
  world_.scheduler.Advance(absl::Hours(2));
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), old), nullptr);
  EXPECT_NE(world_.supervisor->Find(PermitOf(), running), nullptr);
}

TEST_F(WatchTest, AcknowledgedBytesAreToldAndNeverBeyondTheEnd) {
  std::string id = RunNamed("a");
  const auto acknowledge = [this](const std::string& of, int stream, int64_t offset) {
    EXPECT_TRUE(world_.supervisor->Acknowledge(PermitOf(), {{of, stream, offset}}).ok());
  };
  world_.shims.Write(id, 0, 100);
  world_.Turn();
  acknowledge(id, 0, 60);
  EXPECT_EQ(world_.shims.SlotOf(id).agent.acknowledged[0], 60);
  acknowledge(id, 0, 40);
  EXPECT_EQ(world_.shims.SlotOf(id).agent.acknowledged[0], 60);
  acknowledge(id, 0, 1000);
  EXPECT_EQ(world_.shims.SlotOf(id).agent.acknowledged[0], 100);
  EXPECT_EQ(world_.shims.SlotOf(id).wakes, 0);
  world_.shims.Set(id, record::kOutputStalled);
  world_.Turn();
  int wakes = world_.shims.SlotOf(id).wakes;
  acknowledge(id, 0, 100);
  EXPECT_EQ(world_.shims.SlotOf(id).wakes, wakes + 1);
  acknowledge("unknown", 0, 1);
  acknowledge(id, 7, 1);
}

TEST_F(WatchTest, ATermMeansTheLiveHolderElseTheLatestElseAnIdPrefix) {
  std::string first = world_.Run(Detached("web", "r1"));
  End(first);
  world_.clock.Advance(absl::Seconds(1));
  std::string second = world_.Run(Detached("web", "r2"));
  auto only = [&](const std::string& term) {
    auto selected = world_.Select(Term(term));
    EXPECT_TRUE(selected.ok()) << selected.status();
    return selected.ok() && selected->size() == 1 ? (*selected)[0]->id : "";
  };
  EXPECT_EQ(only("web"), second);
  End(second);
  EXPECT_EQ(only("web"), second);
  EXPECT_EQ(only(first.substr(0, 8)), first);
  EXPECT_THAT(*world_.Select(Term("w*")), SizeIs(2));
  EXPECT_EQ(world_.Select(Term(first.substr(0, 3))).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace shoal::agent
