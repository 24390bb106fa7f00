// Where there is no room for a terminal or an input the start fails, says so, and leaves nothing.

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "common/ids.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;

class InputRoom : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (geteuid() != 0) GTEST_SKIP() << "needs root to mount";
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  }
  static v1::SpawnRequest RequestFor(const v1::ProcessSpec& spec) {
    v1::SpawnRequest request;
    request.set_request_id(NewRequestId());
    *request.mutable_spec() = spec;
    return request;
  }
};

TEST_F(InputRoom, WithoutATerminalLeftTheStartFailsAndTheNextOneFindsIt) {
  ASSERT_EQ(mount("devpts", "/dev/pts", "devpts", 0, "max=1,ptmxmode=0666"), 0);
  AgentProcess& agent = StartAgent("ant");
  v1::ProcessSpec spec = SpecOf({"/bin/cat"}, "one");
  spec.mutable_terminal()->set_rows(24);
  spec.mutable_terminal()->set_columns(80);
  agent.stub().Spawn(spec);
  spec.set_name("two");
  const v1::SpawnRequest request = RequestFor(spec);
  v1::SpawnResponse response;
  const grpc::Status refused = agent.stub().TrySpawn(request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(),
              HasSubstr("no terminal is left on the host for it (kernel.pty.max)"));
  const CommandResult run = Shoal({"run", "-t", "--", "true"});
  EXPECT_EQ(run.exit_code, 75) << run;
  EXPECT_THAT(run.err, HasSubstr("no terminal is left on the host for it"));
  EXPECT_EQ(Shoal({"stop", "one"}).exit_code, 0);
  EXPECT_TRUE(agent.stub().TrySpawn(request, &response).ok()) << "nothing is left of the first try";
  EXPECT_EQ(Shoal({"stop", "two"}).exit_code, 0);
  EXPECT_EQ(agent.stub().List().size(), 2u);
  agent.Stop();
  umount2("/dev/pts", MNT_DETACH);
}

TEST_F(InputRoom, WithoutRoomForTheRingTheStartFailsAndNothingOfItStays) {
  AgentProcess& agent = AddAgent("ant");
  const std::string state = agent.state_dir();
  mkdir(state.c_str(), 0700);
  ASSERT_EQ(mount("tmpfs", state.c_str(), "tmpfs", 0, "size=64m,mode=0700"), 0);
  ASSERT_TRUE(agent.Start());
  // Less than the share of the disk that the agent has seen at its start.
  ASSERT_EQ(mount(nullptr, state.c_str(), nullptr, MS_REMOUNT, "size=8m"), 0) << errno;
  v1::ProcessSpec spec = SpecOf({"/bin/cat"}, "w");
  spec.mutable_input()->mutable_stream()->set_window_bytes(16 << 20);
  const v1::SpawnRequest request = RequestFor(spec);
  v1::SpawnResponse response;
  const grpc::Status refused = agent.stub().TrySpawn(request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(),
              HasSubstr("make room for its input: No space left on device"));
  const auto has_ring = [&state] {
    for (const auto& entry : std::filesystem::directory_iterator(state + "/output")) {
      if (entry.path().extension() == ".in") return true;
    }
    return false;
  };
  EXPECT_FALSE(has_ring());
  EXPECT_TRUE(agent.stub().List().empty());
  ASSERT_EQ(mount(nullptr, state.c_str(), nullptr, MS_REMOUNT, "size=64m"), 0) << errno;
  EXPECT_TRUE(agent.stub().TrySpawn(request, &response).ok()) << "nothing is left of the first try";
  EXPECT_TRUE(has_ring());
  EXPECT_EQ(Shoal({"stop", "w"}).exit_code, 0);
  agent.Stop();
  umount2(state.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace shoal::testing
