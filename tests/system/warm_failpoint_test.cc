// The agent killed between any two steps of giving an idle shim a process and of having it back, while
// another is busy and others wait: nothing is lost, none runs twice, every lock comes free.
#ifdef SHOAL_FAILPOINTS
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/record/half_format.h"
#include "agent/record/orders.h"
#include "agent/record/record_layout.h"
#include "common/ids.h"
#include "common/unique_fd.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::SizeIs;

struct Step {
  const char* name;      // stands in agent/os as SHOAL_FAILPOINT(…)
  int hit;               // of the step; those before are of other processes
  bool stopped = false;  // the idle shims, so that what they are given is taken back
};

constexpr Step kSteps[] = {
    {"warm:cgroup-made", 2},
    {"warm:told", 2},
    {"warm:given", 2},
    {"warm:idle-started", 3},
    {"free:before-release", 1},
    {"free:released", 1},
    {"free:told", 1},
    {"warm:taken-back", 1, true},
    {"warm:back-released", 1, true},
};

class WarmFailpoint : public SystemTest, public ::testing::WithParamInterface<Step> {
 protected:
  // Those that have said so, and were given nothing.
  static std::vector<pid_t> IdleShims(const AgentProcess& agent) {
    std::vector<pid_t> idle;
    const UniqueFd file(open((agent.run_dir() + "/records").c_str(), O_RDONLY | O_CLOEXEC));
    struct {
      record::Area<record::AgentHalf> agent;
      record::Area<record::ShimHalf> shim;
    } slot = {};
    static_assert(sizeof(slot) == record::kSlotBytes);
    for (off_t at = sizeof(slot); pread(file.get(), &slot, sizeof(slot), at) > 0;
         at += static_cast<off_t>(sizeof(slot)), slot = {}) {
      record::AgentHalf wanted{};
      record::ShimHalf half{};
      if (record::Unpack(slot.agent, &wanted) != record::Reading::kEmpty) continue;
      if (record::Unpack(slot.shim, &half) != record::Reading::kIntact) continue;
      if ((half.flags & record::kIdle) != 0) idle.push_back(half.shim_pid);
    }
    return idle;
  }
  static std::vector<pid_t> Shims() { return DescendantsWith("shoal-shim"); }
  // Any slot of the first record file is held, but for its header.
  static bool IsAnyLocked(const AgentProcess& agent) {
    const UniqueFd file(open((agent.run_dir() + "/records").c_str(), O_RDWR | O_CLOEXEC));
    if (!file) return true;
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_start = record::kSlotBytes;
    return fcntl(file.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
  }
};

TEST_P(WarmFailpoint, KilledThereNothingIsLostAndEveryLockComesFree) {
  AgentProcess& agent = AddAgent("ant", {"--idle-shims=2"});
  agent.options().env["SHOAL_FAILPOINT"] = absl::StrCat(GetParam().name, "=kill@", GetParam().hit);
  ASSERT_TRUE(agent.Start());
  WaitUntil("two shims are idle", [&] { return IdleShims(agent).size() == 2; });
  const std::string gate = Scratch("gate");
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  v1::SpawnRequest busy;
  busy.set_request_id(NewRequestId());
  *busy.mutable_spec() = SpecOf({ChildPath(), "gated", gate, "7", "x"}, "busy");
  v1::SpawnResponse started;
  // On a machine that is short of time the step may come during this one already.
  const bool is_busy = agent.stub().TrySpawn(busy, &started, /*wait_for_ready=*/false).ok();
  if (GetParam().stopped) {
    for (const pid_t shim : IdleShims(agent)) {
      ASSERT_EQ(kill(shim, SIGSTOP), 0);
      // Until it has stopped it may take a packet.
      WaitUntil("the shim has stopped", [shim] { return ProcessState(shim) == 'T'; });
    }
  }
  const std::string file = Scratch("runs");
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() =
      SpecOf({"sh", "-c", absl::StrCat("echo once >> ", file, "; exit 3")}, "short");
  v1::SpawnResponse response;
  // Before the kill, or cut off by it.
  agent.stub().TrySpawn(request, &response, /*wait_for_ready=*/false).ok();
  EXPECT_EQ(agent.WaitForEnd().exit_code, 128 + SIGKILL) << "the failpoint was not reached";
  agent.Kill();  // the connection of the test goes with it
  const std::vector<pid_t> before = IdleShims(agent);
  // Whether a stopped shim that was given a process has the packet, the agent cannot tell; a shim
  // that was given none is ended by the next agent.
  if (GetParam().name == absl::string_view("warm:taken-back")) {
    for (const pid_t shim : Shims()) kill(shim, SIGCONT);
  }

  agent.options().env.erase("SHOAL_FAILPOINT");
  ASSERT_TRUE(agent.Start());
  v1::SpawnResponse again;
  ASSERT_TRUE(agent.stub().TrySpawn(busy, &again).ok());
  if (is_busy) {
    EXPECT_EQ(again.process().pid(), started.process().pid());
  }
  ASSERT_TRUE(agent.stub().TrySpawn(request, &response).ok());
  EXPECT_EQ(agent.stub().Wait("short", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 3);
  EXPECT_EQ(ReadFile(file), "once\n");
  EXPECT_EQ(agent.stub().Get("busy").state(), v1::STATE_RUNNING);
  WaitUntil("the idle shims of the agent before have ended", [&] {
    return std::none_of(before.begin(), before.end(), [](pid_t shim) {
      return ProcessState(shim) != '?' && ProcessState(shim) != 'Z';
    });
  });
  close(open(gate.c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(agent.stub().Wait("busy", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 7);
  EXPECT_THAT(agent.stub().List(), SizeIs(2));
  agent.Stop();
  WaitUntil("no shim is left", [] { return Shims().empty(); });
  EXPECT_FALSE(IsAnyLocked(agent));
}

INSTANTIATE_TEST_SUITE_P(EveryStep, WarmFailpoint, ::testing::ValuesIn(kSteps),
                         [](const ::testing::TestParamInfo<Step>& step) {
                           std::string name;
                           for (const char c : std::string(step.param.name)) {
                             if (absl::ascii_isalnum(static_cast<unsigned char>(c))) name += c;
                           }
                           return name;
                         });

}  // namespace
}  // namespace shoal::testing
#endif  // SHOAL_FAILPOINTS
