#include "shoal/uncaught.h"

#include <cxxabi.h>
#include <execinfo.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <utility>

#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"
#include "shoal/process.h"
#include "shoal/process_info.h"

namespace shoal::internal {
namespace {

constexpr int kExitCode = 1;
constexpr int kMaxFrames = 64;
constexpr int kOwnFrames = 2;  // PrintStack() and OnTerminate()
constexpr int kMaxSymbolBytes = 512;

struct Handler {
  std::thread::id thread;
  std::function<void(const absl::Status&)> tell;
  std::atomic<bool> is_ending{false};
};

Handler& TheHandler() {
  static auto* const handler = new Handler;
  return *handler;
}

std::string DescribeException() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "std::terminate() was called";
  int status = 0;
  char* demangled = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  std::string text = absl::StrCat("uncaught ", status == 0 ? demangled : type->name());
  std::free(demangled);
  try {
    std::rethrow_exception(std::current_exception());
  } catch (const std::exception& exception) {
    absl::StrAppend(&text, ": ", exception.what());
  } catch (...) {
    // Its type is all there is to say.
  }
  return text;
}

void PrintStack() {
  // By the unwind tables: absl::GetStackTrace() follows frame pointers, and libstdc++ has none.
  void* frames[kMaxFrames];
  int count = backtrace(frames, kMaxFrames);
  for (int i = kOwnFrames; i < count; ++i) {
    char symbol[kMaxSymbolBytes] = "(unknown)";
    // A return address: the call stands before it.
    absl::Symbolize(static_cast<char*>(frames[i]) - 1, symbol, sizeof(symbol));
    std::fprintf(stderr, "    @ %p  %s\n", frames[i], symbol);
  }
}

[[noreturn]] void OnTerminate() {
  Handler& handler = TheHandler();
  // An exception at the end, or on two threads at once: what is known was said.
  if (handler.is_ending.exchange(true)) _exit(kExitCode);
  std::string text = DescribeException();
  const ProcessInfo& self = CurrentProcess();
  std::fprintf(stderr, "shoal: %s (PID %d on %s): %s; thrown at\n", self.name().c_str(), self.pid(),
               self.host().c_str(), text.c_str());
  PrintStack();
  handler.tell(absl::InternalError(text));
  if (std::this_thread::get_id() == handler.thread) std::exit(kExitCode);
  EndProgram().IgnoreError();
  std::fflush(nullptr);
  _exit(kExitCode);
}

}  // namespace

void EndOnUncaught(std::function<void(const absl::Status&)> tell) {
  TheHandler().thread = std::this_thread::get_id();
  TheHandler().tell = std::move(tell);
  std::set_terminate(OnTerminate);
}

}  // namespace shoal::internal
