#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "shoal/context.h"
#include "shoal/process_info.h"
#include "shoal/registry.h"

namespace shoal {
namespace {

absl::StatusOr<std::string> Greet(const std::string& name) { return "hello " + name; }
absl::Status Unknown() { return absl::OkStatus(); }

class Doubler : public Process {
 public:
  using Process::Process;
  absl::Status Run() override {
    SetResult(argument() + argument());
    return absl::OkStatus();
  }
};

template <typename T>
class Pool : public Process {
 public:
  using Process::Process;
};

class Stranger : public Process {
 public:
  using Process::Process;
  absl::Status Run() override { return absl::OkStatus(); }
};

TEST(Registry, MakesWhatItKnowsByName) {
  internal::Registry registry;
  ASSERT_TRUE(registry.AddFunction("Greet", internal::KeyOf(Greet), internal::Bind(Greet)).ok());
  ASSERT_TRUE(registry
                  .AddClass("Doubler", typeid(Doubler),
                            [](ProcessOptions options) {
                              return std::make_unique<Doubler>(std::move(options));
                            })
                  .ok());
  EXPECT_EQ(registry.NameOf(internal::KeyOf(Greet)), "Greet");
  EXPECT_EQ(registry.NameOf(typeid(Doubler)), "Doubler");
  EXPECT_EQ(registry.NameOf(internal::KeyOf(Unknown)), "");
  auto greet = registry.Make("Greet", {.argument = "you"});
  auto doubler = registry.Make("Doubler", {.argument = "ab"});
  ASSERT_TRUE(greet.ok() && doubler.ok());
  EXPECT_TRUE((*greet)->Run().ok());
  EXPECT_TRUE((*doubler)->Run().ok());
  EXPECT_EQ(*(*greet)->Result(), "hello you");
  EXPECT_EQ(*(*doubler)->Result(), "abab");
  EXPECT_EQ(registry.Make("Gone", {}).status(),
            absl::NotFoundError("this program has no function or process \"Gone\"; registered are: "
                                "Doubler, Greet"));
  EXPECT_EQ(internal::Registry().Make("Gone", {}).status().message(),
            "this program has no function or process \"Gone\"; registered are: none");
}

TEST(Registry, ANameIsTakenOnce) {
  internal::Registry registry;
  ASSERT_TRUE(registry.AddFunction("f", internal::KeyOf(Greet), internal::Bind(Greet)).ok());
  absl::Status twice = registry.AddFunction("f", internal::KeyOf(Unknown), internal::Bind(Unknown));
  EXPECT_EQ(twice, absl::AlreadyExistsError(
                       "SHOAL_REGISTER_…(f): the name is registered twice in this program, so a "
                       "child could not tell which of both to run; rename one, or put it into a "
                       "namespace and register it as SPACE::NAME"));
}

TEST(Registry, TheSameNameTwiceEndsTheProgramAtItsStart) {
  EXPECT_EXIT(
      {
        internal::RegisterFunction("same", &Greet);
        internal::RegisterFunction("same", &Unknown);
      },
      ::testing::ExitedWithCode(1), "shoal: .*same.*registered twice");
}

TEST(ProcessInMain, IsCalledMainProcessAndHasNoParent) {
  EXPECT_EQ(CurrentProcess().name(), "MainProcess");
  EXPECT_EQ(CurrentProcess().pid(), getpid());
  EXPECT_FALSE(CurrentProcess().daemon());
  EXPECT_FALSE(ParentProcess().has_value());
}

TEST(ProcessInMain, RunMayBeCalledHere) {
  Process function(Greet, "you");
  EXPECT_TRUE(function.Run().ok());
  EXPECT_EQ(*function.Result(), "hello you");
  Doubler doubler({.argument = "x"});
  EXPECT_TRUE(doubler.Run().ok());
  EXPECT_EQ(*doubler.Result(), "xx");
  EXPECT_EQ(
      Process({.command = {"true"}, .name = "web"}).Run(),
      absl::UnimplementedError("web runs a command: there is nothing to call in this process"));
}

const char* made_at = nullptr;
absl::StatusOr<std::string> MakeLong() {
  std::string made(1000, 'x');
  made_at = made.data();
  return made;
}

TEST(ProcessInMain, WhatAFunctionReturnedIsTakenWithoutACopy) {
  Process process(MakeLong);
  ASSERT_TRUE(process.Run().ok());
  EXPECT_NE(process.Result()->data(), made_at);
  EXPECT_EQ(std::move(process).Result()->data(), made_at);
}

TEST(ProcessInMain, NamesCountAndBeginWithTheClass) {
  internal::RegisterClass<Doubler>("shop::Doubler");
  internal::RegisterClass<Pool<int>>("shop::Pool<std::pair<int, a::B>>");
  int last = internal::NextProcessNumber();
  Process one(Greet, "a");
  Doubler two;
  Process named(Greet, "b", {.name = "web"});
  Process command(ProcessOptions{.command = {"true"}});
  EXPECT_EQ(one.name(), absl::StrCat("Process-", last + 1));
  EXPECT_EQ(two.name(), absl::StrCat("Doubler-", last + 2));
  EXPECT_EQ(named.name(), "web");
  EXPECT_EQ(command.name(), "");
  EXPECT_EQ(Pool<int>().name(), absl::StrCat("Pool-std-pair-int-a-B-", last + 5));
}

// In a program of its own: the identity of a process is settled once.
TEST(ProcessInAChild, TakesNameAndDaemonFromItsEnvironmentAndMayHaveNoChildrenAsADaemon) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a fork of this one could start nothing
  EXPECT_EXIT(
      {
        setenv("SHOAL_NAME", "Process-1", 1);
        internal::BecomeChild(ProcessInfo("MainProcess", 5, "ant", "", false), /*daemon=*/true);
        Process self(Greet, "b");
        Process child(Greet, "a");
        absl::Status started = Process({.command = {"true"}, .name = "web"}).Start();
        std::fprintf(stderr, "%s %d %s: %s", child.name().c_str(), child.daemon(),
                     ParentProcess()->name().c_str(), std::string(started.message()).c_str());
        _exit(absl::IsFailedPrecondition(started) ? 0 : 1);
      },
      ::testing::ExitedWithCode(0),
      "Process-1.1 1 MainProcess: cannot start web: Process-1 is daemonic, and daemonic processes "
      "are not allowed to have children");
}

TEST(Start, OfWhatIsNotRegisteredSaysSo) {
  EXPECT_EQ(Process(Unknown, {.name = "a"}).Start(),
            absl::FailedPreconditionError("cannot start a: its function is not registered: "
                                          "SHOAL_REGISTER_FUNCTION(…) is missing"));
  EXPECT_EQ(Stranger({.name = "b"}).Start(),
            absl::FailedPreconditionError(
                "cannot start b: class shoal::(anonymous namespace)::Stranger is not registered: "
                "SHOAL_REGISTER_PROCESS(shoal::(anonymous namespace)::Stranger) is missing"));
}

TEST(Start, WithoutInitIsRefusedSinceTheChildWouldNotKnowThatItIsOne) {
  internal::RegisterFunction("Unknown", &Unknown);
  EXPECT_EQ(
      Process(Unknown, {.name = "a"}).Start(),
      absl::FailedPreconditionError("cannot start a: shoal::Init(&argc, &argv) was not called "
                                    "at the start of main(): the child would not know that "
                                    "it is one"));
}

TEST(ContextTest, BindsAMethodToOptions) {
  EXPECT_EQ(GetStartMethod(), StartMethod::kSpawn);
  SetStartMethod(StartMethod::kForkServer);
  EXPECT_EQ(GetStartMethod(), StartMethod::kForkServer);
  SetStartMethod(StartMethod::kSpawn);
  Context context(StartMethod::kFork, {.name = "fork", .fork_of = "loader"});
  EXPECT_EQ(context.options().start_method, StartMethod::kFork);
  std::unique_ptr<Process> process = context.NewProcess(Greet, "x");
  EXPECT_EQ(process->name(), "fork");
  EXPECT_TRUE(process->Run().ok());
  EXPECT_EQ(*process->Result(), "hello x");
}

}  // namespace
}  // namespace shoal
