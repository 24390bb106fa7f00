// Which observer hears of what, in which order, and what it may do from within a call.
#include "agent/core/observers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kId[] = "ABCDEFGHIJKLMNO2";
constexpr char kOtherId[] = "ABCDEFGHIJKLMNO3";

ProcessEntry Named(const std::string& name, const std::string& id = kId) {
  ProcessEntry process;
  process.id = id;
  process.name = name;
  return process;
}

Selector OfTerms(std::vector<std::string> terms) {
  Selector selector;
  selector.terms = std::move(terms);
  return selector;
}

Selector OfSession(const std::string& id) {
  Selector selector;
  selector.session_id = id;
  return selector;
}

Selector OfAll() {
  Selector selector;
  selector.all = true;
  return selector;
}

// Writes down what it hears; `then` runs once, within the next call.
class Recorder : public ProcessObserver {
 public:
  void OnChanged(const ProcessEntry& process) override { Hear("changed ", process.name); }
  void OnDeleted(const std::string& id, int64_t revision) override {
    Hear("deleted ", id, " at ", revision);
  }
  void OnOutput(const ProcessEntry& process) override { Hear("output ", process.name); }
  void OnSessionOver(const std::string& id) override { Hear("over ", id); }
  void OnTurnEnd() override { Hear("end"); }

  std::vector<std::string> TakeHeard() { return std::exchange(heard_, {}); }

  std::function<void()> then;

 private:
  template <typename... Words>
  void Hear(const Words&... words) {
    heard_.push_back(absl::StrCat(words...));
    if (then) std::exchange(then, nullptr)();
  }

  std::vector<std::string> heard_;
};

class ObserversTest : public ::testing::Test {
 protected:
  // What `observer` heard of a change and the end of its turn.
  std::vector<std::string> HeardOf(const ProcessEntry& process, Recorder* observer) {
    observers_.TellChanged(process);
    observers_.TellTurnEnd();
    return observer->TakeHeard();
  }
  bool Hears(const Selector& selector, const ProcessEntry& process) {
    Recorder observer;
    observers_.Follow(&observer, selector);
    bool hears = !HeardOf(process, &observer).empty();
    observers_.Remove(&observer);
    return hears;
  }

  Observers observers_;
  Recorder first_, second_;
};

TEST_F(ObserversTest, AFollowerHearsOfItsProcessAndOfNoOther) {
  observers_.FollowProcess(&first_, kId);
  observers_.FollowProcess(&second_, kOtherId);
  observers_.TellOutput(Named("web"));
  observers_.TellChanged(Named("web"));
  observers_.TellDeleted(kId, 7);
  observers_.TellTurnEnd();
  EXPECT_THAT(first_.TakeHeard(), ElementsAre("output web", "changed web",
                                              absl::StrCat("deleted ", kId, " at 7"), "end"));
  EXPECT_THAT(second_.TakeHeard(), IsEmpty());
}

TEST_F(ObserversTest, ASelectorHearsOfWhatMatchesAndOfNothingElse) {
  ProcessEntry web = Named("web-1");
  web.session_id = "S1";
  web.labels = {{"tier", "front"}};
  Selector front;
  front.labels = {{"tier", "front"}};
  Selector back;
  back.labels = {{"tier", "back"}};
  EXPECT_TRUE(Hears(OfAll(), web));
  EXPECT_TRUE(Hears(front, web));
  EXPECT_FALSE(Hears(back, web));
  EXPECT_TRUE(Hears(OfSession("S1"), web));
  EXPECT_FALSE(Hears(OfSession("S2"), web));
  front.session_id = "S1";
  back.session_id = "S1";
  EXPECT_TRUE(Hears(front, web));
  EXPECT_FALSE(Hears(back, web));
  EXPECT_TRUE(Hears(OfTerms({"web*"}), web));
  EXPECT_FALSE(Hears(OfTerms({"db*"}), web));
}

TEST_F(ObserversTest, ATermMayBeTheNameOfAJob) {
  ProcessEntry rank = Named("sim.3");
  EXPECT_FALSE(Hears(OfTerms({"sim"}), rank));
  rank.rank = 3;
  EXPECT_TRUE(Hears(OfTerms({"sim"}), rank));
  EXPECT_FALSE(Hears(OfTerms({"si"}), rank));
  rank.rank = 13;
  EXPECT_FALSE(Hears(OfTerms({"sim"}), rank));
}

TEST_F(ObserversTest, ATermIsANameOrAnIdOrTheBeginningOfOne) {
  const ProcessEntry web = Named("web-1");
  EXPECT_TRUE(Hears(OfTerms({"db", "web-1"}), web));
  EXPECT_TRUE(Hears(OfTerms({kId}), web));
  EXPECT_FALSE(Hears(OfTerms({kOtherId}), web));
  EXPECT_TRUE(Hears(OfTerms({"ABCDEF"}), web));
  EXPECT_TRUE(Hears(OfTerms({"abcdef"}), web));
  EXPECT_TRUE(Hears(OfTerms({"abcdefghijklmno2"}), web));
  EXPECT_FALSE(Hears(OfTerms({"ABC"}), web));
  EXPECT_TRUE(Hears(OfTerms({kOtherId}), Named(kOtherId))) << "a name may look like an id";
}

TEST_F(ObserversTest, AnExactTermFitsOneNameOrIdOnly) {
  EXPECT_TRUE(OfTerms({"web-1"}).HasExactTerms());
  EXPECT_TRUE(OfTerms({"web-1", "db", kId}).HasExactTerms());
  EXPECT_TRUE(OfTerms({"solve_the_second_equation"}).HasExactTerms());
  EXPECT_FALSE(OfTerms({"web-1", "solve"}).HasExactTerms()) << "may begin an id";
  EXPECT_FALSE(OfTerms({"abcdefghijklmno2"}).HasExactTerms()) << "an id in lower case";
  EXPECT_FALSE(OfTerms({"web-*"}).HasExactTerms());
  EXPECT_FALSE(OfTerms({}).HasExactTerms());
  EXPECT_FALSE(OfAll().HasExactTerms());
}

TEST_F(ObserversTest, AChangeIsToldOnceHoweverManyWaysItFits) {
  ProcessEntry web = Named("web-1");
  web.session_id = "S1";
  Selector both = OfSession("S1");
  both.terms = {"web-1", "web-1"};
  observers_.Follow(&first_, both);
  observers_.FollowProcess(&first_, kId);
  observers_.FollowProcess(&first_, kId);
  EXPECT_THAT(HeardOf(web, &first_), ElementsAre("changed web-1", "end"));
  Selector twice = OfTerms({"web-1", "web-1", kId});
  observers_.Follow(&second_, twice);
  EXPECT_THAT(HeardOf(web, &second_), ElementsAre("changed web-1", "end"));
}

TEST_F(ObserversTest, WhatIsFollowedByItsIdIsHeardOfWhenItCeasesToMatch) {
  ProcessEntry web = Named("web");
  web.labels = {{"tier", "front"}};
  Selector front;
  front.labels = web.labels;
  observers_.Follow(&first_, front);
  observers_.Follow(&second_, front);
  observers_.FollowProcess(&first_, kId);
  web.labels.clear();
  observers_.TellChanged(web);
  observers_.TellDeleted(kId, 9);
  EXPECT_THAT(first_.TakeHeard(),
              ElementsAre("changed web", absl::StrCat("deleted ", kId, " at 9")));
  EXPECT_THAT(second_.TakeHeard(), IsEmpty());
}

TEST_F(ObserversTest, TheEndOfASessionReachesItsFollowersAndThoseOfEverything) {
  Recorder of_all, of_names;
  observers_.Follow(&first_, OfSession("S1"));
  observers_.Follow(&second_, OfSession("S2"));
  observers_.Follow(&of_all, OfAll());
  observers_.Follow(&of_names, OfTerms({"web*"}));
  observers_.TellSessionOver("S1");
  EXPECT_THAT(first_.TakeHeard(), ElementsAre("over S1"));
  EXPECT_THAT(second_.TakeHeard(), IsEmpty());
  EXPECT_THAT(of_all.TakeHeard(), ElementsAre("over S1"));
  EXPECT_THAT(of_names.TakeHeard(), IsEmpty());
}

TEST_F(ObserversTest, TheEndOfATurnIsToldOnceToThoseThatHeardSomething) {
  observers_.FollowProcess(&first_, kId);
  observers_.FollowProcess(&second_, kOtherId);
  observers_.TellChanged(Named("web"));
  observers_.TellOutput(Named("web"));
  observers_.TellTurnEnd();
  EXPECT_THAT(first_.TakeHeard(), ElementsAre("changed web", "output web", "end"));
  observers_.TellTurnEnd();
  EXPECT_THAT(first_.TakeHeard(), IsEmpty());
  EXPECT_THAT(second_.TakeHeard(), IsEmpty());
}

TEST_F(ObserversTest, AnObserverMayRemoveItselfFromWithinACall) {
  auto doomed = std::make_unique<Recorder>();
  std::vector<std::string> heard;
  observers_.FollowProcess(doomed.get(), kId);
  observers_.Follow(doomed.get(), OfAll());
  doomed->then = [&] {
    observers_.Remove(doomed.get());
    heard = doomed->TakeHeard();
  };
  observers_.FollowProcess(&second_, kId);
  observers_.TellChanged(Named("web"));
  doomed.reset();  // nothing reaches it any more
  observers_.TellOutput(Named("web"));
  observers_.TellSessionOver("S1");
  observers_.TellTurnEnd();
  EXPECT_THAT(heard, ElementsAre("changed web"));
  EXPECT_THAT(second_.TakeHeard(), ElementsAre("changed web", "output web", "end"));
}

TEST_F(ObserversTest, WhatIsRemovedFromWithinACallIsNotReachedByIt) {
  auto doomed = std::make_unique<Recorder>();
  observers_.FollowProcess(&first_, kId);
  observers_.FollowProcess(doomed.get(), kId);
  first_.then = [&] {
    observers_.Remove(doomed.get());
    doomed.reset();
  };
  EXPECT_THAT(HeardOf(Named("web"), &first_), ElementsAre("changed web", "end"));
  // The same at the end of a turn.
  doomed = std::make_unique<Recorder>();
  observers_.FollowProcess(doomed.get(), kId);
  observers_.TellChanged(Named("web"));
  first_.then = [&] {
    observers_.Remove(doomed.get());
    doomed.reset();
  };
  observers_.TellTurnEnd();
  EXPECT_THAT(first_.TakeHeard(), ElementsAre("changed web", "end"));
}

TEST_F(ObserversTest, WhatIsAddedFromWithinACallHearsFromTheNextOn) {
  observers_.FollowProcess(&first_, kId);
  first_.then = [&] {
    for (int i = 0; i < 100; ++i) observers_.FollowProcess(&first_, absl::StrCat("other ", i));
    observers_.FollowProcess(&second_, kId);
  };
  observers_.TellChanged(Named("web"));
  EXPECT_THAT(second_.TakeHeard(), IsEmpty());
  observers_.TellOutput(Named("web"));
  observers_.TellTurnEnd();
  EXPECT_THAT(first_.TakeHeard(), ElementsAre("changed web", "output web", "end"));
  EXPECT_THAT(second_.TakeHeard(), ElementsAre("output web", "end"));
}

TEST_F(ObserversTest, RemovingWhatFollowsNothingIsHarmless) {
  observers_.Remove(&first_);
  observers_.FollowProcess(&first_, kId);
  observers_.Remove(&first_);
  observers_.Remove(&first_);
  EXPECT_THAT(HeardOf(Named("web"), &first_), IsEmpty());
  observers_.FollowProcess(&first_, kId);
  EXPECT_THAT(HeardOf(Named("web"), &first_), ElementsAre("changed web", "end"));
}

}  // namespace
}  // namespace shoal::agent
