// What is said of an agent that has a connection and answers nothing.
#include "client/cli/silence_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/standard_output.h"
#include "shoal/host_list.h"
#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::MatchesRegex;

constexpr cli::SilenceWatch::Rhythm kFast = {.pause = absl::Milliseconds(50),
                                             .patience = absl::Milliseconds(50)};

class SilenceWatchTest : public AgentCommandTest {
 protected:
  SilenceWatchTest() : host_(*Host::Create(ParseHostList(ant_.hosts())->front(), {})) {
    cli::BeginOutput();  // a command before this may have been quiet
    ::testing::internal::CaptureStderr();
  }

  // So many more questions have come, so that what is to be said of those before is said.
  void AwaitQuestions(int more) { ant_.AwaitCalls("HostGet", ant_.Calls("HostGet") + more); }

  std::shared_ptr<Host> host_;
};

TEST_F(SilenceWatchTest, AnAgentThatAnswersNothingIsToldOnceAndThatItAnswersAgain) {
  ant_.Hold("HostGet");
  {
    const cli::SilenceWatch watch({{host_, "ant"}}, kFast);
    AwaitQuestions(4);
    ant_.Release("HostGet");
    AwaitQuestions(4);
  }
  EXPECT_THAT(
      ::testing::internal::GetCapturedStderr(),
      MatchesRegex("shoal: ant: its agent has not answered for [0-9.]+ s; waiting for it\\.\n"
                   "shoal: ant: its agent answers again\\.\n"));
}

TEST_F(SilenceWatchTest, NothingIsSaidOfOneThatAnswersOrThatHasNoConnection) {
  {
    const cli::SilenceWatch watch({{host_, "ant"}},
                                  {.pause = absl::Milliseconds(50), .patience = absl::Seconds(5)});
    AwaitQuestions(3);
    ant_.Stop();
    absl::SleepFor(absl::Milliseconds(300));
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace shoal::testing
