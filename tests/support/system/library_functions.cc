#include "tests/support/system/library_functions.h"

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
#include "shoal/shoal.h"
#include "shoal/v1/process.pb.h"
#include "tests/support/system/private_library.h"

namespace {

constexpr size_t kLargeResultBytes = size_t{70} << 20;  // more than the agent keeps of a stream

struct Farewell {
  ~Farewell() {
    if (shoal::ParentProcess().has_value()) std::printf("destructors run\n");
  }
} farewell;

// noinline: to be seen in its stack.
[[gnu::noinline]] void ThrowDeepInside(const std::string& what) { throw std::runtime_error(what); }

[[gnu::noinline]] absl::Status FailDeepInside() {
  return shoal::WithStack(absl::NotFoundError("no mesh"));
}

std::string loaded = "nothing";

void Preload() {
  loaded = "preloaded";
  signal(SIGUSR1, SIG_IGN);
}
SHOAL_PRELOAD(Preload);

}  // namespace

absl::Status Throw(const std::string& what) {
  ThrowDeepInside(what);
  return absl::OkStatus();
}
absl::Status ThrowOnThread(const std::string& what) {
  std::thread([what] { ThrowDeepInside(what); }).join();
  return absl::OkStatus();
}
absl::Status FailWithStack() {
  absl::Status failed = FailDeepInside();
  return shoal::WithStack(failed);  // keeps the first
}
absl::Status FailWithout() { return absl::NotFoundError("no mesh"); }
absl::Status Exit(const std::string& code) { std::exit(std::atoi(code.c_str())); }
absl::StatusOr<std::string> CloseDescriptors() {
  for (int fd = 3; fd < static_cast<int>(sysconf(_SC_OPEN_MAX)); ++fd) close(fd);
  static FILE* const kFile = std::tmpfile();
  std::atexit([] {
    std::printf("its file has %ld bytes\n", static_cast<long>(lseek(fileno(kFile), 0, SEEK_END)));
  });
  return "returned";
}
absl::Status Sleep() {
  while (true) pause();
}
absl::StatusOr<std::string> Large() { return std::string(kLargeResultBytes, 'r'); }
absl::StatusOr<std::string> Length(const std::string& text) { return absl::StrCat(text.size()); }
absl::StatusOr<shoal::v1::Survivor> Older(const shoal::v1::Survivor& survivor) {
  shoal::v1::Survivor older = survivor;
  older.set_pid(survivor.pid() + 1);
  return older;
}
absl::StatusOr<std::string> Environment() {
  FILE* env = popen("env | grep -E '^SHOAL_(FUNCTION|ARGUMENT|PARENT|DAEMON)=' | wc -l", "r");
  char count[16] = {};
  if (std::fgets(count, sizeof(count), env) == nullptr) return absl::InternalError("no output");
  pclose(env);
  return std::string(absl::StripAsciiWhitespace(count));
}
absl::StatusOr<std::string> CloseOnExec() {
  return absl::StrCat(fcntl(3, F_GETFD) == FD_CLOEXEC ? "result closes" : "result stays");
}
absl::Status Late() {
  std::printf("%s, a child of %s, ends\n", shoal::CurrentProcess().name().c_str(),
              shoal::ParentProcess()->name().c_str());
  return absl::OkStatus();
}
SHOAL_REGISTER_FUNCTION(Late);
absl::Status LateAfter(const std::string& pipe) {
  char end = 0;
  const int fd = open(pipe.c_str(), O_RDONLY | O_CLOEXEC);
  while (fd >= 0 && read(fd, &end, 1) > 0) {
  }
  return Late();
}
SHOAL_REGISTER_FUNCTION(LateAfter);
absl::Status LeaveChild() {
  shoal::Process child(Late);
  return child.Start();
}
absl::StatusOr<std::string> Executable() {
  char path[4096] = {};
  if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0) return absl::InternalError("no exe");
  return absl::StrCat(path, std::getenv("SHOAL_DIGESTS") == nullptr ? "" : " with digests");
}
SHOAL_REGISTER_FUNCTION(Executable);
absl::StatusOr<std::string> Executables() {
  std::string executables = *Executable();
  for (shoal::StartMethod method : {shoal::StartMethod::kSpawn, shoal::StartMethod::kForkServer}) {
    shoal::ProcessOptions options;
    options.start_method = method;
    shoal::Process child(Executable, options);
    if (absl::Status started = child.Start(); !started.ok()) return started;
    if (auto joined = child.Join(); !joined.ok()) return joined.status();
    absl::StrAppend(&executables, "\n", *child.Result());
  }
  return executables;
}
absl::StatusOr<std::string> LibraryPath() { return shoal::testing::PathOfPrivateLibrary(); }
absl::StatusOr<std::string> Method() {
  return shoal::GetStartMethod() == shoal::StartMethod::kForkServer ? "forkserver" : "another";
}
SHOAL_REGISTER_FUNCTION(Method);
absl::StatusOr<std::string> Methods() {
  shoal::Process child(Method);
  if (absl::Status started = child.Start(); !started.ok()) return started;
  if (auto joined = child.Join(); !joined.ok()) return joined.status();
  return absl::StrCat(*Method(), ", its child ", *child.Result());
}
absl::Status StartFromDaemon() { return shoal::Process(Late).Start(); }
absl::StatusOr<std::string> Fork() {
  pid_t child = fork();
  if (child < 0) return absl::StrCat("fork: errno ", errno);
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return "forked";
}
SHOAL_REGISTER_FUNCTION(Throw);
SHOAL_REGISTER_FUNCTION(ThrowOnThread);
SHOAL_REGISTER_FUNCTION(FailWithStack);
SHOAL_REGISTER_FUNCTION(FailWithout);
SHOAL_REGISTER_FUNCTION(Exit);
SHOAL_REGISTER_FUNCTION(CloseDescriptors);
SHOAL_REGISTER_FUNCTION(Sleep);
SHOAL_REGISTER_FUNCTION(Large);
SHOAL_REGISTER_FUNCTION(Length);
SHOAL_REGISTER_FUNCTION(Older);
SHOAL_REGISTER_FUNCTION(Environment);
SHOAL_REGISTER_FUNCTION(CloseOnExec);
SHOAL_REGISTER_FUNCTION(LeaveChild);
SHOAL_REGISTER_FUNCTION(LibraryPath);
SHOAL_REGISTER_FUNCTION(Methods);
SHOAL_REGISTER_FUNCTION(StartFromDaemon);
SHOAL_REGISTER_FUNCTION(Fork);
SHOAL_REGISTER_FUNCTION(Executables);

absl::Status Load(const std::string& what) {
  loaded = what;
  try {
    absl::StatusOr<std::vector<std::string>> words = shoal::OfferForks();
    return words.ok() && words->front() == "stay" ? Sleep() : words.status();
  } catch (const std::exception& exception) {
    return absl::AbortedError("caught around OfferForks()");  // never: a fork's exception ends it
  }
}
SHOAL_REGISTER_FUNCTION(Load);

absl::StatusOr<std::string> Ignores() {
  struct sigaction action;
  if (sigaction(SIGUSR1, nullptr, &action) != 0) return absl::InternalError("sigaction");
  return action.sa_handler == SIG_IGN ? "ignores SIGUSR1" : "heeds SIGUSR1";
}
SHOAL_REGISTER_FUNCTION(Ignores);

SHOAL_REGISTER_PROCESS(Add);

absl::StatusOr<std::string> Look() {
  std::string seen =
      absl::StrCat(shoal::CurrentProcess().name(),
                   shoal::CurrentProcess().pid() == getpid() ? " is " : " isn't ", "itself, has ",
                   std::exchange(loaded, "spoiled"), ", parent ", shoal::ParentProcess()->name());
  return seen;
}
SHOAL_REGISTER_FUNCTION(Look);
