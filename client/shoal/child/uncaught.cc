#include "shoal/child/uncaught.h"

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
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
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
  static auto* const kHandler = new Handler;
  return *kHandler;
}

std::string NameOfType() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  int status = 0;
  char* demangled = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  absl::string_view name = status == 0 ? demangled : type->name();
  // What std::throw_with_nested() makes of the user's type.
  if (absl::ConsumePrefix(&name, "std::_Nested_exception<")) absl::ConsumeSuffix(&name, ">");
  std::string text(name);
  std::free(demangled);
  return text;
}

// An exception, what it says, and what it is nested around (std::throw_with_nested).
std::string Describe(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& exception) {
    std::string text = absl::StrCat(NameOfType(), ": ", exception.what());
    const auto* nested = dynamic_cast<const std::nested_exception*>(&exception);
    if (nested != nullptr && nested->nested_ptr() != nullptr) {
      absl::StrAppend(&text, "; caused by ", Describe(nested->nested_ptr()));
    }
    return text;
  } catch (...) {
    return NameOfType();  // all there is to say
  }
}

std::string DescribeException() {
  const std::exception_ptr thrown = std::current_exception();
  if (thrown == nullptr) return "std::terminate() was called";
  return absl::StrCat("uncaught ", Describe(thrown));
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
