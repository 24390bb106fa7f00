#include "agent/core/event_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string IdOf(char letter) { return std::string(kIdLength, letter); }

// The first letters of what has changed, and whether it was deleted.
std::vector<std::pair<char, bool>> Since(const EventRing& ring, int64_t revision) {
  const auto events = ring.Since(revision);
  EXPECT_TRUE(events.ok()) << events.status();
  std::vector<std::pair<char, bool>> changes;
  if (!events.ok()) return changes;
  for (const EventRing::Event& event : *events) {
    EXPECT_EQ(event.id, IdOf(event.id[0]));
    changes.emplace_back(event.id[0], event.deleted);
  }
  return changes;
}

TEST(EventRing, TellsTheLatestOfEachIdOldestFirst) {
  EventRing ring(8);
  ring.StartAt(100);
  for (const char letter : {'a', 'b', 'a'}) ring.Add(IdOf(letter), /*deleted=*/false);
  EXPECT_EQ(ring.Add(IdOf('c'), /*deleted=*/true), 104);
  EXPECT_THAT(Since(ring, 100), ElementsAre(Pair('b', false), Pair('a', false), Pair('c', true)));
  EXPECT_THAT(Since(ring, 103), ElementsAre(Pair('c', true)));
  EXPECT_THAT(Since(ring, 104), IsEmpty());
}

TEST(EventRing, KeepsAsManyAsItHasRoomForAndSaysWhatIsGone) {
  EventRing ring(3);
  for (const char letter : {'a', 'b', 'c', 'd', 'e'}) ring.Add(IdOf(letter), /*deleted=*/false);
  EXPECT_THAT(Since(ring, 2), ElementsAre(Pair('c', false), Pair('d', false), Pair('e', false)));
  EXPECT_TRUE(absl::IsOutOfRange(ring.Since(1).status()));
  EXPECT_TRUE(absl::IsOutOfRange(ring.Since(6).status()));
}

}  // namespace
}  // namespace shoal::agent
