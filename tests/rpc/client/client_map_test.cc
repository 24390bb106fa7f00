#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/mutex.h"
#include "shoal/child/function_call.h"
#include "shoal/init.h"
#include "shoal/map.h"
#include "shoal/outcome.h"
#include "shoal/registry.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;
absl::StatusOr<std::string> Shout(const std::string& text) { return text; }
SHOAL_REGISTER_FUNCTION(Shout);
absl::StatusOr<absl::string_view> ShoutView(absl::string_view text) { return text; }
SHOAL_REGISTER_FUNCTION(ShoutView);

// Never destroyed: the session of this program on it is closed when the program ends, and then its
// files go.
FakeAgent& Agent() {
  static FakeAgent* const kAgent = [] {
    std::atexit([] { Agent().RemoveFiles(); });
    return new FakeAgent("m", /*slots=*/2);
  }();
  return *kAgent;
}

// Plays the processes of the agent, one at a time, on a thread of its own.
class Player {
 public:
  using Play = std::function<absl::StatusOr<std::string>(const std::string& argument)>;

  explicit Player(Play play) : play_(std::move(play)), thread_([this] { Run(); }) {}
  ~Player() {
    {
      MutexLock lock(&mu_);
      is_over_ = true;
    }
    Agent().Stir();
    thread_.join();
  }
  size_t most_at_once() const {
    MutexLock lock(&mu_);
    return most_at_once_;
  }

 private:
  bool IsOver() const {
    MutexLock lock(&mu_);
    return is_over_;
  }

  void Run() {
    // A change meanwhile is news the next time.
    for (int64_t seen = Agent().AwaitNews(0); !IsOver(); seen = Agent().AwaitNews(seen)) {
      std::vector<v1::Process> living;
      for (const v1::Process& process : Agent().processes()) {
        if (!HasEnded(process)) living.push_back(process);
      }
      {
        MutexLock lock(&mu_);
        most_at_once_ = std::max(most_at_once_, living.size());
      }
      for (const v1::Process& process : living) End(process);
    }
  }

  void End(const v1::Process& process) {
    std::string argument;
    for (const std::string& entry : process.spec().env()) {
      absl::string_view value = entry;
      if (absl::ConsumePrefix(&value, "SHOAL_ARGUMENT=")) absl::Base64Unescape(value, &argument);
    }
    absl::StatusOr<std::string> result = play_(argument);
    if (absl::IsCancelled(result.status())) return;  // it goes on
    Agent().Write(process.id(), v1::STREAM_KIND_RESULT, internal::SerializeResult(result));
    Agent().Exit(process.id(), result.ok() ? 0 : 1);
  }

  const Play play_;
  mutable Mutex mu_;
  bool is_over_ ABSL_GUARDED_BY(mu_) = false;
  size_t most_at_once_ ABSL_GUARDED_BY(mu_) = 0;
  std::thread thread_;
};

class MapOverSlots : public ::testing::Test {
 protected:
  MapOverSlots() : fleet_(*Fleet::Connect(Agent().hosts())) {
    int argc = 0;
    char** argv = nullptr;
    Init(&argc, &argv);
  }

  Fleet fleet_;
};

TEST_F(MapOverSlots, ResultsAreInTheOrderOfTheArgumentsAndNoSlotHasTwoProcesses) {
  std::vector<std::string> numbers, shouted;
  for (int i = 0; i < 20; ++i) {
    numbers.push_back(std::to_string(i));
    shouted.push_back(std::to_string(i) + "!");
  }
  Player player([](const std::string& text) { return text + "!"; });
  auto results = Map(fleet_, Shout, numbers);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ(*results, shouted);
  EXPECT_LE(player.most_at_once(), 2u);
  EXPECT_TRUE(Agent().processes().empty());  // what was read is forgotten
}

TEST_F(MapOverSlots, TheFirstErrorIsTheOneThatComesAndEndsTheOthers) {
  Player player([](const std::string& text) -> absl::StatusOr<std::string> {
    if (text == "forever") return absl::CancelledError();
    return absl::OutOfRangeError("too loud");
  });
  auto results = Map(fleet_, Shout, std::vector<std::string>{"forever", "loud", "never begun"});
  EXPECT_TRUE(absl::IsOutOfRange(results.status())) << results.status();
  EXPECT_EQ(results.status(), absl::OutOfRangeError(absl::StrCat(
                                  "argument 1 on ", fleet_.hosts()[0].name(), ": too loud")));
}

TEST_F(MapOverSlots, WhatAFunctionReturnsAViewOfIsKept) {
  Player player([](const std::string& text) { return text + " and no dangling view"; });
  auto results = Map(fleet_, ShoutView, std::vector<std::string>{"text"});
  ASSERT_TRUE(results.ok()) << results.status();
  static_assert(std::is_same_v<decltype(results)::value_type, std::vector<std::string>>);
  EXPECT_EQ(results->at(0), "text and no dangling view");
}

TEST_F(MapOverSlots, NothingIsMappedToNothing) {
  auto results = Map(fleet_, Shout, std::vector<std::string>{});
  ASSERT_TRUE(results.ok());
  EXPECT_TRUE(results->empty());
}

TEST_F(MapOverSlots, AFleetWithoutSlotsSaysSo) {
  FleetOptions options;
  options.ask_facts = false;
  Fleet fleet = *Fleet::Connect(Agent().hosts(), options);
  EXPECT_EQ(Map(fleet, Shout, std::vector<std::string>{"x"}).status(),
            absl::FailedPreconditionError("the fleet has no slots to run anything on"));
}

}  // namespace
}  // namespace shoal
