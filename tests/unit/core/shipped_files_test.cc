// Spawn with files: what is checked before it is admitted, and what their place means for a start.
#include "agent/core/shipped_files.h"

#include <cerrno>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kDigest[] = "0123456789abcdef0123456789abcdef";

class ShippedFilesTest : public SupervisorTest {
 protected:
  static SpawnCommand WithFiles(SpawnCommand command) {
    for (SpawnItem& item : command.items) item.spec = Shipped(*item.spec);
    return command;
  }
  static std::shared_ptr<Spec> Shipped(const Spec& original) {
    auto spec = std::make_shared<Spec>(original);
    spec->argv = {"./sim", "argument"};
    spec->cwd.clear();
    spec->files = {{.path = "sim", .sha256 = kDigest, .executable = true}};
    return spec;
  }
};

TEST_F(ShippedFilesTest, NoShimStartsBeforeTheFilesAreInTheirPlaces) {
  auto reply = world_.Spawn(WithFiles(Detached("web")));
  world_.Turn();
  EXPECT_THAT(world_.shims.starts(), IsEmpty());
  ASSERT_THAT(world_.files.requests, SizeIs(1));
  const std::string id = world_.files.requests[0].id;
  world_.files.FinishOne();
  world_.Turn();
  ASSERT_THAT(world_.shims.starts(), SizeIs(1));
  EXPECT_EQ(world_.shims.starts()[0].id, id);
  EXPECT_EQ(world_.shims.starts()[0].cwd, "/files/" + id);
  EXPECT_THAT(world_.shims.starts()[0].argv, ElementsAre("./sim", "argument"));
  EXPECT_THAT(EnvOf(world_.shims.starts()[0]), Contains("SHOAL_FILES=/files/" + id));
  world_.shims.StartAll();
  world_.Turn();
  EXPECT_TRUE(reply->statuses.at(0).ok());
}

TEST_F(ShippedFilesTest, ATimeLimitThatIsChangedBeforeTheStartHolds) {
  for (const bool is_limited : {true, false}) {
    SpawnCommand command = WithFiles(Detached("web", is_limited ? "r1" : "r2"));
    auto limited = std::make_shared<Spec>(*command.items[0].spec);
    limited->time_limit = absl::Seconds(5);
    command.items[0].spec = limited;
    world_.Spawn(std::move(command));
    world_.Turn();
    UpdateCommand update{{PermitOf()}};
    update.selector = Term("web");
    update.time_limit = is_limited ? absl::Hours(1) : absl::ZeroDuration();
    EXPECT_TRUE(world_.Update(std::move(update))->outcomes[0].second.ok());
    const absl::Duration deadline = world_.clock.BootTime() + absl::Hours(1);
    world_.scheduler.Advance(absl::Seconds(3));
    const std::string id = world_.files.requests[0].id;
    world_.files.FinishOne();
    world_.Turn();
    const record::AgentHalf& told = world_.shims.SlotOf(id).agent;
    EXPECT_EQ(told.limit_from_exec_ns, 0) << "that of the spec no longer counts";
    EXPECT_EQ(told.time_limit_ns, is_limited ? absl::ToInt64Nanoseconds(deadline) : 0);
    world_.shims.StartAll();
    world_.Turn();
    world_.shims.End(id, 0);
    world_.Turn();
  }
}

TEST_F(ShippedFilesTest, AMissingBlobIsRefusedBeforeAnythingIsAdmitted) {
  world_.files.missing.insert(kDigest);
  auto reply = world_.Spawn(WithFiles(Ranks("web", 3)));
  world_.Turn();
  ASSERT_THAT(reply->statuses, SizeIs(3));
  EXPECT_EQ(reply->statuses[2].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(world_.files.checks, 1) << "ranks share a spec";
  EXPECT_THAT(world_.store.processes(), IsEmpty());
}

TEST_F(ShippedFilesTest, WhatCannotBePlacedFailsToStartAndIsForgottenWhereTryingAgainMayHelp) {
  auto reply = world_.Spawn(WithFiles(Detached("web")));
  world_.Turn();
  const std::string id = world_.files.requests[0].id;
  world_.files.FinishOne(StartFailure{"files", ENOSPC, "place sim beside it: no space"});
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(reply->statuses[0].message(), HasSubstr("no space"));
  EXPECT_THAT(world_.shims.starts(), IsEmpty());
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), id), nullptr);
  EXPECT_THAT(world_.files.removed, Contains(id));
}

TEST_F(ShippedFilesTest, AnEndBeforeTheFilesAreInTheirPlacesStartsNothing) {
  auto reply = world_.Spawn(WithFiles(Detached("web")));
  world_.Turn();
  world_.Terminate(EndOf(Term("web")));
  world_.files.FinishOne();
  world_.Turn();
  EXPECT_THAT(world_.shims.starts(), IsEmpty());
  ASSERT_EQ(reply->calls, 1);
  EXPECT_FALSE(reply->statuses[0].ok());
}

TEST_F(ShippedFilesTest, TheDirectoryGoesWhenTheProcessIsForgotten) {
  world_.Spawn(WithFiles(Detached("web")));
  world_.Turn();
  const std::string id = world_.files.requests[0].id;
  world_.files.FinishOne();
  world_.Turn();
  world_.shims.StartAll();
  world_.Turn();
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_THAT(world_.files.removed, IsEmpty());
  world_.Delete(Term("web"));
  world_.Turn();
  EXPECT_THAT(world_.files.removed, ElementsAre(id));
}

TEST_F(ShippedFilesTest, AKilledAgentForgetsWhatItHadNotStartedAndKeepsTheRest) {
  const std::string running = world_.Run(Detached("running"));
  auto reply = world_.Spawn(WithFiles(Detached("web", "r2")));
  world_.Turn();
  world_.Restart();
  EXPECT_THAT(world_.files.kept, ElementsAre(running));
  // The same request starts afresh.
  auto again = world_.Spawn(WithFiles(Detached("web", "r2")));
  world_.Turn();
  ASSERT_THAT(world_.files.requests, SizeIs(1));
  world_.files.FinishOne();
  world_.Turn();
  world_.shims.StartAll();
  world_.Turn();
  EXPECT_TRUE(again->statuses.at(0).ok());
  EXPECT_FALSE(again->replayed);
}

TEST(StartBesideFiles, LibrariesGoInFrontOfWhatWasGivenAndEachDirectoryOnce) {
  Spec spec;
  spec.argv = {"./bin/sim"};
  spec.cwd = "/srv";
  spec.files = {{.path = "bin/sim"},
                {.path = "lib/a.so", .library = true},
                {.path = "lib/b.so", .library = true},
                {.path = "c.so", .library = true}};
  ShimStart start{.id = "x", .argv = spec.argv, .env = {}, .cwd = spec.cwd};
  const Environment::Positions positions = {{"LD_LIBRARY_PATH", 0}};
  Environment env({"LD_LIBRARY_PATH=/opt"}, &positions);
  StartBesideFiles(spec, "/f/x", &start, &env);
  EXPECT_THAT(env.variables(),
              ElementsAre("LD_LIBRARY_PATH=/f/x/lib:/f/x:/opt", "SHOAL_FILES=/f/x"));
  EXPECT_EQ(start.cwd, "/srv");
  EXPECT_THAT(start.argv, ElementsAre("/f/x/bin/sim")) << "'./' would mean /srv";
}

TEST(StartBesideFiles, AProgramOfTheHostStaysWhatItIs) {
  Spec spec;
  spec.argv = {"python3", "./script.py"};
  spec.files = {{.path = "script.py"}};
  ShimStart start{.id = "x", .argv = spec.argv, .env = {}, .cwd = ""};
  const Environment::Positions none;
  Environment env({}, &none);
  StartBesideFiles(spec, "/f/x", &start, &env);
  EXPECT_THAT(start.argv, ElementsAre("python3", "./script.py"));
  EXPECT_EQ(start.cwd, "/f/x");
}

}  // namespace
}  // namespace shoal::agent
