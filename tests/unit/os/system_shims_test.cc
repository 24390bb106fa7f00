// The real shim under the real system layer: this test is the agent.
#include "agent/os/system_shims.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/os/descriptor.h"
#include "agent/os/process_signals.h"
#include "agent/os/procfs.h"
#include "common/ids.h"
#include "tests/unit/os/system_shims_fixture.h"

namespace shoal::agent {
namespace {

TEST_F(SystemShimsTest, ProcessRunsAndItsExitIsRecorded) {
  const ShimStart start = Plan({"print", "hello", "exit", "7"});
  const int slot = Start(start);
  ASSERT_TRUE(WaitForDeath(slot));
  const ShimView view = shims_->Look(slot, start.id);
  EXPECT_FALSE(view.locked);
  EXPECT_FALSE(view.damaged);
  ASSERT_TRUE(view.agent.has_value());
  ASSERT_TRUE(view.shim.has_value());
  EXPECT_NE(view.shim->flags & record::kFinal, 0u);
  EXPECT_EQ(WEXITSTATUS(view.shim->wait_status), 7);
  EXPECT_EQ(OutputOf(slot, start.id), "hello");
  EXPECT_EQ(reports_, std::set<int>{slot});
  EXPECT_EQ(deaths_.size(), 1u);
  EXPECT_EQ(deaths_[0].id, start.id);
}

TEST_F(SystemShimsTest, RefusedProgramIsRecordedWithStageAndErrno) {
  ShimStart start = Plan({});
  start.argv = {"/nowhere/program"};
  const int slot = Start(start);
  ASSERT_TRUE(WaitForDeath(slot));
  const ShimView view = shims_->Look(slot, start.id);
  ASSERT_TRUE(view.shim.has_value());
  EXPECT_EQ(view.shim->fail_stage, record::Stage::kExec);
  EXPECT_EQ(view.shim->fail_errno, ENOENT);
}

TEST_F(SystemShimsTest, ProcessHasItsSpecsWordsEnvironmentAndDescriptorsOnly) {
  const ShimStart start = Plan({"list"});
  const int slot = Start(start);
  ASSERT_TRUE(WaitForDeath(slot));
  const std::string listing = OutputOf(slot, start.id);
  EXPECT_TRUE(absl::StrContains(listing, "fd=0 /dev/null\n")) << listing;
  EXPECT_TRUE(absl::StrContains(listing, "fd=2 pipe:")) << listing;
  EXPECT_FALSE(absl::StrContains(listing, "fd=3 ")) << listing;
  EXPECT_TRUE(absl::StrContains(listing, "cwd=/\n")) << listing;
  EXPECT_TRUE(absl::StrContains(listing, "env=A=b\n")) << listing;
  EXPECT_TRUE(absl::StrContains(listing, "SigBlk=0000000000000000\n")) << listing;
}

TEST_F(SystemShimsTest, ShimShowsSlotIdAndANameThatIsNoneOfItsProcesssWords) {
  const struct {
    std::string name, word;
    bool is_shown;
  } cases[] = {{"web-1", "x", true}, {"web", "/srv/web.py", false}, {"web.py-7", "./web.py", false},
               {"", "x", false},     {"job-0", "0", true},          {"web", "--title=web", false}};
  for (const auto& c : cases) {
    ShimStart start = Plan({"print", c.word, "print", "s3cret", "pause"});
    start.name = c.name;
    const int slot = Start(start);
    ASSERT_TRUE(WaitFor(slot, start.id, record::kStarted));
    const int shim = shims_->Look(slot, start.id).shim->shim_pid;
    std::string words = absl::StrCat("shoal-shim ", slot, " ", start.id);
    if (c.is_shown) absl::StrAppend(&words, " ", c.name);
    const std::string seen = ReadFile(absl::StrCat("/proc/", shim, "/cmdline"));
    EXPECT_EQ(absl::StrReplaceAll(seen, {{std::string(1, '\0'), " "}}), words + " ") << c.name;
    EXPECT_EQ(ReadFile(absl::StrCat("/proc/", shim, "/environ")), "");
    deaths_.clear();
    End(slot, start.id);
  }
}

TEST_F(SystemShimsTest, ProcessHasTheOriginalDescriptorLimit) {
  ShimStart start = Plan({});
  start.argv = {"/bin/sh", "-c", "ulimit -Sn"};
  const int slot = Start(start);
  ASSERT_TRUE(WaitForDeath(slot));
  EXPECT_EQ(OutputOf(slot, start.id), absl::StrCat(kSoftLimit, "\n"));
}

TEST_F(SystemShimsTest, ToldShimEndsItsProcess) {
  const ShimStart start = Plan({"ignore", "15", "pause"});
  const int slot = Start(start);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kStarted));
  shims_->Tell(
      slot, "ANOTHERIDOFSIXTE", [](record::AgentHalf& half) { half.flags = ~0u; }, true);
  EXPECT_EQ(shims_->Look(slot, start.id).agent->prefix.sequence, 1u);
  Terminate(slot, start.id);
  ASSERT_TRUE(WaitForDeath(slot));
  const ShimView view = shims_->Look(slot, start.id);
  EXPECT_EQ(WTERMSIG(view.shim->wait_status), SIGKILL);
  EXPECT_NE(view.shim->flags & record::kEmpty, 0u);
}

TEST_F(SystemShimsTest, SlotIsFreeOnlyWhenItsShimIsGone) {
  const ShimStart start = Plan({"exit", "0"});
  const int slot = Start(start);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kFinal));
  deaths_.clear();
  shims_->Free(slot, start.id);
  running_.erase(slot);
  // Whether the shim has ended by now or not, the next gets a slot that works.
  const ShimStart next = Plan({"exit", "3"});
  const int next_slot = Start(next);
  ASSERT_TRUE(WaitForDeath(next_slot));
  EXPECT_EQ(WEXITSTATUS(shims_->Look(next_slot, next.id).shim->wait_status), 3);
  // It may end later than the next one.
  EXPECT_TRUE(slot == next_slot ||
              RunUntil(loop_.get(), [&] { return !shims_->Look(slot, start.id).shim; }));
  EXPECT_FALSE(shims_->has_cgroup() && CgroupExists(start.id));
}

TEST_F(SystemShimsTest, RestartedAgentHasEveryProcessAgain) {
  const ShimStart lives = Plan({"pause"});
  const ShimStart exits = Plan({"open-fifo", scratch_ / "gate", "exit", "9"});
  ASSERT_EQ(mkfifo((scratch_ / "gate").c_str(), 0600), 0);
  const int lives_slot = Start(lives);
  const int exits_slot = Start(exits);
  ASSERT_TRUE(WaitFor(lives_slot, lives.id, record::kStarted));
  ASSERT_TRUE(WaitFor(exits_slot, exits.id, record::kStarted));
  shims_.reset();
  { const UniqueFd gate(open((scratch_ / "gate").c_str(), O_WRONLY | O_CLOEXEC)); }
  OpenShims();
  EXPECT_FALSE(shims_->WereLost());
  const std::vector<std::pair<int, std::string>> found = shims_->Recover();
  EXPECT_EQ(found, (std::vector<std::pair<int, std::string>>{{lives_slot, lives.id},
                                                             {exits_slot, exits.id}}));
  ASSERT_TRUE(WaitFor(exits_slot, exits.id, record::kFinal));
  EXPECT_EQ(WEXITSTATUS(shims_->Look(exits_slot, exits.id).shim->wait_status), 9);
  EXPECT_TRUE(shims_->Look(lives_slot, lives.id).locked);
  Terminate(lives_slot, lives.id);
  ASSERT_TRUE(WaitForDeath(lives_slot));
  EXPECT_NE(shims_->Look(lives_slot, lives.id).shim->flags & record::kEmpty, 0u);
}

TEST_F(SystemShimsTest, EndThatWasWrittenButNotSignalledIsHeardAfterTheRestart) {
  const ShimStart start = Plan({"pause"});
  const int slot = Start(start);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kStarted));
  shims_->Tell(
      slot, start.id,
      [](record::AgentHalf& half) {
        ++half.terminate_serial;
        half.terminate_cause = record::EndCause::kRequested;
        half.terminate_signal = SIGKILL;
      },
      /*wake=*/false);
  RestartAgent();
  shims_->Recover();
  ASSERT_TRUE(WaitForDeath(slot));
}

TEST_F(SystemShimsTest, ShimThatHasNotWrittenItsHalfIsWatchedByItsLock) {
  const ShimStart start = Plan({"exit", "0"});
  const int slot = Start(start);
  ASSERT_TRUE(WaitForDeath(slot));
  // Its half is wiped, and this test holds the lock in its stead.
  UniqueFd lock(open((scratch_ / "records").c_str(), O_RDWR | O_CLOEXEC));
  const record::ShimHalf empty{};
  ASSERT_EQ(pwrite(lock.get(), &empty, sizeof(empty),
                   static_cast<off_t>(slot * record::kSlotBytes + record::kShimHalfOffset)),
            static_cast<ssize_t>(sizeof(empty)));
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_start = static_cast<off_t>(slot * record::kSlotBytes);
  range.l_len = record::kSlotBytes;
  ASSERT_EQ(fcntl(lock.get(), F_OFD_SETLK, &range), 0);
  deaths_.clear();
  RestartAgent();
  ASSERT_EQ(shims_->Recover().size(), 1u);
  EXPECT_TRUE(shims_->Look(slot, start.id).locked);
  lock.Reset();
  ASSERT_TRUE(WaitForDeath(slot));
  EXPECT_FALSE(shims_->Look(slot, start.id).locked);
}

TEST_F(SystemShimsTest, WantOfDescriptorsIsSaidAndLeavesNothingBehind) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit tight = {.rlim_cur = 30, .rlim_max = limit.rlim_max};
  std::vector<UniqueFd> hogs;
  setrlimit(RLIMIT_NOFILE, &tight);
  while (true) {
    UniqueFd fd(fcntl(0, F_DUPFD_CLOEXEC, 0));
    if (!fd) break;
    hogs.push_back(std::move(fd));
  }
  const ShimStart start = Plan({"exit", "0"});
  // With none, one and two descriptors left; three are enough.
  for (int spare = 0; spare < 3; ++spare) {
    const absl::StatusOr<int> slot = shims_->Start(start);
    if (slot.ok()) {
      running_[*slot] = start.id;
      break;
    }
    EXPECT_TRUE(absl::IsResourceExhausted(slot.status())) << slot.status();
    hogs.pop_back();
  }
  hogs.clear();
  setrlimit(RLIMIT_NOFILE, &limit);
  if (running_.empty()) Start(start);
  const int slot = running_.begin()->first;
  EXPECT_EQ(slot, 1);
  ASSERT_TRUE(WaitForDeath(slot));
}

TEST_F(SystemShimsTest, ShimsAreWokenWhereNoDescriptorIsLeft) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  std::vector<ShimStart> starts;
  for (int i = 0; i < 3; ++i) {
    starts.push_back(Plan({"pause"}));
    EXPECT_TRUE(WaitFor(Start(starts.back()), starts.back().id, record::kStarted));
  }
  RestartAgent();
  const rlimit tight = {.rlim_cur = 100, .rlim_max = limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &tight);
  std::vector<UniqueFd> hogs;
  while (true) {
    UniqueFd fd(fcntl(0, F_DUPFD_CLOEXEC, 0));
    if (!fd) break;
    hogs.push_back(std::move(fd));
  }
  shims_->Recover();
  for (const auto& [slot, id] : running_) Terminate(slot, id);
  for (const auto& [slot, id] : running_) EXPECT_TRUE(WaitForDeath(slot));
  hogs.clear();
  setrlimit(RLIMIT_NOFILE, &limit);
}

TEST_F(SystemShimsTest, SignalsReachProcessGroupAndTree) {
  const ShimStart start =
      Plan({"on-signal", "12", "main", "0", "daemon", "1", "pause", "--", "print", "up ", "pause"});
  const int slot = Start(start);
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return OutputOf(slot, start.id) == "up "; }));
  const ProcessEntry entry = EntryOf(slot, start.id);
  EXPECT_EQ(shims_->Members(entry)->size(), 2u);
  EXPECT_EQ(UsageOf(entry.pid, *shims_->Members(entry)).descendants, 1);
  EXPECT_TRUE(shims_->Signal(entry, SIGCONT, SignalScope::kTree).ok());
  EXPECT_TRUE(shims_->Signal(entry, SIGCONT, SignalScope::kGroup).ok());
  EXPECT_TRUE(shims_->Signal(entry, SIGUSR2, SignalScope::kProcess).ok());
  ASSERT_TRUE(WaitFor(slot, start.id, record::kExited));
  EXPECT_TRUE(RunUntil(loop_.get(), [&] { return OutputOf(slot, start.id) == "up main"; }))
      << "an exit is reported before the output that came with it";
  EXPECT_TRUE(absl::IsFailedPrecondition(shims_->Signal(entry, SIGUSR2, SignalScope::kProcess)));
}

// The process of one slot forks another, whose shim adopts it in a slot that this test plays.
TEST_F(SystemShimsTest, WhatATemplateForkedIsNotOfItsTree) {
  constexpr int kSlot = 7;
  ASSERT_EQ(symlink("reports", absl::StrCat(scratch_.path(), "/fifo").c_str()), 0);
  record::AgentHalf half = {};
  memcpy(half.prefix.id, NewId().data(), sizeof(half.prefix.id));
  half.flags = record::kNoCgroup;
  half.segment_bytes = record::kDefaultSegmentBytes;
  const BootIdBytes boot = *ParseBootId(*ReadBootId());
  std::copy(boot.begin(), boot.end(), half.prefix.boot_id);
  record::SetFormat(&half);
  record::Area<record::AgentHalf> area = {};
  record::Pack(&half, &area);
  const std::string records = absl::StrCat(scratch_.path(), "/records");
  UniqueFd file = *OpenAt(AT_FDCWD, records, O_RDWR);
  const auto at = static_cast<off_t>(kSlot * record::kSlotBytes);
  ASSERT_EQ(pwrite(file.get(), &area, sizeof(area), at), static_cast<ssize_t>(sizeof(area)));

  const ShimStart start = Plan({"fork-by", SHOAL_SHIM, absl::StrCat(kSlot), "sibling",
                                scratch_.path(), "-", "-", "pause", "--", "print", "up", "pause"});
  const int slot = Start(start);
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return OutputOf(slot, start.id) == "up"; }));
  record::ShimHalf adopting = {};
  ASSERT_TRUE(RunUntil(loop_.get(), [&] {
    const auto shim_at = at + static_cast<off_t>(record::kShimHalfOffset);
    record::Area<record::ShimHalf> written = {};
    return pread(file.get(), &written, sizeof(written), shim_at) > 0 &&
           record::Unpack(written, &adopting) == record::Reading::kIntact &&
           (adopting.flags & record::kStarted) != 0;
  }));

  const pid_t shim = shims_->Look(slot, start.id).shim->shim_pid;
  const auto never = [](const ProcStat&) { return false; };
  const auto apart = [this](const ProcStat& stat) { return shims_->IsAdoptingShim(stat); };
  EXPECT_EQ(DescendantsOf(shim, never)->size(), 3u) << "the kernel sees all below one shim";
  EXPECT_EQ(*DescendantsOf(shim, apart), std::vector<int>{EntryOf(slot, start.id).pid});
  EXPECT_EQ(*DescendantsOf(adopting.shim_pid, apart), std::vector<int>{adopting.pid});

  ASSERT_GT(adopting.pid, 1);
  kill(adopting.pid, SIGKILL);
  EXPECT_TRUE(RunUntil(loop_.get(), [&] { return !ReadProcStat(adopting.shim_pid); }));
}

TEST_F(SystemShimsTest, SecondAgentIsRefusedAndTheFirstGoesOn) {
  const auto second = SystemShims::Open(loop_.get(), {.run_dir = scratch_.path(),
                                                      .shim_path = SHOAL_SHIM,
                                                      .boot_id = *ReadBootId(),
                                                      .output_directory = output_.get(),
                                                      .cgroup_base = "",
                                                      .unique = "second",
                                                      .nofile_soft = 0,
                                                      .base_path = ""});
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  const ShimStart start = Plan({"exit", "0"});
  EXPECT_TRUE(WaitForDeath(Start(start)));
}

TEST_F(SystemShimsTest, ReplacedShimBinaryChangesNothing) {
  const std::string copy = scratch_ / "shim";
  std::filesystem::copy_file(SHOAL_SHIM, copy);
  auto spawner = ShimSpawner::Open(copy);
  ASSERT_TRUE(spawner.ok()) << spawner.status();
  std::filesystem::remove(copy);
  WriteFile(copy, "not a program", 0755);
  // Without a record slot it refuses to work, but it is the shim that says so, by exit status 65.
  const UniqueFd null = *OpenAt(AT_FDCWD, "/dev/null", O_RDWR);
  const absl::StatusOr<pid_t> pid =
      (*spawner)->Spawn(1, Plan({}), {null.get(), null.get(), null.get(), null.get(), -1});
  ASSERT_TRUE(pid.ok()) << pid.status();
  int status = 0;
  ASSERT_EQ(waitpid(*pid, &status, 0), *pid);
  EXPECT_EQ(WEXITSTATUS(status), 65);
}

TEST(ShimSpawner, MissingOrPlainFileIsRefused) {
  ScratchDirectory scratch;
  WriteFile(scratch / "plain", "x", 0644);
  EXPECT_TRUE(absl::IsNotFound(ShimSpawner::Open(scratch / "none").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(ShimSpawner::Open(scratch / "plain").status()));
}

}  // namespace
}  // namespace shoal::agent
