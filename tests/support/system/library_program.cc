// A program that starts its own functions in every way that can go well or wrong: library_program
// SCENARIO. What it finds it prints to stdout, a line each, for tests/system/library_test.cc.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/notification.h"
#include "shoal/session.h"
#include "shoal/shoal.h"
#include "shoal/v1/process.pb.h"
#include "tests/support/system/library_functions.h"

namespace {

void Print(const absl::Status& status) { std::printf("%s\n", status.ToString().c_str()); }

shoal::ProcessOptions Options() {
  static const absl::StatusOr<shoal::Fleet> kFleet = shoal::Fleet::Connect();
  if (!kFleet.ok()) std::exit(shoal::Fail(kFleet.status()));
  return {.host = kFleet->hosts().front().host};
}

// Starts, joins, and prints exit code and result.
void Tell(shoal::Process& process) {
  if (absl::Status started = process.Start(); !started.ok()) return Print(started);
  absl::StatusOr<bool> joined = process.Join();
  std::printf("exit code %d\n", process.ExitCode().value_or(-1000));
  if (!joined.ok()) return Print(joined.status());
  absl::StatusOr<std::string> result = process.Result();
  if (!result.ok()) return Print(result.status());
  if (result->size() > 1000) *result = absl::StrCat(result->size(), " bytes");
  std::printf("result %s\n", result->c_str());
}

template <typename... What>
void Tell(What... what) {
  shoal::Process process(what..., Options());
  Tell(process);
}

void PollSentinel() {
  shoal::Process process(Sleep, Options());
  if (absl::Status started = process.Start(); !started.ok()) return Print(started);
  pollfd sentinel = {process.Sentinel().value_or(-1), POLLIN, 0};
  std::printf("readable %d\n", poll(&sentinel, 1, 0));
  if (absl::Status asked = process.Interrupt(); !asked.ok()) return Print(asked);
  std::printf("readable %d\n", poll(&sentinel, 1, 60'000));
  std::printf("exit code %d\n", process.ExitCode().value_or(-1000));
}

std::string TestChild() {
  std::string path(4096, '\0');
  ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  path.resize(static_cast<size_t>(std::max<ssize_t>(length, 0)));
  return path.substr(0, path.rfind('/') + 1) + "shoal_test_child";
}

void TellMembers() {
  Add process(Options());
  process.saved = 7;
  process.left = 7;
  Tell(static_cast<shoal::Process&>(process));
}

// More than an agent keeps of a stream.
void TellUnread() {
  shoal::ProcessOptions options = Options();
  options.command = {TestChild(), "bytes", "1", std::to_string(80 << 20)};
  shoal::Process process(options);
  if (absl::Status started = process.Start(); !started.ok()) return Print(started);
  std::printf("ended %d\n", process.Join(absl::Seconds(50)).value_or(false));
  absl::StatusOr<std::string> kept = process.ReadOutput();
  std::printf("%s\n", absl::StatusCodeToString(kept.status().code()).c_str());
  if (absl::Status killed = process.Kill(); !killed.ok()) return Print(killed);
}

// The name of one that is not alive, as a supervisor starts it again; the first leaves a child.
void TellNameAgain() {
  shoal::ProcessOptions options = Options();
  options.name = "web";
  options.command = {TestChild(), "linger", "300"};
  shoal::Process first(options);
  if (absl::Status started = first.Start(); !started.ok()) return Print(started);
  while (first.IsAlive().value_or(true)) {
  }
  options.command = {TestChild(), "exit", "0"};
  shoal::Process second(options);
  Print(second.Start());
  while (second.IsAlive().value_or(true)) {
  }
  Print(second.Close());
}

// Signals itself, and then does what would take for ever.
void EndBySignals(int count, absl::Duration grace) {
  if (absl::Status ready = shoal::ExitOnSignals(); !ready.ok()) return Print(ready);
  shoal::ProcessOptions options = Options();
  options.command = {TestChild(), "ignore-term"};
  options.grace = grace;
  shoal::Notification is_ready;
  options.on_output = [&](auto, int64_t, absl::string_view) { is_ready.Notify(); };
  shoal::Process process(options);
  if (absl::Status started = process.Start(); !started.ok()) return Print(started);
  is_ready.WaitForNotification();
  std::printf("started\n");
  std::fflush(stdout);
  for (int i = 0; i < count; ++i) raise(SIGINT);
  Print(process.Join().status());
}

// One of each kind is left to the end of the program.
void LeaveBoth() {
  shoal::ProcessOptions options = Options();
  options.daemon = true;
  shoal::Process daemon(Sleep, options);
  if (absl::Status started = daemon.Start(); !started.ok()) return Print(started);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Print(absl::ErrnoToStatus(errno, "pipe2"));
  shoal::Process child(LateAfter, absl::StrCat("/proc/", getpid(), "/fd/", ends[0]), Options());
  if (absl::Status started = child.Start(); !started.ok()) return Print(started);
  std::printf("%zu active\n", shoal::ActiveChildren().size());
  std::fflush(stdout);
  close(ends[1]);
}

void TellDaemon() {
  shoal::ProcessOptions options = Options();
  options.daemon = true;
  shoal::Process process(StartFromDaemon, options);
  Tell(process);
}

void TellForbidden() {
  shoal::ProcessOptions options = Options();
  options.forbid_children = true;
  shoal::Process process(Fork, options);
  Tell(process);
}

// The second is after one that threw, on the same template.
void TellForkServer() {
  shoal::Context warm(shoal::StartMethod::kForkServer, Options());
  Tell(*warm.NewProcess(Look));
  Tell(*warm.NewProcess(Throw, "boom"));
  Tell(*warm.NewProcess(Look));
  Tell(*warm.NewProcess(Ignores));
}

void TellMethods() {
  shoal::SetStartMethod(shoal::StartMethod::kForkServer);
  Tell(Methods);
  shoal::SetStartMethod(shoal::StartMethod::kSpawn);
  Tell(Methods);
}

void TellFork() {
  shoal::ProcessOptions options = Options();
  options.name = "loader";
  shoal::Process loader(Load, "a data set", options);
  if (absl::Status started = loader.Start(); !started.ok()) return Print(started);
  shoal::Context fork(shoal::StartMethod::kFork, Options());
  options = fork.options();
  options.fork_of = "loader";
  for (int i = 0; i < 3; ++i) {
    shoal::Process process(Look, options);
    Tell(process);
  }
  shoal::Process throws(Throw, "boom", options);
  Tell(throws);
  if (absl::Status ended = loader.Terminate(); !ended.ok()) return Print(ended);
  Print(loader.Join().status());
}

// A handle that is written down before the start: this program is killed, and TakeUpHandle() is another one's.
void LeaveHandle() {
  shoal::SetSessionTtl(absl::Seconds(2));
  shoal::ProcessOptions options = Options();
  options.command = {"cat"};
  options.input = true;
  options.request_id = std::getenv("SHOAL_TEST_REQUEST_ID");
  shoal::Process process(options);
  if (absl::Status started = process.Start(); !started.ok()) return Print(started);
  absl::StatusOr<shoal::Input> input = process.input();
  if (absl::Status written = input->Write("first\n"); !written.ok()) return Print(written);
  if (absl::Status taken = input->AwaitTaken(); !taken.ok()) return Print(taken);
  std::printf("written\n");
  std::fflush(stdout);
  pause();
}

// By the request_id alone; until its stdin ends it does no more than keep the process.
void TakeUpHandle() {
  const std::shared_ptr<shoal::Host> host = Options().host;
  std::string text;
  shoal::Notification has_both;
  shoal::AttachOptions options;
  options.takeover = shoal::TakeoverRule::kWhenUnrenewed;
  options.on_output = [&](shoal::v1::StreamKind, int64_t offset, absl::string_view data) {
    if (offset != static_cast<int64_t>(text.size())) std::printf("a gap\n");
    text.append(data.data(), data.size());
    if (text == "first\nsecond\n") has_both.Notify();
  };
  absl::StatusOr<std::unique_ptr<shoal::Process>> process = shoal::Process::AttachByRequest(
      host, std::getenv("SHOAL_TEST_REQUEST_ID"), std::move(options));
  if (!process.ok()) return Print(process.status());
  absl::StatusOr<shoal::Input> input = (*process)->input();
  if (absl::Status written = input->Write("second\n"); !written.ok()) return Print(written);
  std::printf("input at %lld\n", static_cast<long long>(input->offset()));
  has_both.WaitForNotification();
  std::printf("taken up\n");
  std::fflush(stdout);
  char end;
  while (read(STDIN_FILENO, &end, 1) > 0) {
  }
  if (absl::Status written = input->Write("third\n"); !written.ok()) return Print(written);
  if (absl::Status closed = input->Close(); !closed.ok()) return Print(closed);
  Print((*process)->Wait());
  std::printf("%s", text.c_str());
}

// Commands: they want no result, and so leave that of the loader alone.
void TellForkOfCommand() {
  shoal::ProcessOptions options = Options();
  options.name = "loader";
  shoal::Process loader(Load, "a data set", options);
  if (absl::Status started = loader.Start(); !started.ok()) return Print(started);
  options = Options();
  options.start_method = shoal::StartMethod::kFork;
  options.fork_of = "loader";
  options.command = {"return"};
  shoal::Process returns(options);
  Tell(returns);
  options.command = {"stay"};
  shoal::Process stays(options);
  if (absl::Status started = stays.Start(); !started.ok()) return Print(started);
  if (absl::Status ended = loader.Terminate(); !ended.ok()) return Print(ended);
  Print(loader.Join(absl::Seconds(20)).status());
  std::printf("other alive %d\n", stays.IsAlive().value_or(false));
  if (absl::Status ended = stays.Kill(); !ended.ok()) return Print(ended);
}

// Of one that never offers itself.
void TellForkRefused() {
  shoal::ProcessOptions options = Options();
  options.name = "sleeper";
  shoal::Process sleeper(Sleep, options);
  if (absl::Status started = sleeper.Start(); !started.ok()) return Print(started);
  options = Options();
  options.start_method = shoal::StartMethod::kFork;
  options.fork_of = "sleeper";
  shoal::Process process(Look, options);
  Tell(process);
  if (absl::Status ended = sleeper.Kill(); !ended.ok()) return Print(ended);
}

void TellMessage() {
  shoal::v1::Survivor survivor;
  survivor.set_pid(41);
  shoal::Process process(Older, survivor, Options());
  if (absl::Status started = process.Start(); !started.ok()) return Print(started);
  if (auto joined = process.Join(); !joined.ok()) return Print(joined.status());
  std::printf("pid %d\n", process.Result<shoal::v1::Survivor>()->pid());
}

void TellMap() {
  absl::StatusOr<shoal::Fleet> fleet = shoal::Fleet::Connect();
  if (!fleet.ok()) return Print(fleet.status());
  std::vector<std::string> words = {"a", "bb", "ccc", "dddd", "eeeee"};
  absl::StatusOr<std::vector<std::string>> lengths = shoal::Map(*fleet, Length, words);
  if (!lengths.ok()) return Print(lengths.status());
  for (const std::string& length : *lengths) std::printf("%s\n", length.c_str());
}

const std::map<std::string, void (*)()>& Scenarios() {
  static const auto* const kScenarios = new std::map<std::string, void (*)()>{
      {"throw", [] { Tell(Throw, std::string("boom")); }},
      {"throw-on-thread", [] { Tell(ThrowOnThread, std::string("boom")); }},
      {"fail", [] { Tell(FailWithout); }},
      {"fail-with-stack", [] { Tell(FailWithStack); }},
      {"exit", [] { Tell(Exit, std::string("3")); }},
      {"exit-0", [] { Tell(Exit, std::string("0")); }},
      {"close-descriptors", [] { Tell(CloseDescriptors); }},
      {"large-result", [] { Tell(Large); }},
      {"large-argument", [] { Tell(Length, std::string(1 << 20, 'a')); }},
      {"environment", [] { Tell(Environment); }},
      {"close-on-exec", [] { Tell(CloseOnExec); }},
      {"executables", [] { Tell(Executables); }},
      {"library-path", [] { Tell(LibraryPath); }},
      {"leave-child", [] { Tell(LeaveChild); }},
      {"sentinel", PollSentinel},
      {"members", TellMembers},
      {"unread", TellUnread},
      {"name-again", TellNameAgain},
      {"signal", [] { EndBySignals(1, absl::Milliseconds(100)); }},
      {"signal-twice", [] { EndBySignals(2, absl::Hours(1)); }},
      {"leave-both", LeaveBoth},
      {"daemon", TellDaemon},
      {"forbid-children", TellForbidden},
      {"forkserver", TellForkServer},
      {"start-methods", TellMethods},
      {"fork", TellFork},
      {"fork-of-command", TellForkOfCommand},
      {"fork-refused", TellForkRefused},
      {"leave-handle", LeaveHandle},
      {"take-up-handle", TakeUpHandle},
      {"message", TellMessage},
      {"map", TellMap},
  };
  return *kScenarios;
}

}  // namespace

int main(int argc, char** argv) try {
  shoal::Init(&argc, &argv);
  auto scenario = Scenarios().find(argc == 2 ? argv[1] : "");
  if (scenario == Scenarios().end()) return 2;
  scenario->second();
} catch (const std::exception& exception) {
  std::printf("caught around Init()\n");  // never: a child's exception ends it
  return 4;
}
