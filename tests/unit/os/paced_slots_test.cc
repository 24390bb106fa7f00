#include "agent/os/paced_slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kLast = 9;

class PacedSlotsTest : public ::testing::Test {
 protected:
  PacedSlotsTest() {
    auto created = EventLoop::Create();
    EXPECT_TRUE(created.ok()) << created.status();
    loop_ = *std::move(created);
    slots_ =
        std::make_unique<PacedSlots>(loop_.get(), PacedSlots::Pace{.at_once = 2, .between = {}},
                                     [this](int slot) { Handle(slot); });
  }
  void Handle(int slot) {
    handled_.push_back(slot);
    if (slot == kLast) loop_->Stop();
  }

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<PacedSlots> slots_;
  std::vector<int> handled_;
};

TEST_F(PacedSlotsTest, SomeAreHandledAtOnceAndTheOthersInTurnsToCome) {
  for (const int slot : {3, 1, 3, 2, 1, kLast}) slots_->Add(slot);
  slots_->Begin();
  EXPECT_THAT(handled_, ElementsAre(3, 1));
  slots_->Begin();  // while a turn is due
  EXPECT_THAT(handled_, ElementsAre(3, 1));
  std::vector<size_t> by_turn;
  loop_->Run([&] { by_turn.push_back(handled_.size()); });
  EXPECT_THAT(handled_, ElementsAre(3, 1, 2, kLast));
  EXPECT_THAT(by_turn, ElementsAre(4));
}

TEST_F(PacedSlotsTest, OneThatWasHandledMayWaitAgain) {
  slots_->Add(3);
  slots_->Begin();
  slots_->Add(3);
  slots_->Add(kLast);
  slots_->Begin();
  EXPECT_THAT(handled_, ElementsAre(3, 3, kLast));
}

TEST_F(PacedSlotsTest, OthersComeInBetween) {
  for (const int slot : {1, 2, 3, 4, kLast}) slots_->Add(slot);
  slots_->Begin();
  std::vector<size_t> seen;
  loop_->Post([&] { seen.push_back(handled_.size()); });
  loop_->Run();
  EXPECT_THAT(seen, ElementsAre(4));
}

TEST_F(PacedSlotsTest, NothingIsHandledOnceItIsGone) {
  for (const int slot : {1, 2, 3}) slots_->Add(slot);
  slots_->Begin();
  slots_.reset();
  handled_.clear();
  loop_->After(absl::Milliseconds(1), [&] { loop_->Stop(); });
  loop_->Run();
  EXPECT_THAT(handled_, IsEmpty());
}

}  // namespace
}  // namespace shoal::agent
