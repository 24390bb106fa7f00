// What other users of the host, and `pgrep -f`, see of a process: its own command line, and no
// other's.
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/system/template_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::_;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr char kSecret[] = "s3cret";
const std::string kIdle("\0idle\0", 6);  // a word of a shim without a process

class ShownWords : public TemplateTest {
 protected:
  // Of every shim of the agents: PID → what /proc shows of it.
  std::map<pid_t, std::string> Shims() {
    std::map<pid_t, std::string> shims;
    for (const pid_t pid : DescendantsOf(getpid())) {
      const std::string directory = absl::StrCat("/proc/", pid);
      if (ReadFile(directory + "/comm") != "shoal-shim\n") continue;
      if (ReadFile(directory + "/cmdline").find(kIdle) != std::string::npos) continue;
      shims[pid] = absl::StrCat(ReadFile(directory + "/cmdline"), ReadFile(directory + "/environ"));
    }
    return shims;
  }
  // A spec with the secret in an argument, in a variable and in the working directory.
  v1::ProcessSpec WithSecrets(v1::ProcessSpec spec) {
    const std::string directory = Scratch(absl::StrCat("directory-", kSecret));
    std::filesystem::create_directory(directory);
    spec.set_cwd(directory);
    spec.add_argv(absl::StrCat("--password=", kSecret));
    spec.add_env(absl::StrCat("TOKEN=", kSecret));
    return spec;
  }
};

TEST_F(ShownWords, WhatIsFoundByAWordAndKilledIsTheProcessAlone) {
  AgentProcess& agent = StartAgent("ant");
  const std::string program = Scratch("app.py");
  WriteFile(program, "#!/bin/sh\necho ready\nread x < \"$1\"\n", 0700);
  const std::string gate = Scratch("gate");
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  // Once by an interpreter, once by itself, and named as the user pleases, or not at all.
  const std::vector<std::vector<std::string>> commands = {{"--", "sh", program, gate},
                                                          {"--", program, gate},
                                                          {"--name", "app", "--", program, gate},
                                                          {"--name", "web", "--", program, gate}};
  for (const std::vector<std::string>& command : commands) {
    std::vector<std::string> words = {"start", "-o", "json"};
    words.insert(words.end(), command.begin(), command.end());
    const CommandResult started = Shoal(words);
    ASSERT_EQ(started.exit_code, 0) << started;
    const PrintedProcess process = ParseProcesses(started.out).at(0);
    WaitUntil("it is ready",
              [&] { return agent.stub().Output(process.id, v1::STREAM_KIND_STDOUT) == "ready\n"; });
    for (const char* pattern : {"app.py", "app"}) {
      ASSERT_THAT(DescendantsWith(pattern), ElementsAre(process.pid)) << pattern;
    }
    for (const pid_t pid : DescendantsWith("app.py")) ASSERT_EQ(kill(pid, SIGKILL), 0);
    EXPECT_EQ(Shoal({"wait", process.id}).exit_code, 128 + SIGKILL);
  }
}

TEST_F(ShownWords, NoShimHasAWordOfItsProcess) {
  AgentProcess& agent = StartAgent("ant");
  const v1::Process plain =
      agent.stub().Spawn(WithSecrets(SpecOf({"sh", "-c", "sleep 1000; exit"}, "plain")));
  v1::ProcessSpec shipped = WithSecrets(SpecOf({"./tool", Scratch("shipped")}, "shipped"));
  v1::ShippedFile* const file = shipped.add_files();
  file->set_path("tool");
  file->set_data("#!/bin/sh\nsleep 1000\n");
  file->set_executable(true);
  agent.stub().Spawn(shipped);
  agent.stub().Spawn(WithSecrets(Forkserver({"append", Scratch("forked")}, "forked")));
  agent.stub().Spawn(WithSecrets(SpecOf({script(), "offer"}, "parent")));
  agent.stub().Spawn(WithSecrets(ForkOf("parent", {"append", Scratch("of-parent")}, "of-parent")));

  const std::map<pid_t, std::string> shims = Shims();
  EXPECT_THAT(shims, SizeIs(6)) << "four starts, two forks, one of the starts a template";
  for (const auto& [pid, shown] : shims) {
    EXPECT_THAT(shown, Not(HasSubstr(kSecret))) << pid;
    EXPECT_THAT(shown, Not(HasSubstr("PATH="))) << pid;
  }
  const std::string id_and_name = absl::StrCat(plain.id(), std::string(1, '\0'), "plain");
  EXPECT_THAT(shims, Contains(Pair(_, HasSubstr(id_and_name))));
  // And nothing else: agent, and the command line that only looks.
  const std::string agents = ReadFile(absl::StrCat("/proc/", agent.pid(), "/cmdline"));
  EXPECT_THAT(agents, Not(HasSubstr(kSecret)));
  EXPECT_THAT(agent.Log(), Not(HasSubstr(kSecret)));
}

}  // namespace
}  // namespace shoal::testing
