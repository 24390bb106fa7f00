#include "agent/os/procfs.h"

#include <fcntl.h>
#include <unistd.h>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/os/descriptor.h"
#include "agent/os/directory.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

// Numbers of the fields behind the comm, counted from the state, which is field 3.
constexpr size_t kState = 0, kParent = 1, kGroup = 2, kSession = 3, kUserTicks = 11,
                 kSystemTicks = 12, kChildUserTicks = 13, kChildSystemTicks = 14, kStartTicks = 19,
                 kRssPages = 21, kFieldsNeeded = 22;

std::string ReadLine(int pid, absl::string_view file) {
  absl::StatusOr<std::string> text =
      ReadSmallFile(AT_FDCWD, absl::StrCat("/proc/", pid, "/", file));
  if (!text.ok()) return {};
  return std::string(absl::StripSuffix(*text, "\n"));
}

}  // namespace

std::optional<ProcStat> ParseProcStat(absl::string_view text) {
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');  // The comm may hold any number of them.
  if (open == absl::string_view::npos || close == absl::string_view::npos || close < open) {
    return std::nullopt;
  }
  absl::string_view rest = text.substr(close + 1);
  absl::ConsumePrefix(&rest, " ");
  // The one behind those that are needed is the rest of the line.
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::StripSuffix(rest, "\n"), absl::MaxSplits(' ', kFieldsNeeded));
  ProcStat stat;
  int64_t ticks[4] = {};
  int64_t pages = 0;
  if (fields.size() < kFieldsNeeded || fields[kState].size() != 1 ||
      !absl::SimpleAtoi(text.substr(0, open), &stat.pid) ||
      !absl::SimpleAtoi(fields[kParent], &stat.parent) ||
      !absl::SimpleAtoi(fields[kGroup], &stat.group) ||
      !absl::SimpleAtoi(fields[kSession], &stat.session) ||
      !absl::SimpleAtoi(fields[kUserTicks], &ticks[0]) ||
      !absl::SimpleAtoi(fields[kSystemTicks], &ticks[1]) ||
      !absl::SimpleAtoi(fields[kChildUserTicks], &ticks[2]) ||
      !absl::SimpleAtoi(fields[kChildSystemTicks], &ticks[3]) ||
      !absl::SimpleAtoi(fields[kStartTicks], &stat.start_ticks) ||
      !absl::SimpleAtoi(fields[kRssPages], &pages)) {
    return std::nullopt;
  }
  static const int64_t kTicksPerSecond = sysconf(_SC_CLK_TCK);
  static const int64_t kPageBytes = sysconf(_SC_PAGESIZE);
  stat.comm = std::string(text.substr(open + 1, close - open - 1));
  stat.state = fields[kState][0];
  stat.cpu_time = absl::Seconds(ticks[0] + ticks[1] + ticks[2] + ticks[3]) / kTicksPerSecond;
  stat.rss_bytes = pages * kPageBytes;
  return stat;
}

std::optional<ProcStat> ReadProcStat(int pid) {
  char buffer[1024];
  UniqueFd fd(open(absl::StrCat("/proc/", pid, "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  const ssize_t got = read(fd.get(), buffer, sizeof(buffer));
  if (got <= 0) return std::nullopt;
  return ParseProcStat(absl::string_view(buffer, static_cast<size_t>(got)));
}

std::string ReadComm(int pid) { return ReadLine(pid, "comm"); }

std::string ReadCommandLine(int pid) { return ReadLine(pid, "cmdline"); }

std::string ReadWaitChannel(int pid) {
  std::string channel = ReadLine(pid, "wchan");
  return channel == "0" ? std::string() : channel;
}

std::optional<std::string> ReadInEnvironment(int pid, absl::string_view key) {
  const absl::StatusOr<std::string> environment =
      ReadSmallFile(AT_FDCWD, absl::StrCat("/proc/", pid, "/environ"));
  if (!environment.ok()) return std::nullopt;
  for (absl::string_view entry : absl::StrSplit(*environment, '\0')) {
    if (absl::ConsumePrefix(&entry, key) && absl::ConsumePrefix(&entry, "=")) {
      return std::string(entry);
    }
  }
  return std::nullopt;
}

std::vector<int> ListPids() {
  std::vector<int> pids;
  UniqueFd proc(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc) return pids;
  ForEachName(proc.get(), [&pids](const char* name, bool) {
    int pid = 0;
    if (absl::SimpleAtoi(name, &pid) && pid > 0) pids.push_back(pid);
  });
  return pids;
}

}  // namespace shoal::agent
