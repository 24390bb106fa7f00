// Agent and idle shims killed or stopped in every order: no process is lost, none is run twice.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/unit/os/warm_shims_fixture.h"

namespace shoal::agent {
namespace {

TEST_F(WarmShimsTest, IdleShimsEndWithTheAgentAndLeaveTheirSlotsFree) {
  const ShimStart start = Plan({"exit", "0"});
  const int slot = Start(start);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kFinal));
  Free(slot, start.id);
  const std::vector<int> shims = Shims(true);
  shims_.reset();
  ASSERT_TRUE(RunUntil(loop_.get(), [&] {
    return std::all_of(shims.begin(), shims.end(), IsGone) && Shims(false).empty();
  }));
  for (int one = 1; one <= static_cast<int>(shims.size()); ++one) {
    EXPECT_FALSE(IsLocked(one));
    EXPECT_TRUE(Halves(one).IsFree()) << one;
  }
  OpenShims();
}

TEST_F(WarmShimsTest, ANewAgentEndsTheStoppedIdleShimsOfTheOneBefore) {
  const std::vector<int> shims = Shims(true);
  for (const int shim : shims) Stop(shim);
  RestartAgent();
  EXPECT_TRUE(shims_->Recover().empty());
  ASSERT_TRUE(RunUntil(loop_.get(), [&] {
    return std::all_of(shims.begin(), shims.end(), IsGone);
  })) << "by PID and start time";
  ASSERT_TRUE(AwaitIdle(kAtRest));
  EXPECT_TRUE(deaths_.empty());
  const ShimStart start = Plan({"exit", "0"});
  ASSERT_TRUE(WaitFor(Start(start), start.id, record::kFinal));
}

TEST_F(WarmShimsTest, ASlotThatWasFreedButNotResetIsFreeAfterACrash) {
  // The agent died between emptying its half and telling the shim; stopped or not, that ends.
  for (const bool is_stopped : {false, true}) {
    const ShimStart start = Plan({"exit", "0"});
    const int slot = Start(start);
    ASSERT_TRUE(WaitFor(slot, start.id, record::kFinal));
    const int shim = ShimOf(slot, start.id);
    running_.erase(slot);
    if (is_stopped) Stop(shim);
    const record::Area<record::AgentHalf> empty = {};
    ASSERT_EQ(pwrite(OpenRecords().get(), &empty, sizeof(empty),
                     static_cast<off_t>(slot) * static_cast<off_t>(record::kSlotBytes)),
              static_cast<ssize_t>(sizeof(empty)));
    RestartAgent();
    EXPECT_TRUE(shims_->Recover().empty());
    ASSERT_TRUE(RunUntil(loop_.get(), [&] { return IsGone(shim); }));
    ASSERT_TRUE(RunUntil(loop_.get(), [&] { return Shims(true).size() == kAtRest; }));
    EXPECT_FALSE(shims_->Look(slot, start.id).shim);
  }
}

TEST_F(WarmShimsTest, AnOutcomeThatIsNotStoredOutlivesAgentAndShim) {
  const ShimStart start = Plan({"exit", "9"});
  const int slot = Start(start);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kFinal));
  RestartAgent();
  const std::vector<std::pair<int, std::string>> found = shims_->Recover();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].second, start.id);
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return !shims_->Look(slot, start.id).locked; }));
  EXPECT_EQ(WEXITSTATUS(shims_->Look(slot, start.id).shim->wait_status), 9);
}

TEST_F(WarmShimsTest, APacketThatWasSentBeforeTheAgentDiedIsServed) {
  for (const int shim : Shims(true)) Stop(shim);
  const std::string file = scratch_ / "runs";
  const ShimStart start = Appending(file);
  const int slot = Start(start);
  const std::vector<int> stopped = Shims(true);
  RestartAgent();
  const std::vector<std::pair<int, std::string>> found = shims_->Recover();
  ASSERT_EQ(found.size(), 1u) << "the idle one is none of them";
  EXPECT_EQ(found[0], (std::pair<int, std::string>(slot, start.id)));
  EXPECT_TRUE(shims_->Look(slot, start.id).locked) << "it may run yet";
  for (const int shim : stopped) kill(shim, SIGCONT);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kFinal));
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return !shims_->Look(slot, start.id).locked; }));
  EXPECT_EQ(ReadFile(file), "once\n");
}

TEST_F(WarmShimsTest, AHalfWhosePacketWasNeverSentRunsNothing) {
  // The agent died between writing the half and sending the packet.
  int slot = 1;
  record::AgentHalf half{};
  record::SetFormat(&half);
  const std::string id = NewId();
  std::copy(id.begin(), id.end(), half.prefix.id);
  const BootIdBytes boot = *ParseBootId(*ReadBootId());
  std::copy(boot.begin(), boot.end(), half.prefix.boot_id);
  record::Area<record::AgentHalf> area = {};
  record::Pack(&half, &area);
  ASSERT_EQ(pwrite(OpenRecords().get(), &area, sizeof(area),
                   static_cast<off_t>(slot) * static_cast<off_t>(record::kSlotBytes)),
            static_cast<ssize_t>(sizeof(area)));
  RestartAgent();
  const std::vector<std::pair<int, std::string>> found = shims_->Recover();
  ASSERT_EQ(found.size(), 1u);
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return !shims_->Look(slot, id).locked; }));
  EXPECT_FALSE(shims_->Look(slot, id).shim);
  shims_->Free(slot, id);
  ASSERT_TRUE(AwaitIdle(kAtRest));
  deaths_.clear();
}

// At each step of a shim that stays, killed or stopped, the outcome is told once, and the next process
// runs.
TEST_F(WarmShimsTest, KilledOrStoppedAtEachStepAShimCostsItsOwnProcessOnly) {
  const std::vector<std::string> steps = {"agent-read", "first-half", "forked",       "executed",
                                          "started",    "reaped",     "exit-written", "empty",
                                          "final",      "over",       "freed",        "idle"};
  for (const absl::string_view action : {"kill", "stop"}) {
    for (const std::string& step : steps) {
      SCOPED_TRACE(absl::StrCat(step, "=", action));
      // The descendant has each shim write more than once between the start and the end.
      ShimStart start = Plan({"daemon", "1", "pause", "--", "exit", "3"});
      start.desired.grace_ns = 1'000'000;
      const std::string failpoint = absl::StrCat("SHOAL_SHIM_FAILPOINT=", step, "=", action);
      start.env.push_back(failpoint);
      const int slot = Start(start);
      const bool is_after = step == "final" || step == "over" || step == "freed" || step == "idle";
      if (is_after) {
        ASSERT_TRUE(WaitFor(slot, start.id, record::kFinal));
        EXPECT_EQ(WEXITSTATUS(shims_->Look(slot, start.id).shim->wait_status), 3);
      } else if (action == "kill") {
        ASSERT_TRUE(WaitForDeath(slot));
        const ShimView view = shims_->Look(slot, start.id);
        EXPECT_EQ(!view.shim, step == "agent-read");
        EndLostTree(start.id).IgnoreError();
      } else {
        int stopped = 0;
        ASSERT_TRUE(RunUntil(loop_.get(), [&] {
          for (const int pid : Shims(false)) {
            const std::optional<ProcStat> stat = ReadProcStat(pid);
            if (stat && stat->state == 'T') stopped = pid;
          }
          return stopped != 0;
        }));
        kill(stopped, SIGCONT);
        ASSERT_TRUE(WaitFor(slot, start.id, record::kFinal));
        EXPECT_EQ(WEXITSTATUS(shims_->Look(slot, start.id).shim->wait_status), 3);
      }
      const int shim = ShimOf(slot, start.id);
      Free(slot, start.id);
      // There it comes if it gets no other process meanwhile.
      if (step == "freed" || step == "idle") {
        ASSERT_TRUE(RunUntil(loop_.get(), [&] {
          const std::optional<ProcStat> stat = ReadProcStat(shim);
          return !stat || stat->state == 'Z' || stat->state == 'T';
        }));
      }
      // Whatever state that shim is in, this is served.
      const ShimStart next = Plan({"exit", "5"});
      int next_slot = Start(next);
      ASSERT_TRUE(RunUntil(loop_.get(), [&] {
        const ShimView view = shims_->Look(next_slot, next.id);
        if (view.shim && IsFinal(*view.shim)) return true;
        if (view.locked && view.agent) return false;
        shims_->Free(next_slot, next.id);  // given to the stopped one, or to one that has died
        running_.erase(next_slot);
        next_slot = Start(next);
        return false;
      }));
      EXPECT_EQ(WEXITSTATUS(shims_->Look(next_slot, next.id).shim->wait_status), 5);
      Free(next_slot, next.id);
      deaths_.clear();
      // What is stopped while it is idle is let go, and another in its place.
      for (const int pid : Shims(true)) kill(pid, SIGCONT);
      for (const int pid : Shims(false)) kill(pid, SIGCONT);
    }
  }
}

}  // namespace
}  // namespace shoal::agent
