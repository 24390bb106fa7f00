#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "shoal/context.h"
#include "shoal/process_info.h"
#include "shoal/registry.h"

namespace shoal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

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
  EXPECT_THAT(std::string(registry.Make("Gone", {}).status().message()),
              AllOf(HasSubstr("\"Gone\""), HasSubstr("Doubler, Greet")));
}

TEST(Registry, ANameIsTakenOnce) {
  internal::Registry registry;
  ASSERT_TRUE(registry.AddFunction("f", internal::KeyOf(Greet), internal::Bind(Greet)).ok());
  absl::Status twice = registry.AddFunction("f", internal::KeyOf(Unknown), internal::Bind(Unknown));
  EXPECT_TRUE(absl::IsAlreadyExists(twice));
  EXPECT_THAT(std::string(twice.message()), HasSubstr("(f): the name is registered twice"));
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
  EXPECT_TRUE(absl::IsUnimplemented(Process({.command = {"true"}}).Run()));
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

// In a program of its own: who one is, is settled once.
TEST(ProcessInAChild, TakesNameAndDaemonFromItsEnvironmentAndMayHaveNoChildrenAsADaemon) {
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
  absl::Status function = Process(Unknown).Start();
  EXPECT_TRUE(absl::IsFailedPrecondition(function));
  EXPECT_THAT(std::string(function.message()), HasSubstr("SHOAL_REGISTER_FUNCTION"));
  EXPECT_THAT(std::string(Stranger().Start().message()),
              AllOf(HasSubstr("Stranger"), HasSubstr("SHOAL_REGISTER_PROCESS")));
}

TEST(Start, WithoutInitIsRefusedSinceTheChildWouldNotKnowThatItIsOne) {
  internal::RegisterFunction("Unknown", &Unknown);
  EXPECT_THAT(std::string(Process(Unknown).Start().message()), HasSubstr("shoal::Init("));
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
