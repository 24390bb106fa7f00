// Random operations with kills at random steps, against what was acknowledged.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

// What the clients of one agent know.
class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {}

  void Run(int operations) {
    for (int i = 0; i < operations && !::testing::Test::HasFailure(); ++i) {
      if (Pick(6) == 0) world_.crash.Arm(1 + Pick(12));
      try {
        Operate();
        world_.Turn();
      } catch (const Crash&) {
        Recover();
      }
      Check();
    }
    world_.crash.Arm(0);
    Settle();
  }

 private:
  int Pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  // The agent starts again, at times over a new kill, and clients repeat what was not answered.
  void Recover() {
    do {
      world_.Kill();
      if (Pick(3) == 0) world_.crash.Arm(1 + Pick(10));
      try {
        world_.Start();
        Retry();
        break;
      } catch (const Crash&) {
      }
    } while (true);
  }
  void Retry() {
    for (const SpawnCommand& command : std::exchange(unanswered_, {})) Send(command);
    world_.Turn();
  }

  void Operate() {
    switch (Pick(12)) {
      case 0:
      case 1:
      case 2:
        return Send(Ranks(absl::StrCat("n", Pick(8)), 1 + Pick(4), absl::StrCat("r", ++requests_)));
      case 3:
        if (!answered_.empty()) Send(answered_[static_cast<size_t>(Pick(Size(answered_)))]);
        return;
      case 4:
      case 5:
        world_.shims.StartAll();
        return;
      case 6:
      case 7:
        return Exit();
      case 8:
        return Die();
      case 9: {
        TerminateCommand command = EndOf(All());
        world_.Terminate(command);
        return;
      }
      case 10:
        if (Pick(4) == 0) world_.store.FailNext(absl::ResourceExhaustedError("full"));
        return;
      default:
        return world_.scheduler.Advance(absl::Milliseconds(Pick(3000)));
    }
  }

  template <typename Container>
  static int Size(const Container& container) {
    return static_cast<int>(container.size());
  }

  // Kept until it is answered; an answer of success must hold from then on.
  void Send(const SpawnCommand& command) {
    unanswered_.push_back(command);
    world_.supervisor->Spawn(
        command, [this, command](const std::vector<SpawnOutcome>& outcomes, bool) {
          std::erase_if(unanswered_, [&](const SpawnCommand& other) {
            return other.request_id == command.request_id;
          });
          std::vector<std::string> ids;
          for (const SpawnOutcome& outcome : outcomes) {
            if (outcome.status.ok()) ids.push_back(outcome.process->id);
          }
          if (ids.size() != outcomes.size()) return;  // refused
          auto [known, added] = acknowledged_.try_emplace(command.request_id, ids);
          EXPECT_EQ(known->second, ids) << command.request_id << " was answered twice, differently";
          if (added) answered_.push_back(command);
        });
  }

  std::string RandomSlot(bool started) {
    std::vector<std::string> ids;
    for (const auto& [number, slot] : world_.shims.slots()) {
      bool runs = slot.locked && (slot.shim.flags & record::kExited) == 0;
      if (runs && ((slot.shim.flags & record::kStarted) != 0) == started) ids.push_back(slot.id);
    }
    return ids.empty() ? "" : ids[static_cast<size_t>(Pick(Size(ids)))];
  }
  void Exit() {
    std::string id = RandomSlot(true);
    if (id.empty()) return;
    int code = Pick(256);
    exits_[id] = code;
    world_.shims.End(id, code);
  }
  void Die() {
    std::string id = RandomSlot(true);
    if (id.empty() || Pick(3) != 0) return;
    killed_.insert(id);
    world_.shims.Die(id);
  }

  void Check() {
    int64_t revision = world_.supervisor->revision();
    EXPECT_GE(revision, revision_) << "a revision went back";
    revision_ = revision;
    std::set<std::string> started, names;
    for (const ShimStart& start : world_.shims.starts()) {
      EXPECT_TRUE(started.insert(start.id).second) << start.id << " was started twice";
    }
    std::set<std::pair<std::string, int>> requests;
    world_.supervisor->ForEachFrom(PermitOf(), "", [&](const ProcessEntry& process) {
      EXPECT_TRUE(requests.insert({process.request_id, process.request_index}).second)
          << process.request_id << " became two processes";
      if (!process.IsOver()) {
        EXPECT_TRUE(names.insert(process.name).second)
            << process.name << " has two holders; " << process.id << " is "
            << static_cast<int>(process.state) << ", flags " << process.flags << ", request "
            << process.request_id;
      }
      CheckExit(process);
      return true;
    });
    for (const auto& [request, ids] : acknowledged_) {
      for (const std::string& id : ids) {
        EXPECT_NE(world_.supervisor->Find(PermitOf(), id), nullptr)
            << id << " was acknowledged and is gone";
      }
    }
  }

  void CheckExit(const ProcessEntry& process) {
    if (!process.exit || killed_.contains(process.id)) return;
    auto known = exits_.find(process.id);
    ASSERT_NE(known, exits_.end()) << process.id << " has an exit that never was";
    EXPECT_EQ(process.exit->code, known->second) << process.id;
  }

  // Everything ends; then nothing may be left, and every exit must be there.
  void Settle() {
    for (int i = 0; i < 40; ++i) {
      Retry();
      world_.shims.StartAll();
      while (true) {
        std::string id = RandomSlot(true);
        if (id.empty()) break;
        exits_[id] = 1;
        world_.shims.End(id, 1);
      }
      for (const auto& [number, slot] : std::map(world_.shims.slots())) {
        if (world_.shims.IsLostTreePending(slot.id)) {
          world_.shims.FinishLostTree(slot.id, absl::OkStatus());
        }
      }
      world_.Turn();
      world_.scheduler.Advance(absl::Seconds(2));
    }
    Check();
    EXPECT_EQ(world_.supervisor->live_processes(), 0);
    EXPECT_TRUE(world_.shims.slots().empty()) << world_.shims.slots().size() << " slots are left";
    EXPECT_TRUE(unanswered_.empty()) << unanswered_.size() << " spawns were never answered";
    for (const auto& [id, process] : world_.store.processes()) {
      EXPECT_TRUE(process.IsOver()) << id << " is not stored as over";
    }
  }

  std::mt19937 random_;
  World world_;
  int requests_ = 0;
  int64_t revision_ = 0;
  std::vector<SpawnCommand> unanswered_, answered_;
  std::map<std::string, std::vector<std::string>> acknowledged_;
  std::map<std::string, int> exits_;  // that a shim has recorded
  std::set<std::string> killed_;      // shims that died: an exit may be unknown
};

class ModelTest : public ::testing::TestWithParam<int> {};

TEST_P(ModelTest, WhatWasAcknowledgedHoldsThroughEveryKill) {
  for (int i = 0; i < 20 && !HasFailure(); ++i) {
    const int seed = GetParam() * 1000 + i;
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Model(static_cast<unsigned>(seed)).Run(150);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, ::testing::Range(0, 20));

}  // namespace
}  // namespace shoal::agent
