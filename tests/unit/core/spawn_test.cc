// Spawn: from a request to running processes, never twice.
#include <cerrno>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using SpawnTest = SupervisorTest;

TEST_F(SpawnTest, NoShimStartsAndNoReplyLeavesBeforeTheCommit) {
  auto reply = world_.Spawn(Detached("web"));
  EXPECT_THAT(world_.shims.starts(), IsEmpty());
  world_.Turn();
  ASSERT_THAT(world_.shims.starts(), SizeIs(1));
  EXPECT_THAT(world_.store.processes(), SizeIs(1));
  EXPECT_EQ(reply->calls, 0) << "execve has not returned yet";
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_TRUE(reply->statuses[0].ok());
  EXPECT_FALSE(reply->replayed);
  const ProcessEntry& process = world_.Get(reply->ids[0]);
  EXPECT_EQ(process.state, State::kRunning);
  EXPECT_EQ(process.name, "web");
  EXPECT_EQ(process.pid, 1001);
  EXPECT_EQ(process.start_ticks, 77u);
}

TEST_F(SpawnTest, TheShimGetsTheWholeEnvironmentAndDesiredState) {
  SpawnCommand command = Detached("web");
  auto spec = std::make_shared<Spec>(*command.items[0].spec);
  spec->env = {"PATH=/own", "X=1", "X=2"};
  spec->time_limit = absl::Seconds(9);
  spec->merge_stderr = true;
  spec->drop_oldest = true;
  spec->cap_bytes = 1 << 20;
  command.items = {{.spec = spec, .rank = 3, .ranks = std::make_shared<RankSet>()}};
  std::string id = world_.Run(command);
  const ShimStart& start = world_.shims.starts()[0];
  EXPECT_THAT(EnvOf(start),
              ElementsAre("PATH=/own", "HOME=/root", "X=2", "SHOAL_RANK=3", "SHOAL_WORLD_SIZE=0",
                          "SHOAL_LOCAL_RANK=3", "SHOAL_LOCAL_SIZE=0", "SHOAL_HOST_RANK=0",
                          "SHOAL_JOB_HOSTS=", "SHOAL_NAME=web.3", "SHOAL_ID=" + id));
  EXPECT_THAT(start.argv, ElementsAre("/bin/program", "argument"));
  EXPECT_EQ(start.cwd, "/");
  EXPECT_EQ(start.desired.flags, record::kMergeStderr | record::kDropOldest);
  EXPECT_EQ(start.desired.limit_from_exec_ns, 9'000'000'000);
  EXPECT_EQ(start.desired.grace_ns, 5'000'000'000);
  EXPECT_EQ(start.desired.cap_bytes, 1 << 20);
  EXPECT_EQ(start.desired.segment_bytes, 1 << 18);
  EXPECT_EQ(start.desired.dead_man_ns, 0) << "DETACHED has no dead-man time";
}

TEST_F(SpawnTest, RanksShareTheirSpecAndNotTheirOwnVariables) {
  SpawnCommand command = Detached("web");
  auto spec = std::make_shared<Spec>(*command.items[0].spec);
  spec->env = {"X=1", "SHOAL_RANK=of the spec"};
  auto ranks = std::make_shared<RankSet>();
  command.items = {{.spec = spec, .rank = 0, .ranks = ranks},
                   {.spec = spec, .rank = 1, .ranks = ranks}};
  world_.Spawn(command);
  world_.Turn();
  // Another one in between, of another spec.
  SpawnCommand other = Detached("other", "another request");
  auto terminal = std::make_shared<Spec>(*other.items[0].spec);
  terminal->terminal_rows = terminal->terminal_columns = 1;
  terminal->term = "dumb";
  other.items[0].spec = terminal;
  world_.Spawn(other);
  world_.Turn();
  const std::vector<ShimStart>& starts = world_.shims.starts();
  ASSERT_THAT(starts, SizeIs(3));
  for (size_t rank : {0u, 1u}) {
    EXPECT_THAT(EnvOf(starts[rank]),
                ElementsAre("PATH=/bin", "HOME=/root", "X=1", absl::StrCat("SHOAL_RANK=", rank),
                            "SHOAL_WORLD_SIZE=0", absl::StrCat("SHOAL_LOCAL_RANK=", rank),
                            "SHOAL_LOCAL_SIZE=0", "SHOAL_HOST_RANK=0",
                            "SHOAL_JOB_HOSTS=", absl::StrCat("SHOAL_NAME=web.", rank),
                            absl::StrCat("SHOAL_ID=", starts[rank].id)));
  }
  EXPECT_THAT(EnvOf(starts[2]),
              ElementsAre("PATH=/bin", "HOME=/root", "TERM=dumb", "SHOAL_NAME=other",
                          absl::StrCat("SHOAL_ID=", starts[2].id)));
}

TEST_F(SpawnTest, ARetryIsAnsweredWithWhatTheFirstDid) {
  std::string id = world_.Run(Detached("web"));
  auto retry = world_.Spawn(Detached("web"));
  world_.Turn();
  ASSERT_EQ(retry->calls, 1);
  EXPECT_TRUE(retry->replayed);
  EXPECT_THAT(retry->ids, ElementsAre(id));
  EXPECT_THAT(world_.shims.starts(), SizeIs(1));
}

TEST_F(SpawnTest, ARetryInTheSameTurnAndOneBeforeExecStartOneProcess) {
  auto first = world_.Spawn(Detached("web"));
  auto second = world_.Spawn(Detached("web"));
  world_.Turn();
  auto third = world_.Spawn(Detached("web"));
  world_.Turn();
  world_.shims.StartAll();
  world_.Turn();
  for (const auto& reply : {first, second, third}) {
    ASSERT_EQ(reply->calls, 1);
    EXPECT_EQ(reply->ids, first->ids);
  }
  EXPECT_THAT(world_.shims.starts(), SizeIs(1));
}

TEST_F(SpawnTest, ARetryAfterTheExitStartsNothing) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.End(id, 3);
  world_.Turn();
  auto retry = world_.Spawn(Detached("web"));
  world_.Turn();
  EXPECT_THAT(retry->ids, ElementsAre(id));
  EXPECT_EQ(world_.Get(id).exit->code, 3);
}

TEST_F(SpawnTest, ARequestIdWithAnotherSpecIsRefused) {
  world_.Run(Detached("web"));
  auto other = world_.Spawn(Detached("mail"));
  world_.Turn();
  EXPECT_EQ(other->statuses[0].code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(other->statuses[0].message(), HasSubstr("request_id reused with a different spec"));
}

TEST_F(SpawnTest, RequestIdsOfAnotherIdentityAreOthers) {
  std::string id = world_.Run(Detached("web"));
  SpawnCommand command = Detached("mail");
  command.permit = PermitOf("uid:2");
  EXPECT_NE(world_.Run(command), id);
}

TEST_F(SpawnTest, ARetryAfterTheProcessWasDeletedStartsNothing) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_TRUE(world_.Delete(Term(id))->outcomes[0].second.ok());
  for (bool restarted : {false, true}) {
    if (restarted) world_.Restart();
    auto retry = world_.Spawn(Detached("web"));
    world_.Turn();
    ASSERT_EQ(retry->calls, 1);
    EXPECT_EQ(retry->statuses[0].code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_THAT(world_.shims.starts(), SizeIs(1));
}

TEST_F(SpawnTest, ATakenNameNamesItsHolder) {
  std::string id = world_.Run(Detached("web"));
  auto taken = world_.Spawn(Detached("web", "r2"));
  world_.Turn();
  EXPECT_EQ(taken->statuses[0].code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(taken->statuses[0].message(),
            "name \"web\" is held by process " + id.substr(0, 6) + " (running, PID 1001)");
}

TEST_F(SpawnTest, ANameIsFreeOnlyWhenTheTreeIsEmptyAndTheOutputComplete) {
  std::string id = world_.Run(Detached("web"));
  auto is_taken = [&, n = 0]() mutable {
    auto reply = world_.Spawn(Detached("web", absl::StrCat("try", ++n)));
    world_.Turn();
    return reply->calls == 1 && reply->statuses[0].code() == absl::StatusCode::kAlreadyExists;
  };
  world_.shims.Exited(id, 0);
  world_.Turn();
  EXPECT_TRUE(is_taken());
  world_.shims.OutputComplete(id);
  world_.Turn();
  EXPECT_TRUE(is_taken());
  world_.shims.Empty(id);
  world_.Turn();
  EXPECT_FALSE(is_taken());
}

TEST_F(SpawnTest, NamesAreUniquePerSessionAndForDetachedOnTheAgent) {
  SessionEntry a = world_.OpenSession(absl::Seconds(15), "open-a");
  SessionEntry b = world_.OpenSession(absl::Seconds(15), "open-b");
  world_.Run(InSession(a, "web", "r1"));
  world_.Run(InSession(b, "web", "r2"));
  world_.Run(Detached("web", "r3"));
  auto taken = world_.Spawn(InSession(a, "web", "r4"));
  world_.Turn();
  EXPECT_EQ(taken->statuses[0].code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(SpawnTest, UnnamedOnesAreCalledAfterTheirProgram) {
  std::string first = world_.Run(Detached("", "r1"));
  std::string second = world_.Run(Detached("", "r2"));
  EXPECT_EQ(world_.Get(first).name, "program-1");
  EXPECT_EQ(world_.Get(second).name, "program-2");
}

TEST_F(SpawnTest, RanksOfABatchAreNamedAndAnswerInOrder) {
  auto reply = world_.Spawn(Ranks("job", 40));
  world_.Turn();
  EXPECT_THAT(world_.shims.starts(), SizeIs(16)) << "so many at a time";
  for (int i = 0; i < 3; ++i) {
    world_.shims.StartAll();
    world_.Turn();
  }
  EXPECT_THAT(world_.shims.starts(), SizeIs(40));
  ASSERT_EQ(reply->calls, 1);
  for (size_t i = 0; i < 40; ++i) {
    const ProcessEntry& process = world_.Get(reply->ids[i]);
    EXPECT_EQ(process.name, absl::StrCat("job.", i));
    EXPECT_EQ(process.rank, static_cast<int>(i));
    EXPECT_EQ(process.request_index, static_cast<int>(i));
    EXPECT_THAT(EnvOf(world_.shims.SlotOf(process.id).start),
                Contains(absl::StrCat("SHOAL_RANK=", i)));
  }
  EXPECT_EQ(world_.Get(reply->ids[0]).spec, world_.Get(reply->ids[39]).spec);
}

TEST_F(SpawnTest, ABatchWithOneTakenNameStartsNothing) {
  world_.Run(Detached("job.2", "r0"));
  auto reply = world_.Spawn(Ranks("job", 4));
  world_.Turn();
  ASSERT_THAT(reply->statuses, SizeIs(4));
  for (const absl::Status& status : reply->statuses) {
    EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  }
  EXPECT_THAT(world_.shims.starts(), SizeIs(1));
}

TEST_F(SpawnTest, ABatchAnswersForEach) {
  auto reply = world_.Spawn(Ranks("job", 3));
  world_.Turn();
  std::vector<std::string> ids;
  for (const ShimStart& start : world_.shims.starts()) ids.push_back(start.id);
  world_.shims.Started(ids[0]);
  world_.shims.StartFailed(ids[1], record::Stage::kExec, ENOENT);
  world_.Turn();
  EXPECT_EQ(reply->calls, 0);
  world_.shims.Started(ids[2]);
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->ids, ids);
  EXPECT_TRUE(reply->statuses[0].ok());
  EXPECT_EQ(reply->statuses[1].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(reply->statuses[2].ok());
}

struct FailedStart {
  record::Stage stage;
  int error_number;
  absl::StatusCode code;
  const char* message;
  bool forgotten;  // so that the same request may be tried afresh
};

class StartFailureTest : public SpawnTest, public ::testing::WithParamInterface<FailedStart> {};

TEST_P(StartFailureTest, IsAnsweredWithStageAndErrno) {
  auto reply = world_.Spawn(Detached("web"));
  world_.Turn();
  std::string id = world_.shims.starts()[0].id;
  world_.shims.StartFailed(id, GetParam().stage, GetParam().error_number);
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->statuses[0].code(), GetParam().code) << reply->statuses[0];
  EXPECT_THAT(reply->statuses[0].message(), HasSubstr(GetParam().message));
  EXPECT_THAT(world_.shims.slots(), IsEmpty());
  const ProcessEntry* process = world_.supervisor->Find(PermitOf(), id);
  auto retry = world_.Spawn(Detached("web"));
  world_.Turn();
  if (GetParam().forgotten) {
    EXPECT_EQ(world_.supervisor->Find(PermitOf(), id), nullptr);
    EXPECT_THAT(world_.shims.starts(), SizeIs(2));
  } else {
    ASSERT_NE(process, nullptr);
    EXPECT_EQ(process->state, State::kFailedToStart);
    EXPECT_TRUE(process->IsOver());
    EXPECT_TRUE(retry->replayed);
    EXPECT_EQ(retry->statuses[0].code(), GetParam().code);
    EXPECT_THAT(world_.shims.starts(), SizeIs(1));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Stages, StartFailureTest,
    ::testing::Values(
        FailedStart{record::Stage::kExec, ENOENT, absl::StatusCode::kFailedPrecondition,
                    "exec /bin/program: No such file or directory", false},
        FailedStart{record::Stage::kExec, EACCES, absl::StatusCode::kFailedPrecondition,
                    "Permission denied", false},
        FailedStart{record::Stage::kChdir, ENOENT, absl::StatusCode::kFailedPrecondition,
                    "chdir /: No such file", false},
        FailedStart{record::Stage::kExec, ETXTBSY, absl::StatusCode::kUnavailable, "Text file busy",
                    true},
        FailedStart{record::Stage::kFork, EAGAIN, absl::StatusCode::kResourceExhausted,
                    "Resource temporarily unavailable", true}));

TEST_F(SpawnTest, AStartThatTheHostRefusesIsExhaustedAndMayBeTriedAgain) {
  world_.shims.FailStart(absl::ResourceExhaustedError("posix_spawn of the shim: EAGAIN"));
  auto reply = world_.Spawn(Detached("web"));
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kResourceExhausted);
  world_.Turn();
  EXPECT_THAT(world_.store.processes(), IsEmpty());
  world_.Run(Detached("web"));
}

TEST_F(SpawnTest, AFailedCommitUndoesTheTurn) {
  world_.store.FailNext(absl::ResourceExhaustedError("journal full"));
  auto reply = world_.Spawn(Ranks("job", 3));
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  for (const absl::Status& status : reply->statuses) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  }
  EXPECT_THAT(world_.shims.starts(), IsEmpty());
  EXPECT_EQ(world_.supervisor->live_processes(), 0);
  world_.scheduler.Advance(absl::Seconds(5));
  EXPECT_THAT(world_.store.processes(), IsEmpty());
  EXPECT_THAT(world_.Run(Detached("job.0")), Not(IsEmpty())) << "the name is free again";
}

TEST_F(SpawnTest, AFailedCommitLetsTheRetryOfItsTurnBeCarriedOut) {
  world_.store.FailNext(absl::UnavailableError("read-only"));
  auto first = world_.Spawn(Detached("web"));
  auto second = world_.Spawn(Detached("web"));
  world_.Turn();
  EXPECT_EQ(first->calls, 1);
  EXPECT_EQ(first->statuses[0].code(), absl::StatusCode::kUnavailable);
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_EQ(second->calls, 1);
  EXPECT_TRUE(second->statuses[0].ok()) << second->statuses[0];
}

TEST_F(SpawnTest, AFailedCommitOfADeleteLeavesTheProcess) {
  std::string id = world_.Run(Detached("web", "r1"));
  world_.shims.End(id, 0);
  world_.Turn();
  world_.store.FailNext(absl::ResourceExhaustedError("journal full"));
  auto reply = world_.Delete(Term("web"));
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->status.code(), absl::StatusCode::kResourceExhausted);
  world_.scheduler.Advance(absl::Seconds(5));
  EXPECT_THAT(world_.store.processes(), SizeIs(1));
  EXPECT_EQ(world_.Get(id).exit->code, 0);
  EXPECT_TRUE(world_.Delete(Term("web"))->outcomes[0].second.ok());
  EXPECT_THAT(world_.store.processes(), IsEmpty());
  world_.Restart();
  auto retry = world_.Spawn(Detached("web", "r1"));
  world_.Turn();
  EXPECT_EQ(retry->statuses[0].code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SpawnTest, ExitsAndEndsGoOnWhileTheJournalIsFull) {
  std::string stays = world_.Run(Detached("stays", "r1"));
  std::string ends = world_.Run(Detached("ends", "r2"));
  for (int i = 0; i < 20; ++i) world_.store.FailNext(absl::ResourceExhaustedError("journal full"));
  world_.shims.End(ends, 7);
  world_.Turn();
  EXPECT_EQ(world_.Get(ends).exit->code, 7);
  EXPECT_TRUE(world_.shims.HasSlot(ends)) << "until it is stored the record is all that knows";
  auto ended = world_.Terminate(EndOf(Term(stays)));
  EXPECT_EQ(world_.shims.SlotOf(stays).agent.terminate_signal, 15);
  world_.shims.BeginEnd(stays);
  world_.shims.End(stays, 0);
  world_.Turn();
  ASSERT_EQ(ended->calls, 1);
  EXPECT_TRUE(ended->outcomes[0].second.ok());
  world_.scheduler.Advance(absl::Seconds(60));
  EXPECT_FALSE(world_.shims.HasSlot(ends));
  EXPECT_EQ(world_.store.processes().at(ends).exit->code, 7);
  EXPECT_EQ(world_.store.processes().at(stays).exit->code, 0);
}

TEST_F(SpawnTest, AWaitForAProcessWhoseCommitFailsReturns) {
  world_.store.FailNext(absl::ResourceExhaustedError("full"));
  auto spawned = std::make_shared<SpawnReply>();
  world_.supervisor->Spawn(Detached("web"),
                           [spawned](const std::vector<SpawnOutcome>& outcomes, bool) {
                             ++spawned->calls;
                             spawned->statuses.push_back(outcomes[0].status);
                           });
  int waits = 0;
  world_.supervisor->Wait(PermitOf(), Term("web"), Until::kEmpty, /*any=*/false,
                          absl::InfiniteDuration(), std::make_shared<WaitTicket>(),
                          [&waits](auto, bool timed_out) {
                            ++waits;
                            EXPECT_FALSE(timed_out);
                          });
  world_.Turn();
  ASSERT_EQ(spawned->calls, 1);
  EXPECT_EQ(spawned->statuses[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(waits, 1);
}

TEST_F(SpawnTest, TheValuesOfAnEnvironmentGoWithTheLastProcessThatHasIt) {
  SpawnCommand command = Detached("p", "one");
  auto spec = std::make_shared<Spec>(*command.items[0].spec);
  spec->name.clear();
  spec->env = {"TOKEN=hunter2", "EMPTY="};
  command.items[0].spec = spec;
  command.items.push_back(command.items[0]);
  auto reply = world_.Spawn(std::move(command));
  world_.Turn();
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_EQ(reply->ids.size(), 2u);
  world_.shims.End(reply->ids[0], 0);
  world_.Turn();
  EXPECT_THAT(world_.Get(reply->ids[0]).spec->env, ElementsAre("TOKEN=hunter2", "EMPTY="));
  world_.shims.End(reply->ids[1], 0);
  world_.Turn();
  for (const std::string& id : reply->ids) {
    EXPECT_THAT(world_.Get(id).spec->env, ElementsAre("TOKEN", "EMPTY"));
    EXPECT_THAT(world_.store.processes().at(id).spec->env, ElementsAre("TOKEN", "EMPTY"));
  }
  world_.Restart();
  EXPECT_THAT(world_.Get(reply->ids[0]).spec->env, ElementsAre("TOKEN", "EMPTY"));
}

}  // namespace
}  // namespace shoal::agent
