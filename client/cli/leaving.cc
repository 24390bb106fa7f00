#include "client/cli/leaving.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/progress.h"
#include "client/cli/raw_terminal.h"
#include "client/cli/standard_output.h"
#include "common/mutex.h"

namespace shoal::cli {
namespace {

constexpr absl::Duration kTimeToSay = absl::Milliseconds(200);
constexpr int kTerminated = 128;  // and the signal

std::atomic<int> end_signal = 0;

// Shared with the thread that writes, which may never come back.
struct Saying {
  Mutex mu;
  bool is_said ABSL_GUARDED_BY(mu) = false;
};

}  // namespace

void DieBySignal(int number) {
  EraseProgress();
  RawTerminal::Restore();
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  signal(number, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, number);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  raise(number);
  _exit(kTerminated + number);
}

void EndBySignal(int number) { end_signal = number; }
int SignalToDieOf() { return end_signal; }

void SayAtOnce(const std::string& text) {
  auto saying = std::make_shared<Saying>();
  try {
    std::thread([saying, text] {
      WriteError(absl::StrCat("shoal: ", text, "\n"));
      MutexLock lock(&saying->mu);
      saying->is_said = true;
    }).detach();
  } catch (const std::system_error&) {
    return;  // no thread is to be had
  }
  MutexLock lock(&saying->mu);
  saying->mu.AwaitWithTimeout(
      [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(saying->mu) { return saying->is_said; }, kTimeToSay);
}

std::string TellLeaving(const std::vector<HostLeft>& left,
                        const std::vector<std::string>& host_names, absl::string_view lapse) {
  if (left.empty()) {
    return "leaving; no process is left on any host, and what of their output could not be written "
           "is lost.";
  }
  int detached = 0;
  for (const HostLeft& entry : left) detached += entry.is_detached ? entry.processes : 0;
  std::string text = "leaving";
  if (detached > 0) absl::StrAppend(&text, "; going on, detached: ", detached);
  if (std::string rest = DescribeLeft(left, host_names); !rest.empty()) {
    absl::StrAppend(&text, "; not seen to end: ", rest,
                    ". What lives there is ended when nothing was heard from here for ", lapse);
  }
  return absl::StrCat(text, ".");
}

std::string TellRest() {
  return "no process is left on any host, and the rest of their output is being written; Ctrl-C "
         "once more leaves without it.";
}

std::string TellStarted(const std::vector<HostLeft>& left,
                        const std::vector<std::string>& host_names) {
  return absl::StrCat("started: ", DescribeLeft(left, host_names), "; `shoal ps` shows them.");
}

std::string TellStopLeft(absl::string_view processes) {
  return absl::StrCat("leaving; the end of ", processes,
                      " was asked for, and not seen; `shoal ps` shows what is left.");
}

std::string TellInputLeft(absl::string_view name) {
  return absl::StrCat("leaving; the input of ", name, " may not have all that came on stdin.");
}

std::string DescribeLeft(const std::vector<HostLeft>& left,
                         const std::vector<std::string>& host_names) {
  std::vector<std::string> parts;
  for (const HostLeft& entry : left) {
    if (entry.is_detached) continue;
    parts.push_back(absl::StrCat(entry.is_certain ? "" : "up to ", entry.processes, " on ",
                                 host_names[static_cast<size_t>(entry.host)]));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace shoal::cli
