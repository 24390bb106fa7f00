#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/blocking_counter.h"
#include "shoal/link/look_up_queue.h"

namespace shoal {
namespace {

// A resolver that hangs for each name until it is told of.
class Resolver {
 public:
  absl::StatusOr<Addresses> Resolve(const std::string& name) {
    MutexLock lock(&mu_);
    asked_.insert(name);
    auto is_answered = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return answers_all_ || answered_.contains(name);
    };
    mu_.Await(is_answered);
    return Addresses{name};
  }
  void AwaitAsked(size_t names) {
    MutexLock lock(&mu_);
    auto are_asked = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return asked_.size() >= names; };
    EXPECT_TRUE(mu_.AwaitWithTimeout(are_asked, absl::Seconds(60))) << asked_.size();
  }
  std::set<std::string> asked() {
    MutexLock lock(&mu_);
    return asked_;
  }
  void Answer(const std::string& name) {
    MutexLock lock(&mu_);
    answered_.insert(name);
  }
  void AnswerAll() {
    MutexLock lock(&mu_);
    answers_all_ = true;
  }

 private:
  Mutex mu_;
  bool answers_all_ ABSL_GUARDED_BY(mu_) = false;
  std::set<std::string> asked_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> answered_ ABSL_GUARDED_BY(mu_);
};

TEST(LookUpQueue, NamesThatHangHaveSoManyThreadsAndNoMore) {
  Resolver resolver;
  auto queue = std::make_shared<LookUpQueue>(
      3, [&](const std::string& name) { return resolver.Resolve(name); });
  BlockingCounter done(10);
  for (int i = 0; i < 10; ++i) {
    queue->Add(absl::StrCat(i), [&done, i](const absl::StatusOr<Addresses>& found) {
      EXPECT_EQ(*found, Addresses{absl::StrCat(i)});
      done.DecrementCount();
    });
  }
  resolver.AwaitAsked(3);
  EXPECT_EQ(resolver.asked(), (std::set<std::string>{"0", "1", "2"}));
  resolver.Answer("1");
  resolver.AwaitAsked(4);
  EXPECT_EQ(resolver.asked(), (std::set<std::string>{"0", "1", "2", "3"}));
  resolver.AnswerAll();
  done.Wait();
}

TEST(LookUpQueue, OneThatIsAskedForFromAnAnswerIsLookedUp) {
  auto queue = std::make_shared<LookUpQueue>(
      1, [](const std::string& name) -> absl::StatusOr<Addresses> { return Addresses{name}; });
  BlockingCounter done(2);
  queue->Add("a", [&](const absl::StatusOr<Addresses>&) {
    queue->Add("b", [&](const absl::StatusOr<Addresses>&) { done.DecrementCount(); });
    done.DecrementCount();
  });
  done.Wait();
}

}  // namespace
}  // namespace shoal
