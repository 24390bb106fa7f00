// An agent with two idle shims: this test.
#ifndef SHOAL_TESTS_UNIT_OS_WARM_SHIMS_FIXTURE_H_
#define SHOAL_TESTS_UNIT_OS_WARM_SHIMS_FIXTURE_H_

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/record/orders.h"
#include "tests/unit/os/system_shims_fixture.h"

namespace shoal::agent {

inline constexpr size_t kAtRest = 2;

class WarmShimsTest : public SystemShimsTest {
 protected:
  void SetUp() override {
    idle_shims_ = kAtRest;
    SystemShimsTest::SetUp();
    if (!shims_->has_cgroup()) GTEST_SKIP() << "without a cgroup no shim stays";
    shims_->Recover();
    ASSERT_TRUE(AwaitIdle(kAtRest));
  }
  void TearDown() override {
    SystemShimsTest::TearDown();
    // Idle shims end with the agent.
    EXPECT_TRUE(RunUntil(loop_.get(), [] {
      while (waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      return waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD;
    }));
  }

  // Shims, the children of this test, by whether they show that they are idle.
  static std::vector<int> Shims(bool idle) {
    std::vector<int> shims;
    for (const int pid : ListPids()) {
      const std::optional<ProcStat> stat = ReadProcStat(pid);
      if (!stat || stat->parent != getpid() || stat->state == 'Z') continue;
      const std::vector<std::string> words = absl::StrSplit(ReadCommandLine(pid), '\0');
      const bool is_idle = words.size() > 2 && words[2] == "idle";
      if (words[0] == "shoal-shim" && is_idle == idle) shims.push_back(pid);
    }
    return shims;
  }
  // The agent has heard of each, too, which shows before that what it is for.
  bool AwaitIdle(size_t count) {
    return RunUntil(loop_.get(),
                    [&] { return shims_->idle_shims() == count && Shims(true).size() == count; });
  }
  int ShimOf(int slot, const std::string& id) {
    const ShimView view = shims_->Look(slot, id);
    return view.shim ? view.shim->shim_pid : 0;
  }
  void Free(int slot, const std::string& id) {
    shims_->Free(slot, id);
    running_.erase(slot);
  }
  // Runs to its end and is freed; returns its shim.
  int RunThrough(const ShimStart& start) {
    const int slot = Start(start);
    EXPECT_TRUE(WaitFor(slot, start.id, record::kFinal));
    const int shim = ShimOf(slot, start.id);
    Free(slot, start.id);
    return shim;
  }
  // A process that appends a line to `file` each time that it is run.
  ShimStart Appending(const std::string& file) {
    ShimStart start = Plan({});
    start.argv = {"/bin/sh", "-c", absl::StrCat("echo once >> ", file)};
    return start;
  }
  UniqueFd OpenRecords() const { return *OpenAt(AT_FDCWD, scratch_ / "records", O_RDWR); }
  RecordFile::Halves Halves(int slot) const {
    struct {
      record::Area<record::AgentHalf> agent;
      record::Area<record::ShimHalf> shim;
    } bytes = {};
    const UniqueFd file = OpenRecords();
    EXPECT_GT(pread(file.get(), &bytes, sizeof(bytes),
                    static_cast<off_t>(slot) * static_cast<off_t>(record::kSlotBytes)),
              0);
    RecordFile::Halves halves;
    record::AgentHalf agent{};
    record::ShimHalf shim{};
    if (record::Unpack(bytes.agent, &agent) == record::Reading::kIntact) halves.agent = agent;
    if (record::Unpack(bytes.shim, &shim) == record::Reading::kIntact) halves.shim = shim;
    return halves;
  }
  bool IsLocked(int slot) const {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_start = static_cast<off_t>(slot) * static_cast<off_t>(record::kSlotBytes);
    lock.l_len = record::kSlotBytes;
    const UniqueFd file = OpenRecords();
    return fcntl(file.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
  }
  static bool IsGone(int pid) {
    const std::optional<ProcStat> stat = ReadProcStat(pid);
    return !stat || stat->state == 'Z';
  }
  bool AwaitState(int pid, char state) {
    return RunUntil(loop_.get(), [&] {
      const std::optional<ProcStat> stat = ReadProcStat(pid);
      return stat && stat->state == state;
    });
  }
  void Stop(int pid) {
    ASSERT_EQ(kill(pid, SIGSTOP), 0);
    ASSERT_TRUE(AwaitState(pid, 'T'));
  }
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_UNIT_OS_WARM_SHIMS_FIXTURE_H_
