// What is left where a shim was killed.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/os/process_signals.h"
#include "agent/os/procfs.h"
#include "tests/unit/os/system_shims_fixture.h"

namespace shoal::agent {
namespace {

bool IsAlive(int pid) {
  const std::optional<ProcStat> stat = ReadProcStat(pid);
  return stat && stat->state != 'Z' && stat->state != 'X';
}

TEST_F(SystemShimsTest, KilledShimIsADeathWithoutAnEnd) {
  const ShimStart start = Plan({"pause"});
  const int slot = Start(start);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kStarted));
  ASSERT_GT(shims_->Look(slot, start.id).shim->shim_pid, 1);
  kill(shims_->Look(slot, start.id).shim->shim_pid, SIGKILL);
  ASSERT_TRUE(WaitForDeath(slot));
  const ShimView view = shims_->Look(slot, start.id);
  EXPECT_FALSE(view.locked);
  EXPECT_EQ(view.shim->flags & record::kFinal, 0u);
}

TEST_F(SystemShimsTest, TreeOfAKilledShimIsEndedByItsCgroup) {
  if (!shims_->has_cgroup()) GTEST_SKIP() << shims_->cgroup_status();
  const ShimStart start =
      Plan({"daemon", "3", "ignore", "15", "pause", "--", "print", "up", "pause"});
  const int slot = Start(start);
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return OutputOf(slot, start.id) == "up"; }));
  const std::vector<int> members = *shims_->Members(EntryOf(slot, start.id));
  EXPECT_EQ(members.size(), 4u);
  ASSERT_GT(shims_->Look(slot, start.id).shim->shim_pid, 1);
  kill(shims_->Look(slot, start.id).shim->shim_pid, SIGKILL);
  ASSERT_TRUE(WaitForDeath(slot));
  EndLostTree(start.id).IgnoreError();
  EXPECT_FALSE(CgroupExists(start.id));
  for (const int pid : members) EXPECT_FALSE(IsAlive(pid)) << pid;
}

TEST_F(SystemShimsTest, ATreeThatLeftItsCgroupAndLostItsShimIsUnproven) {
  if (!shims_->has_cgroup()) GTEST_SKIP() << shims_->cgroup_status();
  if (geteuid() != 0) GTEST_SKIP() << "only root can leave for the root cgroup";
  const ShimStart start = Plan({"daemon", "3", "pause", "--", "print", "up", "pause"});
  const int slot = Start(start);
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return OutputOf(slot, start.id) == "up"; }));
  const ShimView view = shims_->Look(slot, start.id);
  std::vector<int> left = *shims_->Members(EntryOf(slot, start.id));
  std::erase(left, view.shim->pid);
  ASSERT_FALSE(left.empty());
  for (const int pid : left) {
    std::ofstream(shims_->cgroups()->path() + "/../cgroup.procs") << pid;
  }
  kill(view.shim->shim_pid, SIGKILL);
  ASSERT_TRUE(WaitForDeath(slot));
  const absl::Status ended = EndLostTree(start.id);
  for (const int pid : left) EXPECT_TRUE(IsAlive(pid)) << pid;
  EXPECT_TRUE(absl::IsFailedPrecondition(ended)) << ended;
  EXPECT_TRUE(absl::StrContains(ended.message(), "could leave")) << ended;
  for (const int pid : left) kill(pid, SIGKILL);
  EXPECT_TRUE(
      RunUntil(loop_.get(), [&] { return std::none_of(left.begin(), left.end(), IsAlive); }));
}

TEST_F(SystemShimsTest, OrphansOfAKilledShimAreFoundByTheirEnvironment) {
  ShimStart start = Plan({"daemon", "3", "pause", "--", "print", "up", "pause"});
  const std::string own = absl::StrCat("SHOAL_ID=", start.id);
  start.env.push_back(own);
  const int slot = Start(start);
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return OutputOf(slot, start.id) == "up"; }));
  ProcessEntry entry = EntryOf(slot, start.id);
  kill(shims_->Look(slot, start.id).shim->shim_pid, SIGKILL);
  ASSERT_TRUE(WaitForDeath(slot));
  const std::vector<int> orphans = shims_->Orphans(entry);
  EXPECT_EQ(orphans.size(), 3u);
  entry.id = NewId();
  EXPECT_TRUE(shims_->Orphans(entry).empty());
  for (const int pid : orphans) kill(pid, SIGKILL);
}

TEST_F(SystemShimsTest, TreeWithoutACgroupIsUnproven) {
  const absl::Status ended = EndLostTree(NewId());
  EXPECT_TRUE(absl::IsFailedPrecondition(ended)) << ended;
}

}  // namespace
}  // namespace shoal::agent
