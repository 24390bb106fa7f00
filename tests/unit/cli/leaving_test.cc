#include "client/cli/leaving.h"

#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

const std::vector<std::string> kHosts = {"ant", "beetle", "cricket"};

TEST(Leaving, SaysWhatIsLeftAndWhatBecomesOfIt) {
  EXPECT_EQ(
      TellLeaving({}, kHosts, "15s"),
      "leaving; no process is left on any host, and what of their output could not be written is "
      "lost.");
  EXPECT_EQ(TellRest(),
            "no process is left on any host, and the rest of their output is being written; Ctrl-C "
            "once more leaves without it.");
  EXPECT_EQ(
      TellLeaving({{0, 4, true, false}, {2, 2, false, false}}, kHosts, "15s"),
      "leaving; not seen to end: 4 on ant, up to 2 on cricket. What lives there is ended when "
      "nothing was heard from here for 15s.");
  EXPECT_EQ(TellLeaving({{0, 4, true, true}, {1, 3, true, true}}, kHosts, "15s"),
            "leaving; going on, detached: 7.");
  EXPECT_EQ(
      TellLeaving({{0, 4, true, true}, {1, 1, true, false}}, kHosts, "2s"),
      "leaving; going on, detached: 4; not seen to end: 1 on beetle. What lives there is ended "
      "when nothing was heard from here for 2s.");
}

TEST(Leaving, OfAStartIsToldWhereToLook) {
  EXPECT_EQ(TellStarted({{1, 4, true, false}}, kHosts),
            "started: 4 on beetle; `shoal ps` shows them.");
}

TEST(Leaving, OfAStopAndAnInputIsToldWhatIsNotKnown) {
  EXPECT_EQ(TellStopLeft("3 processes"),
            "leaving; the end of 3 processes was asked for, and not seen; `shoal ps` shows what is "
            "left.");
  EXPECT_EQ(TellInputLeft("web"), "leaving; the input of web may not have all that came on stdin.");
}

TEST(LeavingDeathTest, IsADeathByTheSignalItself) {
  for (int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) {
    EXPECT_EXIT(DieBySignal(number), ::testing::KilledBySignal(number), "");
  }
}

}  // namespace
}  // namespace shoal::cli
