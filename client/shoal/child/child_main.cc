#include "shoal/child/child_main.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shoal/child/crash.h"
#include "shoal/child/function_call.h"
#include "shoal/child/result_pipe.h"
#include "shoal/child/uncaught.h"
#include "shoal/context.h"
#include "shoal/process.h"
#include "shoal/process_info.h"
#include "shoal/registry.h"
#include "shoal/shipping/shipped_here.h"
#include "shoal/stack.h"

namespace shoal::internal {
namespace {

constexpr int kFailed = 1;

// That of this process, once it is known to run a function, or of the one it was forked from. Never
// destroyed: exceptions come after the end of RunIfChild(), too.
ResultPipe* result_pipe = nullptr;

struct Ended {
  absl::StatusOr<std::string> result;
  std::string returned_by;  // the function that gave it; empty: nothing of the user's ran
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
  // No try here: an exception must find no handler, so that its stack is that of the throw.
  if (absl::Status loaded = process.Load(process.argument()); !loaded.ok()) {
    return {loaded, call.function + "::Load()"};
  }
  if (absl::Status status = process.Run(); !status.ok()) return {status, returned_by};
  absl::StatusOr<std::string> result = std::move(process).Result();
  if (absl::IsFailedPrecondition(result.status())) result = std::string();  // it may give none
  if (result.ok()) {
    if (absl::Status fits = CheckResultSize(result->size()); !fits.ok()) result = fits;
  }
  return {std::move(result), returned_by};
}

void PrintError(const absl::Status& error, const std::string& returned_by) {
  const ProcessInfo& self = CurrentProcess();
  std::fprintf(stderr, "shoal: %s (PID %d on %s): %s%s%s\n", self.name().c_str(), self.pid(),
               self.host().c_str(),
               error.ToString(absl::StatusToStringMode::kWithNoExtraData).c_str(),
               returned_by.empty() ? "" : "; returned by ", returned_by.c_str());
  PrintStackOf(error, stderr);
}

// A value is written from where it is: it may be as large as half the memory.
absl::Status Return(const absl::StatusOr<std::string>& result) {
  if (!result.ok()) return result_pipe->Write(SerializeResult(result.status()), "");
  return result_pipe->Write(HeadOfResult(result->size()), *result);
}

[[noreturn]] void EndWith(const Ended& ended) {
  bool is_ok = ended.result.ok();
  if (!is_ok) PrintError(ended.result.status(), ended.returned_by);
  std::fflush(nullptr);  // what it printed is there before its result is
  absl::Status told = Return(ended.result);
  if (!told.ok()) PrintError(told, "");
  std::exit(is_ok && told.ok() ? 0 : kFailed);
}

// The unwinder looks no further up than here: a try around Init() or OfferForks() would catch what
// the child throws, and unwind the stack that is to be told.
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
  TellCrashes();
  EndOnUncaught([](const absl::Status& status) {
    if (absl::Status told = Return(status); !told.ok()) {
      PrintError(told, "");
    }
  });
  CallAndEnd(**std::move(call));
}

}  // namespace shoal::internal
