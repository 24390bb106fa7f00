// What a child says on stderr when its function fails, each in a process of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <exception>
#include <stdexcept>
#include <string>

#include "common/sanitizers.h"
#include "shoal/child/child_main.h"
#include "shoal/registry.h"

namespace shoal {
namespace {

absl::Status Refuse() { return absl::AbortedError("no"); }
absl::Status Throw() { throw std::runtime_error("oops"); }
absl::Status ThrowANumber() { throw 4; }
absl::Status Terminate() { std::terminate(); }
// noinline: to be seen in its stack.
[[gnu::noinline]] absl::Status Crash() {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address that is told
  static int* volatile nowhere = reinterpret_cast<int*>(16);
  *nowhere = 1;
  return absl::OkStatus();
}
[[gnu::noinline]] absl::Status Abort() { std::abort(); }
[[gnu::noinline]] int Recurse(volatile int* depth) {
  if (*depth < 0) return 0;
  volatile int deeper[1000] = {*depth + 1};
  return Recurse(deeper) + deeper[*depth % 1000];
}
absl::Status Overflow() {
  int depth = 0;
  return Recurse(&depth) == 0 ? absl::OkStatus() : absl::AbortedError("never");
}
absl::Status ThrowNested() {
  try {
    try {
      throw std::out_of_range("no line 7");
    } catch (...) {
      std::throw_with_nested(std::runtime_error("cannot read mesh"));
    }
  } catch (...) {
    std::throw_with_nested(std::logic_error("cannot start"));
  }
}
std::string ThrowTagged(const std::string& what) { throw std::runtime_error(what); }
absl::Status ThrowFromLambda() {
  auto deep = [](const std::string& what) { return ThrowTagged(what); };
  return absl::AbortedError(deep("oops"));
}
absl::Status Succeed() { return absl::OkStatus(); }

class Refuser : public Process {
 public:
  using Process::Process;
  absl::Status Run() override { return absl::NotFoundError("nothing"); }
};

class Loader : public Process {
 public:
  using Process::Process;
  absl::Status Load(const std::string& saved) override {
    return absl::DataLossError("cannot load \"" + saved + "\"");
  }
  absl::Status Run() override { return absl::OkStatus(); }
};

// As the agent starts it.
void BeChild(const char* function, const char* parent = "MainProcess ant/AAAA 17") {
  internal::RegisterFunction("Refuse", &Refuse);
  internal::RegisterFunction("Throw", &Throw);
  internal::RegisterFunction("ThrowANumber", &ThrowANumber);
  internal::RegisterFunction("Terminate", &Terminate);
  internal::RegisterFunction("Crash", &Crash);
  internal::RegisterFunction("Abort", &Abort);
  internal::RegisterFunction("Overflow", &Overflow);
  internal::RegisterFunction("ThrowNested", &ThrowNested);
  internal::RegisterFunction("ThrowFromLambda", &ThrowFromLambda);
  internal::RegisterFunction("Succeed", &Succeed);
  internal::RegisterClass<Refuser>("Refuser");
  internal::RegisterClass<Loader>("Loader");
  setenv("SHOAL_NAME", "web", 1);
  setenv("SHOAL_HOST", "ant", 1);
  setenv("SHOAL_FUNCTION", function, 1);
  setenv("SHOAL_PARENT", parent, 1);
  setenv("SHOAL_ARGUMENT", "", 1);
  internal::RunIfChild();
}

TEST(ChildMain, AnErrorIsToldWithTheFunctionThatReturnedIt) {
  EXPECT_EXIT(BeChild("Refuse"), ::testing::ExitedWithCode(1),
              "^shoal: web \\(PID [0-9]+ on ant\\): ABORTED: no; returned by Refuse\\(\\)\n");
  EXPECT_EXIT(BeChild("Refuser"), ::testing::ExitedWithCode(1),
              "^shoal: web \\(PID [0-9]+ on ant\\): NOT_FOUND: nothing; returned by "
              "Refuser::Run\\(\\)\n");
}

TEST(ChildMain, WhatCannotBeLoadedIsNotRun) {
  EXPECT_EXIT(BeChild("Loader"), ::testing::ExitedWithCode(1),
              "^shoal: web \\(PID [0-9]+ on ant\\): DATA_LOSS: cannot load \"\"; returned by "
              "Loader::Load\\(\\)\n");
}

TEST(ChildMain, WhatIsNotRegisteredReturnsNothing) {
  EXPECT_EXIT(BeChild("Gone"), ::testing::ExitedWithCode(1),
              "^shoal: web \\(PID [0-9]+ on ant\\): NOT_FOUND: this program has no function or "
              "process \"Gone\"; registered are: .*Refuse, Refuser, .*\n");
}

TEST(ChildMain, ACallThatCannotBeReadIsAnError) {
  EXPECT_EXIT(BeChild("Succeed", "nobody"), ::testing::ExitedWithCode(1),
              "^shoal: MainProcess \\(PID [0-9]+ on ant\\): INVALID_ARGUMENT: SHOAL_PARENT: "
              "\"nobody\" is not NAME HOST/ID PID\n");
}

TEST(ChildMain, AnExceptionIsToldWithWhatItSays) {
  EXPECT_EXIT(BeChild("Throw"), ::testing::ExitedWithCode(1),
              "^shoal: web \\(PID [0-9]+ on ant\\): uncaught std::runtime_error: oops; thrown "
              "at\n");
  EXPECT_EXIT(BeChild("ThrowANumber"), ::testing::ExitedWithCode(1), ": uncaught int; thrown at\n");
  EXPECT_EXIT(BeChild("Terminate"), ::testing::ExitedWithCode(1),
              ::testing::HasSubstr(": std::terminate() was called; thrown at\n"));
}

TEST(ChildMain, AnExceptionIsToldWithItsCauses) {
  EXPECT_EXIT(BeChild("ThrowNested"), ::testing::ExitedWithCode(1),
              ::testing::HasSubstr(": uncaught std::logic_error: cannot start; caused by "
                                   "std::runtime_error: cannot read mesh; caused by "
                                   "std::out_of_range: no line 7; thrown at\n"));
}

TEST(ChildMain, AStackHasTheCallsOfTheUserAloneByTheirNames) {
  EXPECT_EXIT(BeChild("Throw"), ::testing::ExitedWithCode(1),
              "thrown at\n    @ 0x[0-9a-f]+  shoal::\\(anonymous namespace\\)::Throw\\(\\)\n$");
  EXPECT_EXIT(BeChild("ThrowFromLambda"), ::testing::ExitedWithCode(1),
              ::testing::AllOf(::testing::HasSubstr("ThrowTagged"),
                               ::testing::Not(::testing::HasSubstr("  _Z"))));
}

// With a sanitizer, crashes are its to tell.
#if !defined(SHOAL_ADDRESS_SANITIZER) && !defined(SHOAL_THREAD_SANITIZER)
TEST(ChildMain, ACrashIsToldWithSignalAddressAndStackAndEndsAsItWould) {
  EXPECT_EXIT(BeChild("Crash"), ::testing::KilledBySignal(SIGSEGV),
              "^shoal: web \\(PID [0-9]+ on ant\\): ended by SIGSEGV at address 0x10; it happened "
              "at\n    @ 0x[0-9a-f]+  shoal::\\(anonymous namespace\\)::Crash\\(\\)\n$");
  EXPECT_EXIT(BeChild("Abort"), ::testing::KilledBySignal(SIGABRT),
              "^shoal: web \\(PID [0-9]+ on ant\\): ended by SIGABRT; it happened at\n.*  "
              "shoal::\\(anonymous namespace\\)::Abort\\(\\)\n$");
}

TEST(ChildMain, AStackThatIsFullIsToldToo) {
  EXPECT_EXIT(BeChild("Overflow"), ::testing::KilledBySignal(SIGSEGV),
              "ended by SIGSEGV at address 0x[0-9a-f]+; it happened at\n    @ 0x[0-9a-f]+  "
              "shoal::\\(anonymous namespace\\)::Recurse\\(\\)\n");
}

TEST(ChildMain, AHandlerOfTheProgramHandlesItsCrash) {
  EXPECT_EXIT(
      {
        signal(SIGSEGV, [](int) { _exit(3); });
        BeChild("Crash");
      },
      ::testing::ExitedWithCode(3), "^$");
}
#endif

TEST(ChildMain, SuccessIsSilent) {
  EXPECT_EXIT(BeChild("Succeed"), ::testing::ExitedWithCode(0), "^$");
}

}  // namespace
}  // namespace shoal
