// Every line that a command prints with -o json is as client/cli/schema.json says.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <thread>

#include "absl/strings/str_split.h"
#include "tests/rpc/cli/agent_fixture.h"
#include "tests/support/json_schema.h"

namespace shoal::testing {
namespace {

class JsonTest : public AgentCommandTest {
 protected:
  JsonTest() : schema_(nlohmann::json::parse(std::ifstream(SHOAL_JSON_SCHEMA))) {}

  // The kinds of the lines that it prints, in order, each once in a row.
  std::string KindsOf(absl::string_view command) {
    const Said said = Shoal(command);
    std::string kinds;
    std::string last;
    for (absl::string_view line : absl::StrSplit(said.out, '\n', absl::SkipEmpty())) {
      const nlohmann::json value = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
      EXPECT_FALSE(value.is_discarded()) << command << ": " << line;
      if (value.is_discarded()) continue;
      EXPECT_EQ(schema_.Check(value), "") << command << ": " << line;
      const std::string kind = value.value("kind", "?");
      if (kind != last) absl::StrAppend(&kinds, kinds.empty() ? "" : " ", kind);
      last = kind;
    }
    return kinds;
  }

  const JsonSchema schema_;
};

TEST_F(JsonTest, ProcessesAreAsTheSchemaSays) {
  v1::Process web = Exited(kWeb, "web", 3);
  web.mutable_spec()->add_argv("\xff");
  web.mutable_spec()->add_env("A=1");
  (*web.mutable_spec()->mutable_labels())["job"] = "x";
  web.mutable_spec()->mutable_grace()->set_seconds(5);
  web.mutable_spec()->add_files()->set_sha256("\x01");
  web.mutable_exit()->set_stderr_tail("oops\n");
  web.mutable_exit()->mutable_usage()->mutable_user_time()->set_nanos(5);
  web.mutable_exit()->add_survivors()->set_pid(7);
  web.mutable_termination()->set_cause(v1::CAUSE_TERMINATED);
  web.mutable_descendants()->set_count(1);
  web.mutable_live_usage()->add_members()->set_pid(8);
  web.add_signals()->set_signal(1);
  web.add_flags(v1::FLAG_ESCALATED);
  web.set_rank(0);
  ant_.Put(web, "out\n");
  v1::Process failed = Running(kDb, "db");
  failed.set_state(v1::STATE_FAILED_TO_START);
  failed.mutable_start_failure()->set_stage("execve");
  failed.mutable_spec()->mutable_terminal()->set_rows(3);
  failed.mutable_spec()->mutable_input()->set_file("/etc/hosts");
  ant_.Put(failed);
  EXPECT_EQ(KindsOf("ps -a -o json"), "process");
  EXPECT_EQ(KindsOf("inspect -o json web db"), "process");
  EXPECT_EQ(KindsOf("why -o json web db"), "process");
  EXPECT_EQ(KindsOf("wait -o json web"), "process");
  EXPECT_EQ(KindsOf("rm -o json web"), "process");
}

TEST_F(JsonTest, WhatIsDoneToProcessesIsAsTheSchemaSays) {
  ant_.Put(Running(kWeb, "web"));
  EXPECT_EQ(KindsOf("signal -o json HUP web"), "process");
  EXPECT_EQ(KindsOf("stop -o json web"), "process");
  EXPECT_EQ(KindsOf("start -o json --name new -- wait"), "process");
}

TEST_F(JsonTest, OutputIsAsTheSchemaSays) {
  ant_.Put(Running(kWeb, "web"), "text\xe6", "\xff");
  ant_.WriteAndDrop(kWeb, v1::STREAM_KIND_STDOUT, 2);
  ant_.Exit(kWeb, 0);
  EXPECT_EQ(KindsOf("logs -o json --stdout web"), "output gap end");
  EXPECT_EQ(KindsOf("logs -o json --stderr web"), "output end");
  EXPECT_EQ(KindsOf("run -o json -n 1 -- out:hi exit:3"), "output process summary");
  EXPECT_EQ(KindsOf("run -o json -n 2 -- exit:0"), "process summary");
}

TEST_F(JsonTest, ChangesAreAsTheSchemaSays) {
  ant_.Put(Running(kWeb, "web"));
  ant_.BreakAfter("Watch", 1, 2, absl::PermissionDeniedError("not yours any more"));
  EXPECT_EQ(KindsOf("watch -o json"), "process error");
}

TEST_F(JsonTest, HostsAreAsTheSchemaSays) {
  v1::Host facts;
  facts.set_slots(2);
  facts.set_load_1m(0.5);
  facts.mutable_template_dead_man()->set_seconds(3);
  facts.add_capabilities("cgroup");
  facts.add_checks()->set_name("kernel");
  ant_.SetFacts(facts);
  EXPECT_EQ(KindsOf("hosts -o json"), "host");
  EXPECT_EQ(KindsOf("doctor -o json"), "promise check");
  ant_.Stop();
  EXPECT_EQ(KindsOf("hosts -o json"), "error");
  EXPECT_EQ(KindsOf("doctor -o json"), "error");
}

TEST_F(JsonTest, ErrorsAreObjectsEverywhere) {
  for (const char* command : {"ps -o json x",
                              "inspect -o json x",
                              "why -o json x",
                              "logs -o json x",
                              "wait -o json x",
                              "signal -o json HUP x",
                              "signal -o json FOO x",
                              "stop -o json x",
                              "rm -o json x",
                              "stop -o json",
                              "ps -o json --no-such-option",
                              "nonsense -o json",
                              "logs --output=json --tail -1 x",
                              "run -o json --halt later -- wait",
                              "start -o json",
                              "input -o json x",
                              "exec -o json x -- wait",
                              "attach -o json x",
                              "hosts -o json -H host[",
                              "start -o json -- refuse:no",
                              "agent status -o json -H x"}) {
    EXPECT_EQ(KindsOf(command), "error") << command;
  }
}

}  // namespace
}  // namespace shoal::testing
