#include "client/cli/details.h"

#include "gtest/gtest.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {
namespace {

TEST(Details, HasOneLinePerFieldThatIsSet) {
  v1::Process process;
  process.set_name("web");
  process.set_state(v1::STATE_FAILED_TO_START);
  process.mutable_spec()->add_argv("sh");
  process.mutable_spec()->add_argv("echo a\xff");
  process.mutable_spec()->mutable_grace()->set_seconds(5);
  (*process.mutable_spec()->mutable_labels())["job"] = "x";
  process.set_tree_empty(true);
  process.add_flags(v1::FLAG_NO_CGROUP);
  process.add_flags(v1::FLAG_ESCALATED);
  process.mutable_exit()->set_code(0);
  EXPECT_EQ(Details(process),
            "name: web\n"
            "state: failed to start\n"
            "spec:\n"
            "  argv: sh 'echo a\\xff'\n"
            "  grace: 5s\n"
            "  labels: job=x\n"
            "exit:\n"
            "  code: 0\n"
            "tree_empty: yes\n"
            "flags: no cgroup, escalated\n");
}

TEST(Details, TimesAreThoseOfAClock) {
  v1::Process process;
  process.mutable_create_time()->set_seconds(1);
  std::string text = Details(process);
  EXPECT_EQ(text.find("create_time: 19"), 0u) << text;
}

TEST(Details, EachOfSeveralMessagesStandsForItself) {
  v1::ExitStatus exit;
  exit.add_survivors()->set_pid(1);
  exit.add_survivors()->set_pid(2);
  EXPECT_EQ(Details(exit), "survivors:\n  pid: 1\nsurvivors:\n  pid: 2\n");
}

}  // namespace
}  // namespace shoal::cli
