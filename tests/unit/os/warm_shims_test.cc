// Shims that serve one process after another.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "agent/os/start_payload.h"
#include "agent/record/orders.h"
#include "tests/unit/os/warm_shims_fixture.h"

namespace shoal::agent {
namespace {

TEST_F(WarmShimsTest, AnIdleShimServesAProcessAndIsIdleAgain) {
  const std::vector<int> idle = Shims(true);
  ShimStart start = Plan({"print", "hello", "exit", "7"});
  start.name = "web";
  const int slot = Start(start);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kFinal));
  const record::ShimHalf half = *shims_->Look(slot, start.id).shim;
  EXPECT_NE(std::find(idle.begin(), idle.end(), half.shim_pid), idle.end());
  EXPECT_EQ(half.shim_start_ticks, ReadProcStat(half.shim_pid)->start_ticks);
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 7);
  EXPECT_NE(half.flags & record::kStays, 0u);
  EXPECT_EQ(OutputOf(slot, start.id), "hello");
  const std::string words = ReadCommandLine(half.shim_pid);
  EXPECT_TRUE(absl::StrContains(words, absl::StrCat(start.id, std::string(1, '\0'), "web")))
      << words;
  EXPECT_TRUE(deaths_.empty());
  EXPECT_TRUE(Halves(slot).agent) << "until it is freed the record is all that knows the exit";
  EXPECT_TRUE(HasId(*Halves(slot).shim, start.id));
  Free(slot, start.id);
  EXPECT_FALSE(Halves(slot).agent);
  ASSERT_TRUE(
      RunUntil(loop_.get(), [&] { return (Halves(slot).shim->flags & record::kIdle) != 0; }));
  const record::ShimHalf idle_half = *Halves(slot).shim;
  EXPECT_TRUE(HasId(idle_half, std::string(record::kIdBytes, '\0')));
  EXPECT_EQ(idle_half.shim_pid, half.shim_pid);
  EXPECT_EQ(idle_half.shim_start_ticks, half.shim_start_ticks);
  EXPECT_TRUE(IsLocked(slot));
  EXPECT_FALSE(CgroupExists(start.id));
  ASSERT_TRUE(RunUntil(
      loop_.get(), [&] { return !absl::StrContains(ReadCommandLine(half.shim_pid), start.id); }));
}

std::vector<std::string> LinesOf(const std::string& path) {
  return absl::StrSplit(ReadFile(path), '\n');
}

// What /proc shows of a shim while its process runs, or of the process: all but what counts.
std::string FactsOf(int pid) {
  constexpr absl::string_view kKept[] = {
      "Name",   "Umask",   "TracerPid",  "Uid",     "Gid",         "FDSize",
      "Groups", "Threads", "SigPnd",     "ShdPnd",  "SigBlk",      "SigIgn",
      "SigCgt", "CapEff",  "NoNewPrivs", "Seccomp", "Cpus_allowed"};
  std::string facts;
  const std::string directory = absl::StrCat("/proc/", pid);
  for (const std::string& line : LinesOf(directory + "/status")) {
    const std::string key = line.substr(0, line.find(':'));
    if (std::find(std::begin(kKept), std::end(kKept), key) != std::end(kKept)) {
      absl::StrAppend(&facts, line, "\n");
    }
  }
  std::vector<std::string> descriptors;
  for (const auto& entry : std::filesystem::directory_iterator(directory + "/fd")) {
    std::error_code gone;
    std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    target = target.substr(0, target.find(":["));  // pipe:[NUMBER]
    if (absl::EndsWith(target, ".idx")) continue;  // only if output came at more times than one
    descriptors.push_back(absl::StrCat("fd ", entry.path().filename().string(), " ", target));
  }
  std::sort(descriptors.begin(), descriptors.end());
  for (const std::string& descriptor : descriptors) absl::StrAppend(&facts, descriptor, "\n");
  for (const char* file : {"/limits", "/cgroup", "/oom_score_adj"}) {
    absl::StrAppend(&facts, ReadFile(directory + file));
  }
  return facts;
}

#ifdef SHOAL_SANITIZED
constexpr bool kKeepsWhatWasFreed = true;
#else
constexpr bool kKeepsWhatWasFreed = false;
#endif

int64_t PrivateKib(int pid) {
  int64_t kib = 0;
  for (const std::string& line : LinesOf(absl::StrCat("/proc/", pid, "/smaps_rollup"))) {
    if (absl::StartsWith(line, "Private_")) kib += atoi(line.substr(line.find(':') + 1).c_str());
  }
  return kib;
}

size_t MapsOf(int pid) { return LinesOf(absl::StrCat("/proc/", pid, "/maps")).size(); }

TEST_F(WarmShimsTest, TheHundredthProcessFindsWhatTheFirstFound) {
  // One shim for all of them: the other one is busy.
  const ShimStart other = Plan({"pause"});
  Start(other);
  std::string first_shim, first_process, first_listing;
  int64_t first_kib = 0;
  size_t first_maps = 0;
  int shim = 0;
  for (int i = 1; i <= 100; ++i) {
    // Those in between do what may leave something: much output, children, an end that is asked for,
    // a result, a program that is not there.
    const bool is_looked_at = i == 1 || i == 100;
    ShimStart start = Plan({"list", "pause"});
    if (!is_looked_at) {
      const std::vector<std::vector<std::string>> kinds = {
          {"print", std::string(5000, 'x'), "eprint", "y", "exit", "3"},
          {"daemon", "3", "pause", "--", "print", "up", "exit", "0"},
          {"ignore", "15", "print", "up", "pause"},
          {"return", "result", "exit", "0"}};
      start = Plan(kinds[static_cast<size_t>(i) % kinds.size()]);
      start.desired.grace_ns = 1'000'000;
      if (i % 4 == 3) start.desired.flags |= record::kResultStream;
      if (i % 10 == 9) start.argv = {"/nowhere/program"};
    }
    const std::string id = start.id;
    const int slot = Start(start);
    if (is_looked_at) {
      ASSERT_TRUE(
          RunUntil(loop_.get(), [&] { return absl::StrContains(OutputOf(slot, id), "SigBlk="); }));
    } else if (i % 4 == 2 && i % 10 != 9) {
      ASSERT_TRUE(RunUntil(loop_.get(), [&] { return OutputOf(slot, id) == "up"; }));
      Terminate(slot, id);
    }
    if (is_looked_at) {
      const record::ShimHalf half = *shims_->Look(slot, id).shim;
      const std::string own_cgroup = absl::StrCat("/", id, "\n");
      EXPECT_TRUE(
          absl::EndsWith(ReadFile(absl::StrCat("/proc/", half.pid, "/cgroup")), own_cgroup));
      std::string of_process = FactsOf(half.pid);
      of_process = absl::StrReplaceAll(of_process, {{id, "ID"}});
      const std::string of_shim = absl::StrReplaceAll(FactsOf(half.shim_pid), {{id, "ID"}});
      std::string listing = OutputOf(slot, id);
      for (size_t at = listing.find("pid="); at != std::string::npos;
           at = listing.find("pid=", at)) {
        listing.erase(at, listing.find('\n', at) - at);
      }
      if (i == 1) {
        shim = half.shim_pid;
        first_process = of_process;
        first_shim = of_shim;
        first_kib = PrivateKib(shim);
        first_maps = MapsOf(shim);
      } else {
        EXPECT_EQ(half.shim_pid, shim);
        EXPECT_EQ(of_process, first_process);
        EXPECT_EQ(of_shim, first_shim);
        if (!kKeepsWhatWasFreed) {
          EXPECT_LE(PrivateKib(shim), first_kib + 32) << "some pages of stack and heap";
          EXPECT_LE(MapsOf(shim), first_maps + 3) << "the heap";
        }
        EXPECT_EQ(half.usage.user_ns >= 0 && half.usage.max_rss_bytes == 0, true);
        EXPECT_EQ(half.streams[record::kStderr].end, 0);
        EXPECT_EQ(half.descendant_count, 0);
        EXPECT_EQ(half.terminate_serial, 0u);
      }
      Terminate(slot, id);
    }
    ASSERT_TRUE(WaitFor(slot, id, record::kFinal)) << i;
    ASSERT_EQ(ShimOf(slot, id), i == 1 ? ShimOf(slot, id) : shim) << i;
    Free(slot, id);
  }
}

// What fits into the packet travels in it, what is longer as a file beside it: each byte of both arrives.
TEST_F(WarmShimsTest, ACommandOfAnyLengthArrivesWhole) {
  const std::string file = scratch_ / "words";
  for (const size_t size : {record::kMaxPayloadBytes - 1, record::kMaxPayloadBytes,
                            record::kMaxPayloadBytes + 1, 4 * record::kMaxPayloadBytes}) {
    SCOPED_TRACE(size);
    ShimStart start = Plan({});
    start.argv = {"/bin/sh", "-c", absl::StrCat("printf %s \"$*\" > ", file), "sh"};
    while (PayloadOf(start).size() + 100 < size) start.argv.push_back("a");
    const size_t rest = size - PayloadOf(start).size() - sizeof("arg=");
    start.argv.push_back(std::string(rest, 'b'));
    ASSERT_EQ(PayloadOf(start).size(), size);
    ASSERT_TRUE(AwaitIdle(kAtRest));
    RunThrough(start);
    EXPECT_EQ(ReadFile(file), absl::StrJoin(start.argv.begin() + 4, start.argv.end(), " "));
  }
}

// As those of a process that was deleted before it was over.
TEST_F(WarmShimsTest, AProcessMayBeFreedWithinItsLastReport) {
  for (int i = 0; i < 3; ++i) {
    const ShimStart start = Plan({"exit", "0"});
    const int slot = Start(start);
    bool is_freed = false;
    on_report_ = [&](int reported) {
      const ShimView view = shims_->Look(slot, start.id);
      if (reported != slot || !view.shim || !IsFinal(*view.shim)) return;
      Free(slot, start.id);
      is_freed = true;
    };
    ASSERT_TRUE(RunUntil(loop_.get(), [&] { return is_freed; }));
    on_report_ = nullptr;
    EXPECT_FALSE(CgroupExists(start.id));
  }
  EXPECT_TRUE(deaths_.empty());
}

TEST_F(WarmShimsTest, AnIdleShimThatIsKilledInBetweenCostsNothing) {
  for (const int shim : Shims(true)) ASSERT_EQ(kill(shim, SIGKILL), 0);
  // The agent has not heard of it: the packet goes where it is never taken.
  const std::string file = scratch_ / "runs";
  const ShimStart start = Appending(file);
  const int slot = Start(start);
  ASSERT_TRUE(WaitForDeath(slot));
  const ShimView view = shims_->Look(slot, start.id);
  EXPECT_FALSE(view.locked);
  EXPECT_FALSE(view.damaged);
  EXPECT_FALSE(view.shim) << "nothing ran";
  Free(slot, start.id);
  const int again = Start(start);
  ASSERT_TRUE(WaitFor(again, start.id, record::kFinal));
  EXPECT_EQ(ReadFile(file), "once\n");
  deaths_.clear();
}

TEST_F(WarmShimsTest, AStoppedShimGivesItsPacketBackAndIsEnded) {
  const std::vector<int> idle = Shims(true);
  for (const int shim : idle) Stop(shim);
  const std::string file = scratch_ / "runs";
  const ShimStart start = Appending(file);
  const int slot = Start(start);
  ASSERT_TRUE(WaitForDeath(slot)) << "told like a death: nothing ran";
  EXPECT_FALSE(shims_->Look(slot, start.id).agent);
  EXPECT_FALSE(shims_->Look(slot, start.id).shim);
  running_.erase(slot);
  shims_->Free(slot, start.id);  // as the agent does, by the old number
  const int again = Start(start);
  ASSERT_TRUE(WaitFor(again, start.id, record::kFinal)) << "not by the other stopped one";
  EXPECT_EQ(ReadFile(file), "once\n");
  EXPECT_EQ(std::count_if(idle.begin(), idle.end(), IsGone), 1);
  for (const int shim : idle) kill(shim, SIGCONT);
  deaths_.clear();
}

TEST_F(WarmShimsTest, AShimThatHasTakenItsPacketIsNeverEndedForSlowness) {
  ShimStart start = Plan({"exit", "3"});
  start.env.push_back("SHOAL_SHIM_FAILPOINT=agent-read=stop");
  const int slot = Start(start);
  std::vector<int> stopped;
  ASSERT_TRUE(RunUntil(loop_.get(), [&] {
    stopped = Shims(false);
    return stopped.size() == 1 && ReadProcStat(stopped[0])->state == 'T';
  }));
  // Well past the time in which a packet is to be taken.
  bool is_past = false;
  loop_->After(2 * WarmShims::kPatience, [&] { is_past = true; });
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return is_past; }));
  EXPECT_TRUE(deaths_.empty());
  EXPECT_TRUE(shims_->Look(slot, start.id).locked);
  kill(stopped[0], SIGCONT);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kFinal));
  EXPECT_EQ(WEXITSTATUS(shims_->Look(slot, start.id).shim->wait_status), 3);
}

TEST_F(WarmShimsTest, AnEndThatIsAskedForBeforeThePacketIsTakenRunsNothing) {
  for (const int shim : Shims(true)) Stop(shim);
  const ShimStart start = Appending(scratch_ / "runs");
  const int slot = Start(start);
  Terminate(slot, start.id);
  for (const int shim : Shims(true)) kill(shim, SIGCONT);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kFinal));
  const record::ShimHalf half = *shims_->Look(slot, start.id).shim;
  EXPECT_EQ(half.fail_stage, record::Stage::kSetup);
  EXPECT_EQ(half.fail_errno, ECANCELED);
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "runs"));
}

TEST_F(WarmShimsTest, AShimThatServedAnUncommonProcessEndsWithIt) {
  const struct {
    const char* what;
    uint32_t flags;
  } cases[] = {{"keeps its descendants", record::kKeepDescendants},
               {"must not fork", record::kForbidChildren}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    ShimStart start = Plan({"exit", "0"});
    start.desired.flags |= c.flags;
    const int slot = Start(start);
    ASSERT_TRUE(WaitForDeath(slot));
    EXPECT_EQ(shims_->Look(slot, start.id).shim->flags & record::kStays, 0u);
    deaths_.clear();
    Free(slot, start.id);
    ASSERT_TRUE(AwaitIdle(kAtRest)) << "another takes its place";
  }
}

TEST_F(WarmShimsTest, AShimWhoseProcessWasUnkillableEndsWithIt) {
  // A frozen process of the v1 freezer does not die of SIGKILL until it is thawed.
  const std::string freezer = absl::StrCat("/sys/fs/cgroup/freezer/shoal-warm-", getpid());
  if (mkdir(freezer.c_str(), 0755) != 0) GTEST_SKIP() << "no v1 freezer";
  const ShimStart start = Plan({"pause"});
  const int slot = Start(start);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kStarted));
  const int pid = shims_->Look(slot, start.id).shim->pid;
  std::ofstream(freezer + "/cgroup.procs") << pid;
  std::ofstream(freezer + "/freezer.state") << "FROZEN";
  Terminate(slot, start.id);
  EXPECT_TRUE(WaitFor(slot, start.id, record::kUnkillable));
  std::ofstream(freezer + "/freezer.state") << "THAWED";
  EXPECT_TRUE(WaitForDeath(slot));
  const record::ShimHalf half = *shims_->Look(slot, start.id).shim;
  EXPECT_TRUE(IsFinal(half));
  EXPECT_EQ(half.flags & record::kStays, 0u);
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGKILL);
  deaths_.clear();
  Free(slot, start.id);
  EXPECT_TRUE(AwaitIdle(kAtRest)) << "another takes its place";
  rmdir(freezer.c_str());
}

// Its tree is proven empty by the last child alone, which is not enough to stay.
TEST_F(WarmShimsTest, WithoutACgroupAShimServesOneProcess) {
  cgroup_base_ = scratch_ / "no-cgroup";
  RestartAgent();
  ASSERT_FALSE(shims_->has_cgroup());
  shims_->Recover();
  ASSERT_TRUE(AwaitIdle(kAtRest));
  for (int i = 0; i < 3; ++i) {
    const std::vector<int> idle = Shims(true);
    const ShimStart start = Plan({"print", "hello", "exit", "4"});
    const int slot = Start(start);
    ASSERT_TRUE(WaitForDeath(slot));
    const record::ShimHalf half = *shims_->Look(slot, start.id).shim;
    EXPECT_NE(std::find(idle.begin(), idle.end(), half.shim_pid), idle.end());
    EXPECT_TRUE(IsFinal(half));
    EXPECT_EQ(half.flags & record::kStays, 0u);
    EXPECT_EQ(WEXITSTATUS(half.wait_status), 4);
    EXPECT_EQ(OutputOf(slot, start.id), "hello");
    deaths_.clear();
    Free(slot, start.id);
    ASSERT_TRUE(AwaitIdle(kAtRest));
  }
}

TEST_F(WarmShimsTest, MoreStayWhileStartsComeInAndGoAfterwards) {
  constexpr size_t kAtOnce = 6;
  std::vector<ShimStart> starts;
  for (size_t i = 0; i < kAtOnce; ++i) starts.push_back(Plan({"exit", "0"}));
  std::vector<int> slots;
  slots.reserve(starts.size());
  for (const ShimStart& start : starts) slots.push_back(Start(start));
  for (size_t i = 0; i < kAtOnce; ++i) {
    ASSERT_TRUE(WaitFor(slots[i], starts[i].id, record::kFinal));
    Free(slots[i], starts[i].id);
  }
  EXPECT_TRUE(RunUntil(loop_.get(), [] { return Shims(true).size() >= kAtOnce; }));
  EXPECT_TRUE(AwaitIdle(kAtRest));
  EXPECT_TRUE(deaths_.empty());
}

}  // namespace
}  // namespace shoal::agent
