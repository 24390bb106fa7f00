// The input of a job: from one source to every rank, each at its own speed.
#include <gmock/gmock.h>

#include <atomic>
#include <deque>
#include <set>
#include <string>

#include "shoal/job/job_input.h"
#include "shoal/v1/error_detail.pb.h"
#include "tests/unit/client/job_fixture.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;

// Gives what it is told to give.
class ScriptedSource final : public InputSource {
 public:
  absl::StatusOr<std::string> Read(size_t most) override {
    MutexLock lock(&mu_);
    mu_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return is_stopped_ || is_ended_ || !text_.empty();
    });
    std::string piece = is_stopped_ ? "" : text_.substr(0, most);
    text_.erase(0, piece.size());
    given_ += piece.size();
    return piece;
  }
  void Stop() override {
    MutexLock lock(&mu_);
    is_stopped_ = true;
  }
  void OnUnread() override { unread_.Notify(); }

  void Give(const std::string& text, bool end = false) {
    MutexLock lock(&mu_);
    text_ += text;
    is_ended_ = end;
  }
  size_t given() const {
    MutexLock lock(&mu_);
    return given_;
  }
  void AwaitUnread() { unread_.WaitForNotification(); }

 private:
  mutable Mutex mu_;
  std::string text_ ABSL_GUARDED_BY(mu_);
  size_t given_ ABSL_GUARDED_BY(mu_) = 0;
  bool is_ended_ ABSL_GUARDED_BY(mu_) = false;
  bool is_stopped_ ABSL_GUARDED_BY(mu_) = false;
  Notification unread_;
};

template <typename Answer = v1::StreamInputResponse>
Answer KeptUpTo(int64_t offset, bool ended = false) {
  Answer answer;
  answer.mutable_position()->set_kept_offset(offset);
  answer.mutable_position()->set_ended(ended);
  return answer;
}

// As where a rank has ended before its start is answered.
TEST(JobInput, BehindStopNothingIsRead) {
  const auto source = std::make_shared<ScriptedSource>();
  source->Give("not for anybody", /*end=*/true);
  JobInput input(
      source, [](int, const absl::Status&) {}, "");
  input.Stop();
  input.BeginReading();
  EXPECT_EQ(source->given(), 0u);
}

class JobInputTest : public JobFixture {
 protected:
  JobInputTest() { spec_.input.source = source_; }
  ~JobInputTest() override { job_.reset(); }

  void OnInputLost(int rank, const absl::Status& reason) override {
    lost_input_.emplace_back(rank, std::string(reason.message()));
    if (!is_lost_.HasBeenNotified()) is_lost_.Notify();
  }
  // Keeps all that comes, and what it was.
  void KeepAll(Link& link, std::string* kept) {
    link.stream_input.AnswerAll([kept, owner = kept_](const v1::StreamInputRequest& request) {
      kept->resize(static_cast<size_t>(request.offset()));
      *kept += request.data();
      return absl::StatusOr<v1::StreamInputResponse>(
          KeptUpTo(static_cast<int64_t>(kept->size()), request.end()));
    });
  }
  void EndAll() {
    Exit(*a_, Exited(0, 0));
    Exit(*b_, Exited(1, 0));
    EXPECT_TRUE(Finish().ok());
  }

  const std::shared_ptr<ScriptedSource> source_ = std::make_shared<ScriptedSource>();
  // Of each link, which may be answering when the test is over.
  const std::shared_ptr<std::deque<std::string>> kept_ =
      std::make_shared<std::deque<std::string>>();
  std::vector<std::pair<int, std::string>> lost_input_;
  Notification is_lost_;
};

TEST_F(JobInputTest, EveryRankIsStartedWithAStreamAndReadsAll) {
  std::string& to_a = kept_->emplace_back();
  std::string& to_b = kept_->emplace_back();
  KeepAll(*a_, &to_a);
  KeepAll(*b_, &to_b);
  Start();
  StartRanks();
  EXPECT_TRUE(a_->spawn_batch.Await(1).specs(0).input().has_stream());
  source_->Give("hello", /*end=*/true);
  for (Link* link : {a_.get(), b_.get()}) {
    for (size_t i = 1; !link->stream_input.Await(i).end();) ++i;
  }
  EndAll();
  EXPECT_EQ(to_a, "hello");
  EXPECT_EQ(to_b, "hello");
}

TEST_F(JobInputTest, OneRankReadsAndTheOthersSeeTheEnd) {
  spec_.input.rank = 1;
  std::string& to_b = kept_->emplace_back();
  a_->write_input.AnswerAll([](const v1::WriteInputRequest& request) {
    EXPECT_EQ(request.data(), "");
    return KeptUpTo<v1::WriteInputResponse>(0, request.end());
  });
  KeepAll(*b_, &to_b);
  Start();
  StartRanks();
  source_->Give("hello", /*end=*/true);
  EXPECT_TRUE(a_->write_input.Await(1).end());
  for (size_t i = 1; !b_->stream_input.Await(i).end();) ++i;
  EndAll();
  EXPECT_EQ(a_->stream_input.calls(), 0u);
  EXPECT_EQ(to_b, "hello");
}

// As the others: what could not be kept is sent again, in the name of the one that writes.
TEST_F(JobInputTest, TheEndOfAnEmptyInputIsSentAgain) {
  spec_.input.rank = 1;
  spec_.input.writer = "me";
  std::string& to_b = kept_->emplace_back();
  KeepAll(*b_, &to_b);
  Start();
  StartRanks();
  a_->write_input.Await(1);
  a_->write_input.Answer(absl::UnavailableError("its input cannot be kept"));
  const v1::WriteInputRequest again = a_->write_input.Await(2);
  EXPECT_TRUE(again.end());
  EXPECT_EQ(again.writer(), "me");
  a_->write_input.Answer(KeptUpTo<v1::WriteInputResponse>(0, /*ended=*/true));
  source_->Give("hello", /*end=*/true);
  for (size_t i = 1; !b_->stream_input.Await(i).end();) ++i;
  EndAll();
  EXPECT_EQ(to_b, "hello");
  EXPECT_TRUE(lost_input_.empty());
}

// a takes nothing; b has all that is held for a, and then waits with it.
TEST_F(JobInputTest, TheSlowestHoldsUpTheSourceOnlyWhenMuchIsHeld) {
  std::string& to_b = kept_->emplace_back();
  KeepAll(*b_, &to_b);
  Start();
  StartRanks();
  const std::string much(6 << 20, 'x');
  source_->Give(much);
  while (source_->given() < (4u << 20)) std::this_thread::yield();
  a_->stream_input.Await(1);
  EXPECT_LT(source_->given(), 5u << 20);
  std::string& to_a = kept_->emplace_back();
  KeepAll(*a_, &to_a);
  a_->stream_input.Answer(absl::UnavailableError("gone"));
  while (source_->given() < much.size()) std::this_thread::yield();
  EndAll();
}

TEST_F(JobInputTest, BehindABrokenConnectionWhatWasNotKeptIsSentAgain) {
  std::string& to_b = kept_->emplace_back();
  KeepAll(*b_, &to_b);
  Start();
  StartRanks();
  source_->Give("hello ");
  EXPECT_EQ(a_->stream_input.Await(1).selector().empty(), false);
  source_->Give("world", /*end=*/true);
  size_t sent = 2;
  while (!a_->stream_input.Await(sent).end()) ++sent;
  a_->stream_input.Answer(KeptUpTo(2));
  a_->stream_input.Answer(absl::UnavailableError("gone"));
  const v1::StreamInputRequest again = a_->stream_input.Await(++sent);
  EXPECT_EQ(again.offset(), 2);
  EXPECT_EQ(again.data(), "llo world");
  EXPECT_TRUE(again.end());
  EXPECT_FALSE(again.selector().empty()) << "another call names it again";
  EXPECT_EQ(again.writer(), a_->stream_input.Await(1).writer());
  EndAll();
}

TEST_F(JobInputTest, WhenNoRankReadsAnyMoreTheSourceIsTold) {
  v1::ErrorInfo info;
  info.set_reason("INPUT_CLOSED");
  absl::Status closed = absl::FailedPreconditionError("it has closed its input");
  closed.SetPayload("type.googleapis.com/google.rpc.ErrorInfo",
                    absl::Cord(info.SerializeAsString()));
  for (Link* link : {a_.get(), b_.get()}) {
    link->stream_input.AnswerAll([closed](const v1::StreamInputRequest&) {
      return absl::StatusOr<v1::StreamInputResponse>(closed);
    });
  }
  Start();
  StartRanks();
  source_->Give("hello");
  source_->AwaitUnread();
  EndAll();
  EXPECT_TRUE(lost_input_.empty()) << "that is the affair of the processes";
}

TEST_F(JobInputTest, ARankThatDoesNotGetItIsNamed) {
  std::string& to_b = kept_->emplace_back();
  KeepAll(*b_, &to_b);
  a_->stream_input.AnswerAll([](const v1::StreamInputRequest&) {
    return absl::StatusOr<v1::StreamInputResponse>(absl::PermissionDeniedError("not yours"));
  });
  Start();
  StartRanks();
  source_->Give("hello", /*end=*/true);
  for (size_t i = 1; !b_->stream_input.Await(i).end();) ++i;
  is_lost_.WaitForNotification();
  EndAll();
  EXPECT_THAT(lost_input_, ElementsAre(std::pair(0, std::string("not yours"))));
  EXPECT_EQ(to_b, "hello");
}

// More ranks than calls that a host takes at once.
class ManyRanksInputTest : public JobInputTest {
 protected:
  static constexpr int kRanks = 300;
  static constexpr size_t kAtOnce = 256;

  void SetUp() override {
    spec_.counts = {kRanks, 0};
    Start();
    a_->spawn_batch.Await(1);
    a_->spawn_batch.Answer(Spawned(0, kRanks));
  }
  static absl::StatusOr<v1::StreamInputResponse> Keep(const v1::StreamInputRequest& request) {
    return KeptUpTo(request.offset() + static_cast<int64_t>(request.data().size()), request.end());
  }
  // Each was sent the end.
  void AwaitEnds() {
    std::set<std::string> told;
    for (size_t nth = 1; told.size() < static_cast<size_t>(kRanks); ++nth) {
      const v1::StreamInputRequest request = a_->stream_input.Await(nth);
      EXPECT_TRUE(request.end());
      told.insert(request.selector());
    }
  }
  void EndAllOfThem() {
    for (int rank = 0; rank < kRanks; ++rank) Exit(*a_, Exited(rank, 0));
    EXPECT_TRUE(Finish().ok());
    EXPECT_THAT(lost_input_, ::testing::IsEmpty());
  }
};

TEST_F(ManyRanksInputTest, EachHasItsTurn) {
  a_->stream_input.Hold();
  source_->Give("", /*end=*/true);  // one message for each
  a_->stream_input.Await(kAtOnce);
  a_->Settle();
  EXPECT_EQ(a_->stream_input.calls(), kAtOnce);
  a_->stream_input.AnswerAll(Keep);
  for (size_t i = 0; i < kAtOnce; ++i) a_->stream_input.Answer(KeptUpTo(0, /*ended=*/true));
  AwaitEnds();
  EndAllOfThem();
}

TEST_F(ManyRanksInputTest, ThoseThatTakeNothingMakeRoomForOthers) {
  a_->stream_input.Hold();
  source_->Give("", /*end=*/true);  // one message for each
  a_->stream_input.Await(kRanks);
  a_->stream_input.AnswerAll(Keep);
  for (int i = 0; i < kRanks; ++i) a_->stream_input.Answer(KeptUpTo(0, /*ended=*/true));
  AwaitEnds();
  EndAllOfThem();
}

TEST_F(ManyRanksInputTest, WhatTheHostHasNoRoomForIsTriedAgain) {
  std::atomic<int> refusals = 100;
  a_->stream_input.AnswerAll([&refusals](const v1::StreamInputRequest& request) {
    if (refusals.fetch_sub(1) > 0) {
      return absl::StatusOr<v1::StreamInputResponse>(absl::ResourceExhaustedError("512 open"));
    }
    return Keep(request);
  });
  source_->Give("", /*end=*/true);  // one message for each
  AwaitEnds();
  EndAllOfThem();
}

}  // namespace
}  // namespace shoal
