// The wall clock is set while the client waits: seen by a copy of this test under libfaketime, never
// the machine's clock.
#include <glob.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/boot_time.h"
#include "common/notification.h"
#include "common/sanitizers.h"
#include "shoal/session.h"
#include "tests/rpc/client/host_of.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;

// Where a copy finds the file that says how far its clock is off.
constexpr char kFile[] = "FAKETIME_TIMESTAMP_FILE";

class WallClock : public ::testing::Test {
 protected:
  // The rest of the test runs in a copy of this program only; here: whether it passed.
  static bool IsInCopy() {
    if (std::getenv(kFile) != nullptr) return true;
    RunCopy();
    return false;
  }
  static void Set(const std::string& offset) {
    const char* const file_of_copy = std::getenv(kFile);
    ASSERT_NE(file_of_copy, nullptr);
    const std::string file = file_of_copy;
    std::ofstream(file + ".new") << offset << "\n";
    std::filesystem::rename(file + ".new", file);
    const absl::Time now = absl::Now();
    ASSERT_GT(absl::AbsDuration(now - kStart), absl::Minutes(50)) << "libfaketime is not there";
  }

 private:
  static void RunCopy() {
    if (kIsSanitized) GTEST_SKIP() << "a sanitizer wants to be the first library";
    glob_t found{};
    const int missing = glob("/usr/lib/*/faketime/libfaketimeMT.so.1", 0, nullptr, &found);
    const std::string library = missing == 0 ? found.gl_pathv[0] : "";
    globfree(&found);
    ASSERT_FALSE(library.empty()) << "install faketime: deploy/build-deps --tests";
    char name[] = "/tmp/shoal-clock-XXXXXX";
    const std::string directory = mkdtemp(name);
    const std::string file = directory + "/offset";
    std::ofstream(file) << "+0\n";
    const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
    std::vector<std::string> words = {
        "/proc/self/exe",
        absl::StrCat("--gtest_filter=", test->test_suite_name(), ".", test->name())};
    std::vector<std::string> environment = {absl::StrCat("LD_PRELOAD=", library),
                                            "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1",
                                            absl::StrCat(kFile, "=", file)};
    std::vector<char*> argv;
    std::vector<char*> envp;
    argv.reserve(words.size());
    for (std::string& word : words) argv.push_back(word.data());
    envp.reserve(environment.size());
    for (std::string& entry : environment) envp.push_back(entry.data());
    for (char** entry = environ; *entry != nullptr; ++entry) envp.push_back(*entry);
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    pid_t child = 0;
    ASSERT_EQ(posix_spawn(&child, argv[0], nullptr, nullptr, argv.data(), envp.data()), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "the copy failed; it says above why";
    std::filesystem::remove_all(directory);
  }

  static inline const absl::Time kStart = absl::Now();
};

void RenewsAcross(const FakeAgent& agent, Session& session) {
  agent.AwaitCalls("KeepAlive", agent.Calls("KeepAlive") + 3);
  EXPECT_TRUE(session.status().ok()) << session.status();
}

TEST_F(WallClock, AnHourBackOrAheadEndsNoLease) {
  if (!IsInCopy()) return;
  FakeAgent agent("a");
  SessionOptions options;
  options.ttl = absl::Seconds(1);
  auto session = Session::Open(HostOf(agent), options);
  ASSERT_TRUE(session.ok()) << session.status();
  for (const char* offset : {"-1h", "+1h"}) {
    Set(offset);
    RenewsAcross(agent, **session);
  }
  EXPECT_TRUE((*session)->Close().ok());
}

// A frozen agent is given up when the time is over, and no earlier.
TEST_F(WallClock, ACallThatIsUnderWayKeepsItsTimeWhenItIsSet) {
  if (!IsInCopy()) return;
  for (const char* offset : {"-1h", "+1h"}) {
    FakeAgent agent("a");
    auto host = HostOf(agent);
    ASSERT_TRUE(host->GetFacts().ok());
    agent.Freeze();
    CallOptions call;
    call.timeout = absl::Seconds(2);
    const BootTime begin = BootTime::Now();
    std::thread setter([&] {
      agent.AwaitCalls("HostGet", 2);
      Set(offset);
    });
    const absl::Status given_up = host->GetFacts(call).status();
    setter.join();
    EXPECT_TRUE(absl::IsDeadlineExceeded(given_up)) << offset << given_up;
    EXPECT_GE(BootTime::Now() - begin, absl::Seconds(2)) << offset;
    EXPECT_LT(BootTime::Now() - begin, absl::Seconds(30)) << offset;
    agent.Thaw();
  }
}

// The pauses between attempts, and before gRPC connects again, end as well.
TEST_F(WallClock, AnAgentThatComesBackIsFoundWhenItIsSet) {
  if (!IsInCopy()) return;
  for (const char* offset : {"-1h", "+1h"}) {
    FakeAgent agent("a");
    auto host = HostOf(agent);
    ASSERT_TRUE(host->GetFacts().ok());
    agent.Stop();
    CallOptions call;
    call.timeout = absl::Seconds(60);
    Notification answered;
    absl::Status status;
    host->GetFacts(call, [&](const absl::StatusOr<v1::Host>& facts) {
      status = facts.status();
      answered.Notify();
    });
    EXPECT_FALSE(answered.WaitForNotificationWithTimeout(absl::Milliseconds(300)));
    Set(offset);
    agent.Start();
    answered.WaitForNotification();
    EXPECT_TRUE(status.ok()) << offset << status;
  }
}

}  // namespace
}  // namespace shoal
