#include "shoal/uncaught.h"

#include <cxxabi.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shoal/process.h"
#include "shoal/process_info.h"
#include "shoal/stack.h"

namespace shoal::internal {
namespace {

constexpr int kExitCode = 1;

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

[[noreturn]] void OnTerminate() {
  Handler& handler = TheHandler();
  // An exception at the end, or on two threads at once: what is known was said.
  if (handler.is_ending.exchange(true)) _exit(kExitCode);
  std::string text = DescribeException();
  const ProcessInfo& self = CurrentProcess();
  std::fprintf(stderr, "shoal: %s (PID %d on %s): %s; thrown at\n", self.name().c_str(), self.pid(),
               self.host().c_str(), text.c_str());
  PrintStack(stderr);
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
