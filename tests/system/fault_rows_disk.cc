// Rows of the fault table: a state disk that the output of one process has filled.
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/system/fault_table.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// "web", which writes until its output has no room any more.
void FillWithOutput(FaultTest& test, v1::OverflowPolicy overflow) {
  v1::ProcessSpec spec = SpecOf({"yes"}, "web");
  spec.mutable_output()->set_overflow(overflow);
  const grpc::Status status = test.Spawn(spec);
  ASSERT_TRUE(status.ok()) << Describe(status);
  ASSERT_TRUE(test.stub().WatchUntil(
      [](const v1::Process& seen) { return seen.output_error_number() == ENOSPC; }));
}

// No stop, restart or rm waits for the output, and each says what has become of it.
void StopAndRemoveOnAFullDisk(FaultTest& test, v1::OverflowPolicy overflow) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to mount";
  AgentProcess& agent = test.AddAgent("ant");
  agent.options().flags.push_back("--idle-shims=0");  // each shim ends with its process
  MountSmallState(test, agent, 5 << 20);
  ASSERT_TRUE(agent.Start());
  FillWithOutput(test, overflow);
  EXPECT_THAT(test.Shoal({"why", "web"}).out,
              HasSubstr("Its output cannot be written: No space left on device"));
  const CommandResult stopped = test.Shoal({"stop", "--grace", "7s", "web"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  EXPECT_THAT(stopped.out, HasSubstr("its tree of 1 process is empty"));
  EXPECT_FALSE(test.stub().Get("web").output_complete());

  agent.Kill();
  ASSERT_TRUE(agent.Start());
  const std::string why = test.Shoal({"why", "web"}).out;
  EXPECT_THAT(
      why, HasSubstr(absl::StrCat("uid ", geteuid(), " asked for its end (SIGTERM, grace 7 s)")));
  EXPECT_THAT(why, HasSubstr("the rest waits for room"));
  EXPECT_THAT(why, HasSubstr("`shoal rm` drops the rest"));

  CommandResult removed = test.Shoal({"rm", "web"});
  if (removed.exit_code == 75) {
    // The database has no reserve: then nothing is removed, and that is said.
    EXPECT_THAT(removed.err, HasSubstr("the disk is full"));
    const std::string state = agent.state_dir();
    ASSERT_EQ(mount(nullptr, state.c_str(), nullptr, MS_REMOUNT, "size=16m"), 0) << errno;
    removed = test.Shoal({"rm", "web"});
  }
  EXPECT_EQ(removed.exit_code, 0) << removed;
  WaitUntil("its shim has ended", [&] { return DescendantsWith("shoal-shim").empty(); });
  test.ExpectServing();
  agent.Stop();
  umount2(agent.state_dir().c_str(), MNT_DETACH);
}

void BlockedOutputOnAFullDisk(FaultTest& test) {
  StopAndRemoveOnAFullDisk(test, v1::OVERFLOW_POLICY_BLOCK);
}

void DroppedOutputOnAFullDisk(FaultTest& test) {
  StopAndRemoveOnAFullDisk(test, v1::OVERFLOW_POLICY_DROP_OLDEST);
}

void RunOnAFullDisk(FaultTest& test) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to mount";
  AgentProcess& agent = test.AddAgent("ant");
  agent.options().flags.push_back("--idle-shims=0");  // each shim ends with its process
  MountSmallState(test, agent, 5 << 20);
  ASSERT_TRUE(agent.Start());
  const auto run = test.StartShoal({"run", "-n", "1", "--", "yes"});
  ASSERT_TRUE(run->WaitForError("output of rank 0 cannot be written: No space left on device"));
  run->Signal(SIGINT);
  const CommandResult ended = run->Wait();
  EXPECT_EQ(ended.exit_code, 128 + SIGINT);
  EXPECT_THAT(ended.err, HasSubstr("could not be written; that is dropped"));
  EXPECT_THAT(ended.err, Not(HasSubstr("Not ended on")));
  WaitUntil("its shim has ended", [&] { return DescendantsWith("shoal-shim").empty(); });
  test.ExpectServing();
  agent.Stop();
  umount2(agent.state_dir().c_str(), MNT_DETACH);
}

// The journal has a reserve that output leaves alone.
void SpawnsOnADiskFullOfOutput(FaultTest& test) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to mount";
  AgentProcess& agent = test.AddAgent("ant");
  MountSmallState(test, agent,
                  4 << 20);  // the output stays below the half that one identity may have
  ASSERT_TRUE(agent.Start());
  FillWithOutput(test, v1::OVERFLOW_POLICY_BLOCK);
  for (int i = 0; i < 20; ++i) {
    const grpc::Status status = test.Spawn(SpecOf({"true"}, absl::StrCat("one-", i)));
    ASSERT_TRUE(status.ok()) << i << ": " << Describe(status);
  }
  EXPECT_EQ(test.Shoal({"stop", "--grace", "0s", "web"}).exit_code, 0);
  EXPECT_EQ(test.Shoal({"rm", "web"}).exit_code, 0);
  agent.Stop();
  umount2(agent.state_dir().c_str(), MNT_DETACH);
}

}  // namespace

std::vector<FaultRow> DiskRows() {
  return {
      {169, "StopAndRmDoNotWaitForOutputThatHasNoRoom", BlockedOutputOnAFullDisk, false},
      {169, "NorDoTheyUnderDropOldest", DroppedOutputOnAFullDisk, false},
      {169, "OneCtrlCEndsARunWhoseOutputHasNoRoom", RunOnAFullDisk, false},
      {187, "ADiskFullOfOutputRefusesNoSpawn", SpawnsOnADiskFullOfOutput, false},
  };
}

}  // namespace shoal::testing
