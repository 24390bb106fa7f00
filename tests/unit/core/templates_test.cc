// FORKSERVER: which template a spawn is forked from, and what becomes of it if that cannot be.
#include <cerrno>

#include "tests/unit/core/fork_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using TemplatesTest = ForkTest;

TEST_F(TemplatesTest, TheFirstSpawnStartsATemplateAndTheProcessIsForkedFromIt) {
  auto reply = Spawn(Forkserver("web"));
  ASSERT_THAT(world_.shims.starts(), SizeIs(1)) << "the process waits";
  const ShimStart& start = world_.shims.starts()[0];
  EXPECT_THAT(start.argv, ElementsAre("/bin/program"));
  EXPECT_THAT(EnvOf(start), Contains("SHOAL_TEMPLATE=1"));
  EXPECT_FALSE(start.fork_from.has_value());
  const std::string id = TemplateId();
  EXPECT_EQ(world_.Get(id).name, "program-template");
  Warm(id);
  ASSERT_THAT(world_.shims.starts(), SizeIs(2));
  EXPECT_EQ(world_.shims.starts()[1].fork_from, world_.shims.ParentOf(id));
  EXPECT_THAT(world_.shims.starts()[1].argv, ElementsAre("/bin/program", "argument"));
  EXPECT_THAT(EnvOf(world_.shims.starts()[1]), Not(Contains("SHOAL_TEMPLATE=1")));
  EXPECT_THAT(world_.shims.answers, SizeIs(1));
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_TRUE(reply->statuses[0].ok()) << reply->statuses[0];
  EXPECT_EQ(world_.Get(reply->ids[0]).forked_from, id);
}

TEST_F(TemplatesTest, OneTemplateServesAnOwnerAndProgramAndCountsItsForks) {
  const std::string id = WarmUp();
  Spawn(Forkserver("second", "r2"));
  EXPECT_EQ(TemplateId(), id);
  EXPECT_THAT(world_.shims.starts(), SizeIs(3));
  EXPECT_EQ(world_.Get(id).template_facts->forks, 2);
  SpawnCommand foreign = Forkserver("third", "r3");
  foreign.permit = PermitOf("uid:7");
  Spawn(foreign);
  EXPECT_THAT(world_.supervisor->Templates(PermitOf()), SizeIs(2));
}

TEST_F(TemplatesTest, ATemplateIsNoLiveProcessOfTheUser) {
  WarmUp();
  EXPECT_EQ(world_.supervisor->live_processes(), 1);
}

TEST_F(TemplatesTest, AnOfferSeenBeforeItsStartIsKeptUntilTheProcessIsKnown) {
  auto reply = Spawn(Forkserver("web"));
  const std::string id = TemplateId();
  record::ShimHalf& shim = world_.shims.SlotOf(id).shim;
  shim.pid = 4711;
  shim.start_ticks = 77;
  world_.shims.Offer(id);
  world_.Turn();
  EXPECT_THAT(world_.shims.answers, IsEmpty());
  world_.shims.Started(id, 4711);
  world_.Turn();
  ASSERT_THAT(world_.shims.answers, SizeIs(1));
  EXPECT_TRUE(world_.shims.answers[0].second.ok());
  EXPECT_THAT(world_.shims.starts(), SizeIs(2));
}

TEST_F(TemplatesTest, AnOfferOfNobodysProcessIsRefused) {
  const std::string id = world_.Run(Detached("web"));
  world_.shims.SlotOf(id).shim.start_ticks = 78;  // a reused PID
  world_.shims.Offer(id);
  PassTime(absl::Seconds(11));
  ASSERT_THAT(world_.shims.answers, SizeIs(1));
  EXPECT_FALSE(world_.shims.answers[0].second.ok());
}

TEST_F(TemplatesTest, ATemplateThatEndsTellsEachWhoWaitsHowAndTheNextSpawnStartsAnother) {
  auto one = Spawn(Forkserver("one", "r1"));
  auto two = Spawn(Forkserver("two", "r2"));
  const std::string id = TemplateId();
  world_.shims.Started(id);
  world_.output.texts[{id, 1}] = "no module named mesh\n";
  world_.shims.Write(id, 1, 21);
  world_.shims.End(id, 3);
  world_.Turn();
  for (const auto& reply : {one, two}) {
    ASSERT_EQ(reply->calls, 1);
    EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(
        std::string(reply->statuses[0].message()),
        ::testing::AllOf(HasSubstr("exited with code 3"), HasSubstr("no module named mesh")));
    EXPECT_EQ(world_.Get(reply->ids[0]).start_failure->stage, "fork");
  }
  Spawn(Forkserver("three", "r3"));
  EXPECT_NE(TemplateId(), id);
  EXPECT_NE(TemplateId(), "");
}

TEST_F(TemplatesTest, ATemplateThatCannotStartJustNowMayBeWaitedForAgain) {
  world_.shims.FailStart(absl::ResourceExhaustedError("start of the shim: no descriptor is left"));
  auto reply = Spawn(Forkserver("web"));
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(reply->statuses[0].message()),
              HasSubstr("program-template cannot be forked: it did not start: start of the shim"));
  auto again = Spawn(Forkserver("web"));
  Warm(TemplateId());
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_EQ(again->calls, 1);
  EXPECT_TRUE(again->statuses[0].ok()) << again->statuses[0];
}

TEST_F(TemplatesTest, ATemplateThatNeverOffersItselfIsEndedAfterAMinute) {
  auto reply = Spawn(Forkserver("web"));
  const std::string id = TemplateId();
  world_.shims.Started(id);
  world_.Turn();
  PassTime(absl::Seconds(61));
  ASSERT_EQ(reply->calls, 1);
  EXPECT_THAT(std::string(reply->statuses[0].message()),
              EndsWith("to be forked within 1m; fork_wait would wait longer"));
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
}

TEST_F(TemplatesTest, OneThatLoadsForLongIsGivenTheTimeOfTheSpecAndEndedWhenNoneIsLeft) {
  auto patient = Spawn(WithWait(Forkserver("web", "r1"), absl::Minutes(10)));
  const std::string id = TemplateId();
  world_.shims.Started(id);
  world_.Turn();
  auto impatient = Spawn(Forkserver("second", "r2"));
  PassTime(absl::Seconds(61));
  EXPECT_EQ(impatient->calls, 1);
  EXPECT_FALSE(impatient->statuses[0].ok());
  PassTime(absl::Minutes(8));
  EXPECT_EQ(patient->calls, 0);
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  PassTime(absl::Minutes(1));
  ASSERT_EQ(patient->calls, 1);
  EXPECT_THAT(std::string(patient->statuses[0].message()),
              EndsWith("to be forked within 10m; fork_wait would wait longer"));
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
}

TEST_F(TemplatesTest, AChangedProgramGetsANewTemplateAndTheOldOneIsEnded) {
  const std::string old = WarmUp();
  world_.shims.versions["/bin/program"] = "2";
  world_.clock.Advance(absl::Seconds(1));
  Spawn(Forkserver("second", "r2"));
  EXPECT_EQ(world_.Get(old).state, State::kStopping);
  EXPECT_THAT(world_.Get(old).termination->requested_by, HasSubstr("changed"));
  const std::string fresh = TemplateId();
  EXPECT_NE(fresh, old);
  Warm(fresh);
  EXPECT_EQ(world_.shims.starts().back().fork_from, world_.shims.ParentOf(fresh));
}

TEST_F(TemplatesTest, AProgramThatIsNotThereFailsAsExecveWould) {
  world_.shims.versions["/bin/program"] = "";
  auto reply = Spawn(Forkserver("web"));
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(world_.Get(reply->ids[0]).start_failure->stage, "execve");
  EXPECT_EQ(world_.Get(reply->ids[0]).start_failure->error_number, ENOENT);
}

TEST_F(TemplatesTest, AnIdleTemplateIsEndedAndUseKeepsItAlive) {
  const std::string id = WarmUp();
  PassTime(absl::Minutes(4));
  Spawn(Forkserver("second", "r2"));
  world_.shims.StartAll();
  PassTime(absl::Minutes(4));
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  PassTime(absl::Minutes(2));
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
  EXPECT_THAT(world_.Get(id).termination->requested_by, HasSubstr("idle"));
}

TEST_F(TemplatesTest, ATemplateIsFoundAgainAfterAnAgentRestartAndIsWaitedFor) {
  const std::string id = WarmUp();
  world_.Restart();
  EXPECT_EQ(TemplateId(), id);
  Spawn(Forkserver("second", "r2"));
  EXPECT_THAT(world_.shims.starts(), SizeIs(2)) << "it has not offered itself to this agent yet";
  world_.shims.Offer(id);
  world_.Turn();
  ASSERT_THAT(world_.shims.starts(), SizeIs(3));
  EXPECT_EQ(world_.shims.starts()[2].fork_from, world_.shims.ParentOf(id));
  EXPECT_EQ(world_.Get(id).template_facts->forks, 1) << "since it was saved";
}

TEST_F(TemplatesTest, AShippedProgramIsToldApartByWhatIsInItAndStartedBesideItsFiles) {
  const auto shipped = [](const std::string& name, const std::string& request_id, char content,
                          const std::string& argument) {
    SpawnCommand command = Forkserver(name, request_id);
    auto spec = std::make_shared<Spec>(*command.items[0].spec);
    spec->argv = {"./sim", "x"};
    spec->cwd.clear();
    spec->files = {{.path = "sim", .sha256 = std::string(32, content), .executable = true},
                   {.path = "argument", .sha256 = std::string(32, argument[0])}};
    command.items[0].spec = spec;
    return command;
  };
  auto reply = Spawn(shipped("one", "r1", 'a', "1"));
  world_.files.FinishOne();
  world_.Turn();
  ASSERT_THAT(world_.files.requests, SizeIs(1)) << "those of the template";
  const std::string id = world_.files.requests[0].id;
  world_.files.FinishOne();
  world_.Turn();
  Warm(id);
  ASSERT_THAT(world_.shims.starts(), SizeIs(2));
  EXPECT_THAT(EnvOf(world_.shims.starts()[0]), Contains("SHOAL_FILES=/files/" + id));
  EXPECT_EQ(world_.shims.starts()[1].cwd, "/files/" + world_.shims.starts()[1].id);
  world_.shims.StartAll();
  world_.Turn();
  EXPECT_TRUE(reply->statuses.at(0).ok());
  Spawn(shipped("two", "r2", 'a', "2"));
  world_.files.FinishOne();
  world_.Turn();
  EXPECT_EQ(world_.shims.starts().back().fork_from, world_.shims.ParentOf(id));
  EXPECT_THAT(world_.supervisor->Templates(PermitOf()), SizeIs(1))
      << "another argument, the same program";
  Spawn(shipped("three", "r3", 'b', "1"));
  world_.files.FinishOne();
  world_.Turn();
  EXPECT_THAT(world_.supervisor->Templates(PermitOf()), SizeIs(2));
}

TEST_F(TemplatesTest, AFailedCommitFailsTheTemplateAndWhoWaitsForIt) {
  auto reply = world_.Spawn(Forkserver("web"));
  world_.store.FailNext(absl::OkStatus());
  world_.store.FailNext(absl::ResourceExhaustedError("disk full"));
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(TemplateId(), "");
}

TEST_F(TemplatesTest, MoreForksThanAParentShouldHaveToDoWaitForTheirTurn) {
  const std::string id = WarmUp();
  Spawn(With(Ranks("many", 100, "r2"), StartMethod::kForkserver));
  for (int i = 0; i < 20; ++i) world_.Turn();
  EXPECT_THAT(world_.shims.starts(), SizeIs(2 + 32));
  for (int i = 0; i < 20; ++i) {
    world_.shims.StartAll();
    world_.Turn();
    world_.Turn();
  }
  EXPECT_THAT(world_.shims.starts(), SizeIs(2 + 100));
  EXPECT_EQ(world_.Get(id).template_facts->forks, 101);
}

TEST_F(TemplatesTest, WhoWaitsForAParentThatGoesFailsThoughNobodyAnswers) {
  const std::string id = WarmUp();
  auto reply = Spawn(With(Ranks("many", 40, "r2"), StartMethod::kForkserver));
  for (int i = 0; i < 20; ++i) world_.Turn();
  world_.shims.Withdraw(id);
  std::vector<std::string> asked;
  for (const ShimStart& start : world_.shims.starts()) {
    if (start.fork_from && world_.shims.SlotOf(start.id).shim.flags == 0) asked.push_back(start.id);
  }
  for (const std::string& forked : asked) {
    world_.shims.RefuseFork(forked,
                            {.stage = "fork", .error_number = ECONNRESET, .text = "it ended"});
  }
  for (int i = 0; i < 20; ++i) world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_THAT(reply->statuses, SizeIs(40));
  for (const absl::Status& status : reply->statuses) EXPECT_TRUE(absl::IsUnavailable(status));
}

TEST_F(TemplatesTest, DeletingEndsTemplatesOnly) {
  const std::string id = WarmUp();
  auto reply = std::make_shared<BulkReply>();
  auto into = [reply](absl::StatusOr<std::vector<Outcome>> outcomes) {
    ++reply->calls;
    reply->status = outcomes.status();
  };
  DeleteTemplatesCommand command{{PermitOf()}};
  command.request_id = "d1";
  command.terms = {"first"};
  world_.supervisor->DeleteTemplates(command, into);
  world_.Turn();
  EXPECT_EQ(reply->status.code(), absl::StatusCode::kNotFound);
  command.request_id = "d2";
  command.terms = {"program-template"};
  world_.supervisor->DeleteTemplates(command, into);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
  world_.shims.BeginEnd(id);
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_EQ(reply->calls, 2);
  EXPECT_TRUE(reply->status.ok());
  EXPECT_THAT(world_.supervisor->Templates(PermitOf()), IsEmpty());
}

TEST_F(TemplatesTest, AProcessWhoseEndIsAskedForWhileItWaitsIsNeverForked) {
  auto reply = Spawn(Forkserver("web"));
  world_.Terminate(EndOf(Term("web")));
  ASSERT_EQ(reply->calls, 1);
  EXPECT_FALSE(reply->statuses[0].ok());
  Warm(TemplateId());
  EXPECT_THAT(world_.shims.starts(), SizeIs(1));
}

TEST_F(TemplatesTest, AnEndedParentLosesItsConnectionThoughAChildMayHoldIt) {
  const std::string id = WarmUp();
  const ForkParent parent = world_.shims.ParentOf(id);
  world_.shims.answers.clear();
  world_.shims.End(id, 0);
  world_.Turn();
  ASSERT_THAT(world_.shims.answers, SizeIs(1));
  EXPECT_EQ(world_.shims.answers[0].first, parent);
  EXPECT_FALSE(world_.shims.answers[0].second.ok());
}

}  // namespace
}  // namespace shoal::agent
