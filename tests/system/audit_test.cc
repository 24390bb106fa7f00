// The agent's log and its audit, as files of a running agent.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class AuditFileOfAgent : public SystemTest {
 protected:
  // Until a line with both is there.
  void AwaitLine(const AgentProcess& agent, const std::string& one, const std::string& other) {
    WaitUntil(absl::StrCat("line with ", one, " and ", other), [&] {
      const std::string text = agent.Audit();
      for (size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
        end = text.find('\n', at);
        const std::string line = text.substr(at, end == std::string::npos ? end : end - at);
        if (absl::StrContains(line, one) && absl::StrContains(line, other)) return true;
      }
      return false;
    });
  }
};

TEST_F(AuditFileOfAgent, HasTheProcessThatCalledItsOwnAgent) {
  AgentProcess& agent = StartAgent("ant");
  const CommandResult started =
      Shoal({"start", "--name", "caller", "--", "/bin/sh", "-c",
             absl::StrCat("exec ", ShoalPath(), " start --name inner -- /bin/sleep 600")});
  ASSERT_EQ(started.exit_code, 0) << started;
  const std::string id = agent.stub().Get("caller").id();
  AwaitLine(agent, absl::StrCat("process=\"", id), "inner /bin/sleep");
  AwaitLine(agent, absl::StrCat("process=\"", id), "event=\"result\"");
}

TEST_F(AuditFileOfAgent, DoesNotDependOnTheLevelOfTheLog) {
  AgentProcess& agent = StartAgent("ant", {"--log-level", "error"});
  EXPECT_EQ(Shoal({"start", "--name", "web", "--", "/bin/sleep", "600"}).exit_code, 0);
  AwaitLine(agent, "method=\"SpawnBatch\"", "result=\"OK\"");
  EXPECT_THAT(agent.Log(), Not(HasSubstr("Spawn")));
}

TEST_F(AuditFileOfAgent, OfAKilledAgentGoesOn) {
  AgentProcess& agent = StartAgent("ant");
  EXPECT_EQ(Shoal({"start", "--name", "web", "--", "/bin/sleep", "600"}).exit_code, 0);
  AwaitLine(agent, "method=\"SpawnBatch\"", "result=\"OK\"");
  agent.Kill();
  ASSERT_TRUE(agent.Start());
  EXPECT_EQ(Shoal({"stop", "web"}).exit_code, 0);
  AwaitLine(agent, "method=\"Terminate\"", "result=\"OK\"");
  EXPECT_THAT(agent.Audit(), HasSubstr("method=\"SpawnBatch\""));
}

TEST_F(AuditFileOfAgent, IsWholeWhenTheAgentHasEnded) {
  AgentProcess& agent = StartAgent("ant");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Shoal({"ps"}).exit_code, 0);
  EXPECT_EQ(Shoal({"run", "-n", "40", "--", "true"}).exit_code, 0);
  agent.Stop();
  const std::string text = agent.Audit();
  EXPECT_EQ(text.back(), '\n');
  EXPECT_THAT(text, AllOf(HasSubstr("method=\"Close\""), HasSubstr("method=\"List\"")));
}

TEST_F(AuditFileOfAgent, ThatIsRequiredAndCannotBeWrittenLeavesEndsPossible) {
  const std::string path = Scratch("nowhere/audit.log");
  AgentProcess& agent = StartAgent("ant", {"--audit-required", "--audit-log", path});
  CommandResult refused = Shoal({"start", "--name", "web", "--", "/bin/sleep", "600"});
  EXPECT_EQ(refused.exit_code, 75) << "the host is there";
  EXPECT_THAT(refused.err, HasSubstr(" refuses this for now: "));
  EXPECT_THAT(refused.err, HasSubstr(absl::StrCat("the audit log ", path, " cannot be written")));
  EXPECT_THAT(Shoal({"doctor"}).out, HasSubstr(path));
  EXPECT_THAT(agent.Log(), HasSubstr("(--audit-required)"));
  std::filesystem::create_directory(Scratch("nowhere"));
  WaitUntil("a start is possible again", [&] {
    return Shoal({"start", "--name", "web", "--", "/bin/sleep", "600"}).exit_code == 0;
  });
  std::filesystem::remove_all(Scratch("nowhere"));
  EXPECT_EQ(Shoal({"stop", "web"}).exit_code, 0);
}

// Agents are started here with a pipe as stderr that holds a page and is not read.
class UnreadLogTest : public SystemTest {};

TEST_F(UnreadLogTest, BlocksNeitherCallsNorTheEnd) {
  AgentProcess& agent = AddAgent("ant", {"--log-level", "trace"});
  std::vector<std::string> words = agent.Arguments();
  std::filesystem::create_directories(agent.run_dir());
  std::filesystem::permissions(agent.run_dir(), std::filesystem::perms::owner_all);
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  fcntl(write_end.get(), F_SETPIPE_SZ, 4096);
  // Full before the agent starts.
  fcntl(write_end.get(), F_SETFL, O_NONBLOCK);
  const std::string page(4096, 'x');
  while (write(write_end.get(), page.data(), page.size()) > 0) continue;
  fcntl(write_end.get(), F_SETFL, 0);
  const std::string path = absl::StrCat("/proc/", getpid(), "/fd/", write_end.get());
  std::string line = "exec";
  for (const std::string& word : words) absl::StrAppend(&line, " '", word, "'");
  CommandOptions options;
  options.env = agent.Environment();
  RunningCommand shoald({"/bin/sh", "-c", absl::StrCat(line, " 2> ", path)}, options);
  WaitUntil("the socket is there", [&] { return std::filesystem::exists(agent.socket()); });
  // Each leaves lines of gRPC and protobuf in the log.
  for (int i = 0; i < 700; ++i) {
    v1::SpawnRequest request;
    request.mutable_spec()->add_argv("");
    v1::SpawnResponse response;
    CallContext context;
    const grpc::Status status = agent.stub().processes().Spawn(&context, request, &response);
    ASSERT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << i;
  }
  shoald.Signal(SIGTERM);
  EXPECT_EQ(shoald.Wait().exit_code, 0);
}

}  // namespace
}  // namespace shoal::testing
