// Shims and agents of different record versions.
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/record/half_format.h"
#include "tests/shim/shim_test.h"

namespace shoal::testing {
namespace {

class VersionTest : public ShimTest {
 protected:
  // Runs a program that ignores SIGTERM, says so, and is ended by what the agent half says later.
  record::ShimHalf RunAndTerminate() {
    shim().StartChild({"ignore", "15", "print", "up", "pause"});
    shim().AwaitOutput(0, "up");
    shim().Terminate(SIGTERM, 10 * kMs);
    const record::ShimHalf half = shim().AwaitFinal();
    EXPECT_EQ(WTERMSIG(half.wait_status), SIGKILL);
    EXPECT_EQ(half.terminate_serial, 1u);
    EXPECT_EQ(half.streams[0].end, 2);
    return half;
  }
};

INSTANTIATE_TEST_SUITE_P(, VersionTest, ::testing::Bool(), NameOfParam);

TEST_P(VersionTest, AShimOfAVersion2AgentIsToldAndSpeaksVersion2) {
  record::SetFormat2(&shim().agent);
  shim().told_by_words = true;
  const record::ShimHalf half = RunAndTerminate();
  EXPECT_EQ(half.prefix.version, record::kVersion2);
  EXPECT_EQ(half.prefix.size, record::FormatOf<record::ShimHalf>::kSize2);
}

TEST_P(VersionTest, AShimIsToldByItsOwnWordsAsAgentsOf01Do) {
  for (const char* cwd : {"", "/proc"}) {
    shim().told_by_words = true;
    shim().cwd = cwd;
    shim().env = {"A=1", "B="};
    shim().StartChild({"list"});
    shim().AwaitFinal();
    const std::string listing = shim().Output(0);
    EXPECT_NE(listing.find("argv=list\n"), std::string::npos) << listing;
    EXPECT_NE(listing.find("env=A=1\n"), std::string::npos) << listing;
    EXPECT_EQ(listing.find("cwd=/proc\n") != std::string::npos, *cwd != 0) << listing;
    Reset();
  }
}

TEST_P(VersionTest, AShimPassesOverWhatANewerAgentHasAppended) {
  record::Prefix& prefix = shim().agent.prefix;
  record::SetFormat(&shim().agent);
  prefix.version = record::kRecordVersion + 1;
  prefix.size = sizeof(record::AgentHalf) + 32;
  shim().tail_byte = 0x5a;
  const record::ShimHalf half = RunAndTerminate();
  EXPECT_EQ(half.prefix.version, record::kRecordVersion);
  EXPECT_EQ(memcmp(half.prefix.boot_id, prefix.boot_id, sizeof(prefix.boot_id)), 0);
}

TEST_P(VersionTest, AShimTakesForZeroWhatAnOlderAgentDidNotHave) {
  record::SetFormat(&shim().agent);
  shim().agent.prefix.size = offsetof(record::AgentHalf, nofile_soft);
  shim().tail_byte = 0x5a;  // left by an earlier user of the slot: not of this half
  RunAndTerminate();
}

TEST_P(VersionTest, AShimRefusesAHalfThatItCannotReadAndStartsNothing) {
  record::SetFormat(&shim().agent);
  shim().agent.prefix.version = shim().agent.prefix.oldest_reader = record::kRecordVersion + 1;
  shim().refused = true;
  shim().StartChild({"exit", "0"});
  EXPECT_EQ(WEXITSTATUS(shim().AwaitShimEnd()), 65);
  EXPECT_EQ(shim().Read().flags, 0u);
}

TEST_P(VersionTest, ANewerShimServesThisAgentAndIsReadByIt) {
  shim().shim_path = SHOAL_SHIM_NEXT;
  EXPECT_EQ(RunAndTerminate().prefix.version, record::kRecordVersion + 1);
}

TEST_P(VersionTest, ANewerShimServesAnAgentOfVersion2) {
  shim().shim_path = SHOAL_SHIM_NEXT;
  shim().told_by_words = true;
  record::SetFormat2(&shim().agent);
  EXPECT_EQ(RunAndTerminate().prefix.version, record::kVersion2);
}

}  // namespace
}  // namespace shoal::testing
