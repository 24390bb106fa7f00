#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "shoal/host/event_queue.h"

namespace shoal {
namespace {

constexpr size_t kShare = size_t{256} << 10;  // the least that a source has

template <typename T>
std::vector<T> Items(std::vector<typename EventQueue<T>::Entry> entries) {
  std::vector<T> items;
  items.reserve(entries.size());
  for (auto& entry : entries) items.push_back(std::move(entry.item));
  return items;
}

TEST(EventQueueTest, ItemsComeInTheOrderOfAllSources) {
  EventQueue<std::string> queue(2, 0);
  EXPECT_EQ(queue.Push(1, 1, "a"), Flow::kGoOn);
  queue.Push("b");
  EXPECT_EQ(queue.Push(0, 1, "c"), Flow::kGoOn);
  EXPECT_EQ(Items<std::string>(queue.Take()), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(EventQueueTest, ASourceIsPausedAboveItsShareAndGoesOnAtHalfOfIt) {
  EventQueue<int> queue(2, 0);
  EXPECT_EQ(queue.Push(0, kShare, 1), Flow::kGoOn);
  EXPECT_EQ(queue.Push(0, 1, 2), Flow::kPause);
  EXPECT_EQ(queue.Push(1, kShare, 3), Flow::kGoOn);
  auto entries = queue.Take();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_TRUE(queue.Taken(entries[0]));
  EXPECT_FALSE(queue.Taken(entries[1]));
  EXPECT_EQ(entries[2].source, 1u);
}

TEST(EventQueueTest, WhatHasNoSourceResumesNone) {
  EventQueue<int> queue(1, 0);
  queue.Push(1);
  EXPECT_FALSE(queue.Taken(queue.Take()[0]));
}

TEST(EventQueueTest, IsEmptyOnceEverySourceHasEndedAndItsLastWordWasTaken) {
  EventQueue<int> queue(2, 0);
  queue.End(1);
  EXPECT_EQ(Items<int>(queue.Take()), std::vector<int>{1});
  std::thread other([&queue] { queue.End(2); });
  EXPECT_EQ(Items<int>(queue.Take()), std::vector<int>{2});
  EXPECT_TRUE(queue.Take().empty());
  other.join();
  EXPECT_TRUE(EventQueue<int>(0, 0).Take().empty());
}

TEST(EventQueueTest, ItemsAreMovedAndTheLargestShareIsFourMebibytes) {
  EventQueue<std::unique_ptr<int>> queue(1, size_t{32} << 20);
  EXPECT_EQ(queue.Push(0, size_t{4} << 20, std::make_unique<int>(1)), Flow::kGoOn);
  EXPECT_EQ(queue.Push(0, 1, std::make_unique<int>(2)), Flow::kPause);
  EXPECT_EQ(*queue.Take()[1].item, 2);
}

}  // namespace
}  // namespace shoal
