#include "tests/support/system/leftovers.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/unique_fd.h"

namespace shoal::testing {
namespace {

namespace fs = std::filesystem;

// How long something that is about to end by itself (a shim writing its last words) may take.
constexpr int kLastWordsMs = 10'000;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Until `pid`, a child, has ended and is reaped. False: it lives on.
bool ReapWithin(pid_t pid, int timeout_ms) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) return true;
  pollfd poll_fd{pidfd.get(), POLLIN, 0};
  if (poll(&poll_fd, 1, timeout_ms) <= 0) return false;
  waitpid(pid, nullptr, 0);
  return true;
}

}  // namespace

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  std::error_code ignored;
  for (const auto& task : fs::directory_iterator(absl::StrCat("/proc/", pid, "/task"), ignored)) {
    const std::string text = ReadAll(task.path() / "children");
    for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipWhitespace())) {
      pid_t child = 0;
      if (absl::SimpleAtoi(word, &child)) children.push_back(child);
    }
  }
  return children;
}

std::vector<pid_t> DescendantsOf(pid_t pid) {
  std::vector<pid_t> all = ChildrenOf(pid);
  for (size_t i = 0; i < all.size(); ++i) {
    const std::vector<pid_t> more = ChildrenOf(all[i]);
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

char ProcessState(pid_t pid) {
  const std::string stat = ReadAll(absl::StrCat("/proc/", pid, "/stat"));
  const size_t end = stat.rfind(')');
  return end == std::string::npos || end + 2 >= stat.size() ? '?' : stat[end + 2];
}

std::string DescribeProcess(pid_t pid) {
  const std::string words = ReadAll(absl::StrCat("/proc/", pid, "/cmdline"));
  return absl::StrCat(pid, " ", std::string(1, ProcessState(pid)), " ",
                      absl::StrReplaceAll(words, {{std::string(1, '\0'), " "}}));
}

std::vector<pid_t> DescendantsWith(absl::string_view marker) {
  std::vector<pid_t> found;
  for (pid_t pid : DescendantsOf(getpid())) {
    if (absl::StrContains(ReadAll(absl::StrCat("/proc/", pid, "/cmdline")), marker)) {
      found.push_back(pid);
    }
  }
  return found;
}

Leftovers::Leftovers(std::string scratch, std::string cgroup_base)
    : scratch_(std::move(scratch)), cgroup_base_(std::move(cgroup_base)) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void Leftovers::Check() {
  CheckProcesses();
  CheckMounts();
  CheckCgroups();
}

void Leftovers::CheckProcesses() {
  // Reaping what was orphaned is our duty and no failure; living on is. Killing a parent hands us
  // its children, hence the loop.
  for (std::vector<pid_t> left = ChildrenOf(getpid()); !left.empty(); left = ChildrenOf(getpid())) {
    for (pid_t pid : left) {
      const std::string description = DescribeProcess(pid);
      if (ReapWithin(pid, kLastWordsMs)) continue;
      ADD_FAILURE() << "left behind: process " << description;
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }
}

void Leftovers::CheckMounts() {
  const std::string mounts = ReadAll("/proc/self/mounts");
  for (absl::string_view line : absl::StrSplit(mounts, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    if (fields.size() < 2 || !absl::StartsWith(fields[1], scratch_ + "/")) continue;
    ADD_FAILURE() << "left behind: mount " << line;
    umount2(fields[1].c_str(), MNT_DETACH);
  }
}

void Leftovers::CheckCgroups() {
  if (cgroup_base_.empty()) return;
  std::vector<std::string> directories;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(cgroup_base_, ignored)) {
    if (entry.is_directory(ignored)) directories.push_back(entry.path());
  }
  std::sort(directories.rbegin(), directories.rend());  // deepest first
  for (const std::string& directory : directories) {
    const bool of_process = fs::path(directory).parent_path().filename() == "p";
    EXPECT_FALSE(of_process) << "left behind: cgroup " << directory;
    if (rmdir(directory.c_str()) != 0) ADD_FAILURE() << "cannot remove cgroup " << directory;
  }
  rmdir(cgroup_base_.c_str());
}

}  // namespace shoal::testing
