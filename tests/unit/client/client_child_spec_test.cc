// Which options of a process go together, and the spec that is made of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "shoal/context.h"
#include "shoal/process/child_spec.h"
#include "shoal/process/inherited.h"

namespace shoal::internal {
namespace {

using ::testing::ElementsAre;

struct Row {
  std::function<void(ProcessOptions*, Work*)> change;
  const char* message;
};

// Of a command that is all right.
absl::Status Changed(const std::function<void(ProcessOptions*, Work*)>& change) {
  ProcessOptions options;
  options.command = {"true"};
  Work work;
  change(&options, &work);
  return CheckOptions(options, work);
}

TEST(CheckOptions, NamesWhatDoesNotGoTogether) {
  EXPECT_TRUE(Changed([](auto*, auto*) {}).ok());
  for (const Row& row : std::vector<Row>{
           {[](ProcessOptions*options, Work*) { options->command.clear(); },
            "command: it is empty"},
           {[](ProcessOptions*, Work*work) { work->function = "Twice"; },
            "command: the process runs Twice, so it has none"},
           {[](ProcessOptions*options, Work*) {
              options->daemon = true;
              options->detached = true;
            },
            "daemon and detached: a process either ends with its program or outlives it"},
           {[](ProcessOptions*options, Work*) {
              options->host = *Host::Create(UnixAddress("/nowhere/a"));
              options->slot.host = *Host::Create(UnixAddress("/nowhere/b"));
            },
            "host and slot: they name different hosts"},
           {[](ProcessOptions*options, Work*) {
              options->cwd = "/tmp";
              options->inherit_cwd = true;
            },
            "cwd and inherit_cwd: they name different directories"},
           {[](ProcessOptions*options, Work*) { options->start_method = StartMethod::kFork; },
            "fork_of: kFork wants the name of a running process that offers itself (OfferForks)"},
           {[](ProcessOptions*options, Work*) { options->fork_of = "warm"; },
            "fork_of: it is for start_method kFork only"},
           {[](ProcessOptions*options, Work*) { options->fork_wait = absl::Seconds(3); },
            "fork_wait: it is for start_method kFork and kForkServer"},
           {[](ProcessOptions*options, Work*) {
              options->input = true;
              options->input_file = "/etc/hosts";
            },
            "input and input_file: stdin is one of both"},
       }) {
    EXPECT_EQ(Changed(row.change), absl::InvalidArgumentError(row.message));
  }
}

TEST(MakeSpec, HasWhatTheOptionsSay) {
  ProcessOptions options;
  options.command = {"sim", "-v"};
  options.name = "sim";
  options.env = {"A=1"};
  options.cwd = "/srv";
  options.labels = {{"job", "x"}};
  options.grace = absl::Milliseconds(2500);
  options.time_limit = absl::Hours(1);
  options.merge_stderr = true;
  options.detached = true;
  options.forbid_children = true;
  options.start_method = StartMethod::kFork;
  options.fork_of = "warm";
  options.fork_wait = absl::InfiniteDuration();
  v1::ProcessSpec spec = MakeSpec(options, {});
  EXPECT_THAT(spec.argv(), ElementsAre("sim", "-v"));
  EXPECT_EQ(spec.name(), "sim");
  EXPECT_THAT(spec.env(), ElementsAre("A=1"));
  EXPECT_EQ(spec.cwd(), "/srv");
  EXPECT_EQ(spec.labels().at("job"), "x");
  EXPECT_EQ(spec.grace().seconds(), 2);
  EXPECT_EQ(spec.grace().nanos(), 500000000);
  EXPECT_EQ(spec.time_limit().seconds(), 3600);
  EXPECT_TRUE(spec.output().merge_stderr());
  EXPECT_EQ(spec.lifetime(), v1::LIFETIME_DETACHED);
  EXPECT_TRUE(spec.forbid_children());
  EXPECT_EQ(spec.start_method(), v1::START_METHOD_FORK);
  EXPECT_EQ(spec.fork_of(), "warm");
  EXPECT_EQ(spec.fork_wait().seconds(), 365 * 24 * 3600) << "no longer than an agent takes";
}

TEST(MakeSpec, StdinIsAStreamOrAFileOrNothing) {
  ProcessOptions options;
  options.command = {"sim"};
  EXPECT_FALSE(MakeSpec(options, {}).has_input());
  options.input = true;
  EXPECT_TRUE(MakeSpec(options, {}).input().has_stream());
  options.input = false;
  options.input_file = "/etc/hosts";
  EXPECT_EQ(MakeSpec(options, {}).input().file(), "/etc/hosts");
}

TEST(MakeSpec, OfAFunctionHasTheCallAndItsResult) {
  v1::ProcessSpec spec = MakeSpec({}, {"Twice", "ab"});
  EXPECT_THAT(spec.env(), ::testing::IsSupersetOf({"SHOAL_FUNCTION=Twice", "SHOAL_ARGUMENT=YWI="}));
  EXPECT_TRUE(spec.output().result());
  EXPECT_EQ(spec.cwd(), "/");
  EXPECT_EQ(spec.lifetime(), v1::LIFETIME_SESSION);
  EXPECT_FALSE(spec.has_time_limit());
}

TEST(MakeSpec, NoWriterWaitsForAReaderThatThereIsNot) {
  ProcessOptions options;
  options.command = {"sim"};
  EXPECT_EQ(MakeSpec(options, {}).output().overflow(), v1::OVERFLOW_POLICY_DROP_OLDEST);
  options.forward_output = true;
  EXPECT_EQ(MakeSpec(options, {}).output().overflow(), v1::OVERFLOW_POLICY_UNSPECIFIED);
  options.forward_output.reset();
  options.on_output = [](v1::StreamKind, int64_t, absl::string_view) {};
  EXPECT_EQ(MakeSpec(options, {}).output().overflow(), v1::OVERFLOW_POLICY_UNSPECIFIED);
  EXPECT_EQ(MakeSpec({}, {"Twice", ""}).output().overflow(), v1::OVERFLOW_POLICY_UNSPECIFIED);
}

TEST(AddInherited, IsNothingUnlessItIsAskedFor) {
  v1::ProcessSpec spec = MakeSpec({}, {"Twice", ""});
  const v1::ProcessSpec before = spec;
  ASSERT_TRUE(AddInherited({}, &spec).ok());
  EXPECT_EQ(spec.SerializeAsString(), before.SerializeAsString());
}

TEST(AddInherited, HasEnvironmentAndDirectoryOfThisProgram) {
  setenv("SHOAL_TEST_OWN", "a=b", 1);
  setenv("SHOAL_TEST_GIVEN", "ours", 1);
  ProcessOptions options;
  options.command = {"sim"};
  options.env = {"SHOAL_TEST_GIVEN=theirs"};
  options.inherit_env = true;
  options.inherit_cwd = true;
  v1::ProcessSpec spec = MakeSpec(options, {});
  ASSERT_TRUE(AddInherited(options, &spec).ok());
  EXPECT_THAT(spec.env(),
              ::testing::IsSupersetOf({"SHOAL_TEST_OWN=a=b", "SHOAL_TEST_GIVEN=theirs"}));
  EXPECT_THAT(spec.env(), ::testing::Not(::testing::Contains("SHOAL_TEST_GIVEN=ours")));
  EXPECT_EQ(spec.cwd(), std::filesystem::current_path().string());
  unsetenv("SHOAL_TEST_OWN");
  unsetenv("SHOAL_TEST_GIVEN");
}

TEST(AddLibraryPath, IsThatOfThisProgramAndAbsolute) {
  v1::ProcessSpec spec;
  unsetenv("LD_LIBRARY_PATH");
  ASSERT_TRUE(AddLibraryPath(&spec).ok());
  EXPECT_THAT(spec.env(), ElementsAre());
  setenv("LD_LIBRARY_PATH", "/opt/lib:lib:", 1);
  ASSERT_TRUE(AddLibraryPath(&spec).ok());
  const std::string here = std::filesystem::current_path();
  const std::string wanted = "LD_LIBRARY_PATH=/opt/lib:" + here + "/lib:" + here;
  EXPECT_THAT(spec.env(), ElementsAre(wanted));
  setenv("LD_LIBRARY_PATH", "/other", 1);
  ASSERT_TRUE(AddLibraryPath(&spec).ok());
  EXPECT_THAT(spec.env(), ElementsAre(wanted)) << "what is given wins";
  unsetenv("LD_LIBRARY_PATH");
}

TEST(StartMethodOf, IsThatOfTheContextForFunctionsOnly) {
  SetStartMethod(StartMethod::kForkServer);
  EXPECT_EQ(StartMethodOf({}, {"Twice", ""}), StartMethod::kForkServer);
  EXPECT_EQ(StartMethodOf({}, {}), StartMethod::kSpawn);
  SetStartMethod(StartMethod::kSpawn);
}

}  // namespace
}  // namespace shoal::internal
