#include "shoal/child_main.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shoal/context.h"
#include "shoal/function_call.h"
#include "shoal/process.h"
#include "shoal/process_info.h"
#include "shoal/registry.h"
#include "shoal/shipped_here.h"
#include "shoal/stack.h"
#include "shoal/uncaught.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::internal {
namespace {

constexpr int kFailed = 1;

// The descriptor for the result, kept from what this process executes; -1: nobody wants one.
int TakeResultFd() {
  struct stat status;
  int fd = fork_protocol::kProcessResultFd;
  if (fstat(fd, &status) != 0 || !S_ISFIFO(status.st_mode)) return -1;
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -1;
}

// Once, and then the descriptor is closed: a result that is complete can be seen to be.
class ResultPipe {
 public:
  ResultPipe() : fd_(TakeResultFd()) {
    if (fd_ >= 0 && fstat(fd_, &facts_) != 0) facts_ = {};
  }

  // In a process that was forked from the one that took it: it is that one's to write, and its end
  // is not seen while this one has it open. One that has its own result has it in the same place.
  void Forget() {
    int fd = fd_.exchange(-1);
    struct stat now;
    if (fd < 0 || fstat(fd, &now) != 0) return;
    if (now.st_dev == facts_.st_dev && now.st_ino == facts_.st_ino) close(fd);
  }

  void Write(const absl::StatusOr<std::string>& result) {
    int fd = fd_.exchange(-1);
    if (fd < 0) return;
    std::string message = SerializeResult(result);
    absl::string_view rest = message;
    while (!rest.empty()) {
      ssize_t written = write(fd, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) break;  // nobody reads: the shim is gone, and this process goes with it
      rest.remove_prefix(static_cast<size_t>(written));
    }
    close(fd);
  }

 private:
  std::atomic<int> fd_;
  struct stat facts_ = {};
};

// That of this process, once it is known to run a function, or of the one it was forked from. Never
// destroyed: exceptions come after the end of RunIfChild(), too.
ResultPipe* result_pipe = nullptr;

struct Ended {
  absl::StatusOr<std::string> result;
  std::string returned_by;  // whose error that is; empty: nothing of the user's ran
};

Ended RunFunction(FunctionCall call) {
  ProcessOptions options;
  options.name = CurrentProcess().name();
  options.daemon = call.daemon;
  options.argument = *std::move(call.argument);
  absl::StatusOr<std::unique_ptr<Process>> made =
      Registry::Get().Make(call.function, std::move(options));
  if (!made.ok()) return {made.status(), ""};
  Process& process = **made;
  bool is_subclass = typeid(process) != typeid(Process);
  std::string returned_by = call.function + (is_subclass ? "::Run()" : "()");
  // No try here: an exception must find nobody, so that its stack is that of the throw.
  if (absl::Status status = process.Run(); !status.ok()) return {status, returned_by};
  absl::StatusOr<std::string> result = process.Result();
  return {result.ok() ? *std::move(result) : std::string(), returned_by};  // it may give none
}

void PrintError(const absl::Status& error, const std::string& returned_by) {
  const ProcessInfo& self = CurrentProcess();
  std::fprintf(stderr, "shoal: %s (PID %d on %s): %s%s%s\n", self.name().c_str(), self.pid(),
               self.host().c_str(),
               error.ToString(absl::StatusToStringMode::kWithNoExtraData).c_str(),
               returned_by.empty() ? "" : "; returned by ", returned_by.c_str());
  PrintStackOf(error, stderr);
}

[[noreturn]] void EndWith(const Ended& ended) {
  const absl::StatusOr<std::string>& result = ended.result;
  if (!result.ok()) PrintError(result.status(), ended.returned_by);
  std::fflush(nullptr);  // what it printed is there before its result is
  result_pipe->Write(result);
  std::exit(result.ok() ? 0 : kFailed);
}

// The unwinder looks no further up than here: whoever has a try around Init() or OfferForks() would
// catch what the child throws, and unwind the stack that is to be told.
[[noreturn, gnu::noinline]] void CallAndEnd(FunctionCall call) {
#if defined(__x86_64__)
  asm volatile(".cfi_undefined rip");
#elif defined(__aarch64__)
  asm volatile(".cfi_undefined x30");
#endif
  EndWith(RunFunction(std::move(call)));
}

}  // namespace

void RunIfChild() {
  NoteShippedFiles();
  std::optional<absl::StatusOr<FunctionCall>> call = TakeFunctionCall();
  if (result_pipe != nullptr) result_pipe->Forget();
  if (!call.has_value()) return BecomeMain();
  result_pipe = new ResultPipe;
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  if (!call->ok()) {
    BecomeMain();
    EndWith({call->status(), ""});
  }
  BecomeChild((*call)->parent, (*call)->daemon);
  SetStartMethod((*call)->start_method);
  EndOnUncaught([](const absl::Status& status) { result_pipe->Write(status); });
  CallAndEnd(**std::move(call));
}

}  // namespace shoal::internal
