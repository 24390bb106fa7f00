// --ship: programs and files on hosts that lack them, also when an agent is killed meanwhile.
#include "shoal/shipping.h"

#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/sha256.h"
#include "tests/support/system/fleet_over_tls.h"

namespace shoal::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// A program that is too large to go inline: a script, and much behind its end.
std::string Script(const std::string& commands, size_t size = 100'000) {
  std::string script = absl::StrCat("#!/bin/sh\n", commands, "\nexit 0\n");
  for (size_t i = 0; script.size() < size; ++i) absl::StrAppend(&script, "# ", i, "\n");
  return script;
}

// The uploads of which the agent's audit tells.
std::vector<std::string> Uploads(const AgentProcess& agent) {
  std::vector<std::string> uploads;
  const std::string audit = agent.Audit();
  for (absl::string_view line : absl::StrSplit(audit, '\n')) {
    if (absl::StrContains(line, "method=\"Write\"") && absl::StrContains(line, "\"result\"")) {
      uploads.emplace_back(line);
    }
  }
  return uploads;
}

std::vector<std::string> FileDirectories(const AgentProcess& agent) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(agent.state_dir() + "/files")) {
    names.push_back(entry.path().filename());
  }
  return names;
}

using ShippingToAFleet = FleetOverTls;

TEST_F(ShippingToAFleet, AProgramAndItsDataRunOnHostsThatLackThemAndAreSentOnce) {
  StartFleet(3, 1);
  WriteFile(Scratch("sim"),
            Script("echo $(cat data/mesh) in ${SHOAL_FILES##*/}; [ $(pwd) = "
                   "$SHOAL_FILES ]"),
            0700);
  WriteFile(Scratch("mesh.h5"), "a mesh", 0600);
  const std::vector<std::string> run = {"run",
                                        "--per-host",
                                        "1",
                                        "--ship",
                                        Scratch("sim"),
                                        "--ship",
                                        Scratch("mesh.h5") + ":data/mesh",
                                        "--",
                                        Scratch("sim")};
  CommandResult result = Shoal(run);
  EXPECT_EQ(result.exit_code, 0) << result;
  for (const char* line :
       {"0 node1 │ a mesh in ", "1 node2 │ a mesh in ", "2 node3 │ a mesh in "}) {
    EXPECT_THAT(result.out, HasSubstr(line));
  }
  for (AgentProcess& agent : agents_) {
    WaitUntil("the upload is in the audit", [&] { return !Uploads(agent).empty(); });
    EXPECT_THAT(Uploads(agent), SizeIs(1)) << "the mesh is small enough to go inline";
    WaitUntil("the files are gone with the session",
              [&] { return FileDirectories(agent).empty(); });
  }
  result = Shoal(run);
  EXPECT_EQ(result.exit_code, 0) << result;
  for (AgentProcess& agent : agents_) EXPECT_THAT(Uploads(agent), SizeIs(1)) << "not again";
}

class Shipping : public SystemTest {
 protected:
  // `shoal run` of a program of which three pieces have come; the failpoint stays armed.
  std::unique_ptr<RunningCommand> RunUntilTheAgentIsKilledInMidUpload(AgentProcess& agent) {
    agent.options().env["SHOAL_FAILPOINT"] = "blob:after-write=kill@3";
    EXPECT_TRUE(agent.Start());
    WriteFile(Scratch("sim"), Script("echo it ran", 4 << 20), 0700);
    auto run = StartShoal({"run", "-n", "1", "--ship", Scratch("sim"), "--", "./sim"});
    agent.WaitForEnd();
    return run;
  }
};

TEST_F(Shipping, AnAgentThatIsKilledInMidUploadIsGoneOnWith) {
  AgentProcess& agent = AddAgent("ant");
  auto run = RunUntilTheAgentIsKilledInMidUpload(agent);
  agent.options().env.clear();
  ASSERT_TRUE(agent.Start());
  const CommandResult result = run->Wait();
  EXPECT_EQ(result.exit_code, 0) << result << agent.Log();
  EXPECT_EQ(result.out, "it ran\n");
  WaitUntil("the upload is in the audit", [&] { return !Uploads(agent).empty(); });
  const std::vector<std::string> uploads = Uploads(agent);
  EXPECT_THAT(uploads.back(), HasSubstr(" bytes from 1572864")) << "three pieces were there";
}

// It is large enough to share its file with the blob, where the file system has no other way. The times are as they were.
TEST_F(Shipping, WhatAProcessMakesOfItsProgramIsNotTheNextOnes) {
  StartAgent("ant");
  const std::string commands =
      "touch -r \"$0\" times; chmod u+w \"$0\"; echo honest; "
      "(printf '#!/bin/sh\\necho evil\\nexit 0\\n' | dd of=\"$0\" conv=notrunc) 2>&-; "
      "touch -r times \"$0\"";
  WriteFile(Scratch("program"), Script(commands, 2 << 20), 0700);
  for (int i = 0; i < 3; ++i) {
    const CommandResult run =
        Shoal({"run", "-n", "1", "--ship", Scratch("program"), "--", Scratch("program")});
    EXPECT_EQ(run.out, "honest\n") << i << run;
  }
}

TEST_F(Shipping, CtrlCEndsAnUploadThatStandsStill) {
  AgentProcess& agent = AddAgent("ant");
  auto run = RunUntilTheAgentIsKilledInMidUpload(agent);
  run->Signal(SIGINT);
  EXPECT_EQ(run->Wait().exit_code, 128 + SIGINT);
  agent.options().env.clear();
}

class ShippingFailpoints : public SystemTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(ShippingFailpoints, AKillBetweenTheStepsLeavesOneProcessAndOneDirectory) {
  AgentProcess& agent = AddAgent("ant");
  agent.options().env["SHOAL_FAILPOINT"] = absl::StrCat(GetParam(), "=kill");
  ASSERT_TRUE(agent.Start());
  WriteFile(Scratch("sim"), Script("exec sleep 1000"), 0700);
  auto start = StartShoal({"start", "--name", "sim", "--ship", Scratch("sim"), "--", "./sim"});
  agent.WaitForEnd();
  agent.options().env.clear();
  ASSERT_TRUE(agent.Start());
  const CommandResult result = start->Wait();
  EXPECT_EQ(result.exit_code, 0) << result << agent.Log();
  const std::vector<v1::Process> processes = agent.stub().List();
  ASSERT_THAT(processes, SizeIs(1));
  EXPECT_EQ(processes[0].state(), v1::STATE_RUNNING);
  WaitUntil("directories of unknown processes are gone",
            [&] { return FileDirectories(agent).size() == 1; });
  EXPECT_THAT(FileDirectories(agent), ElementsAre(processes[0].id()));
}

INSTANTIATE_TEST_SUITE_P(Steps, ShippingFailpoints,
                         ::testing::Values("blob:before-rename", "blob:after-rename",
                                           "spawn:admitted", "files:before-prepare",
                                           "files:prepared", "spawn:before-start"));

// What a program does that uses the library.
class LibraryShipping : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    setenv("XDG_CACHE_HOME", Scratch("cache").c_str(), 1);
    StartAgent("ant");
    HostAddress address;
    address.name = "ant";
    address.unix_path = agents_[0].socket();
    host_ = *Host::Create(address);
  }
  void TearDown() override {
    host_ = nullptr;
    SystemTest::TearDown();
  }

  std::shared_ptr<Host> host_;
};

TEST_F(LibraryShipping, ThisProgramRunsThereAndFindsItsLibraries) {
  absl::StatusOr<std::vector<v1::ShippedFile>> files = ShipProgram(host_.get());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->at(0).path(), "program");
  v1::ProcessSpec spec = SpecOf({"./program", "--gtest_list_tests"}, "copy");
  spec.mutable_files()->Assign(files->begin(), files->end());
  agents_[0].stub().Spawn(spec);
  const v1::Process ended = agents_[0].stub().Wait("copy", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(ended.exit().code(), 0) << ended.exit().stderr_tail();
  EXPECT_THAT(agents_[0].stub().Output("copy", v1::STREAM_KIND_STDOUT),
              HasSubstr("ThisProgramRunsThereAndFindsItsLibraries"));
}

TEST_F(LibraryShipping, MemoryGoesAlongAsAFileAndComesBackAsItWas) {
  const std::string argument(200'000, 'a');
  absl::StatusOr<std::vector<v1::ShippedFile>> files = Ship(host_.get(), {{.local_path = {},
                                                                           .content = argument,
                                                                           .path = "argument",
                                                                           .executable = false,
                                                                           .library = false}});
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->at(0).sha256(), Sha256Of(argument));
  std::string read;
  const absl::Status status =
      host_->ReadBlob(files->at(0).sha256(), 0, [&](int64_t offset, absl::string_view data) {
        EXPECT_EQ(offset, static_cast<int64_t>(read.size()));
        read.append(data.data(), data.size());
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(read, argument);
}

TEST_F(Shipping, WhatIsNoFileIsRefusedInOneSentence) {
  StartAgent("ant");
  std::filesystem::create_directory(Scratch("directory"));
  CommandResult run = Shoal({"run", "--ship", Scratch("directory"), "--", "true"});
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.err, IsOneReadableLine());
  EXPECT_THAT(run.err, HasSubstr("directory"));
  run = Shoal({"start", "--ship", Scratch("absent"), "--", "true"});
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.err, IsOneReadableLine());
  EXPECT_THAT(run.err, HasSubstr("No such file"));
  run = Shoal({"run", "--ship", "/etc/hostname:../x", "--", "true"});
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.err, HasSubstr("'../x'"));
}

TEST_F(Shipping, AProgramThatIsNotThereIsAnsweredWithWhatWouldHelp) {
  StartAgent("ant");
  const CommandResult run = Shoal({"run", "-n", "1", "--", "./sim"});
  EXPECT_EQ(run.exit_code, 127) << run;
  EXPECT_THAT(run.err, HasSubstr("`--ship ./sim` sends it along"));
}

TEST_F(Shipping, AStoreThatIsTooSmallSaysSo) {
  StartAgent("ant", {"--blob-cap", "50kB"});
  WriteFile(Scratch("sim"), Script("echo it ran"), 0700);
  const CommandResult run = Shoal({"run", "--ship", Scratch("sim"), "--", "./sim"});
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.err, IsOneReadableLine());
  EXPECT_THAT(run.err, HasSubstr("blob-cap"));
  EXPECT_THAT(run.err, HasSubstr(absl::StrCat("cannot send ", Scratch("sim"), " to host \"")));
}

}  // namespace
}  // namespace shoal::testing
