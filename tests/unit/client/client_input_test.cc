// What a program writes to the input of a process: in pieces, once, behind what is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shoal/input.h"
#include "tests/support/fake_link.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;
using Link = ::shoal::testing::FakeLink;

class InputTest : public ::testing::Test {
 protected:
  ~InputTest() override { link_->CancelAllAndWait(); }

  // The host keeps all that comes, and begins with so many bytes of another writer.
  void Keep(std::string kept = "") {
    kept_ = std::move(kept);
    link_->write_input.AnswerAll([this](const v1::WriteInputRequest& request) {
      EXPECT_EQ(request.selector(), "web");
      v1::WriteInputResponse answer;
      if (request.data().empty() && !request.end()) {
        answer.mutable_position()->set_kept_offset(static_cast<int64_t>(kept_.size()));
        return absl::StatusOr<v1::WriteInputResponse>(answer);
      }
      writers_.insert(request.writer());
      largest_ = std::max(largest_, request.data().size());
      kept_.resize(static_cast<size_t>(request.offset()));
      kept_ += request.data().substr(0, most_);
      is_ended_ = request.end();
      answer.mutable_position()->set_kept_offset(static_cast<int64_t>(kept_.size()));
      answer.set_timed_out(request.data().size() > most_);
      return absl::StatusOr<v1::WriteInputResponse>(answer);
    });
    link_->stream_input.AnswerAll([this](const v1::StreamInputRequest& request) {
      absl::StatusOr<v1::StreamInputResponse> gone = absl::UnavailableError("gone");
      is_broken_ = is_broken_ && request.selector().empty();
      if (is_broken_) return gone;  // what was on its way goes with the connection
      EXPECT_LE(request.offset(), static_cast<int64_t>(kept_.size()));
      if (!request.writer().empty()) writers_.insert(request.writer());
      largest_ = std::max(largest_, request.data().size());
      kept_.resize(static_cast<size_t>(request.offset()));
      kept_ += request.data();
      if (--until_break_ == 0) {
        kept_.resize(static_cast<size_t>(request.offset()) + 1);
        is_broken_ = true;
        return gone;
      }
      v1::StreamInputResponse answer;
      answer.mutable_position()->set_kept_offset(static_cast<int64_t>(kept_.size()));
      return absl::StatusOr<v1::StreamInputResponse>(answer);
    });
  }

  const std::shared_ptr<Link> link_ = std::make_shared<Link>("a");
  Input input_{Host::Over(link_), "web"};
  std::string kept_;
  std::set<std::string> writers_;
  size_t largest_ = 0;
  size_t most_ = SIZE_MAX;  // that the host keeps of a call
  int until_break_ = 0;     // messages; 0: never
  bool is_broken_ = false;  // until the next stream
  bool is_ended_ = false;
};

TEST_F(InputTest, ItGoesOnBehindWhatIsThere) {
  Keep("first ");
  EXPECT_TRUE(input_.Write("second").ok());
  EXPECT_TRUE(input_.Write(" third").ok());
  EXPECT_EQ(kept_, "first second third");
  EXPECT_EQ(input_.offset(), 18);
  EXPECT_EQ(writers_.size(), 1u) << "all of it is one writer's";
  EXPECT_FALSE(writers_.begin()->empty());
}

TEST_F(InputTest, ItsEndStandsBehindIt) {
  Keep();
  EXPECT_TRUE(input_.Write("hello").ok());
  EXPECT_FALSE(is_ended_);
  EXPECT_TRUE(input_.Close().ok());
  EXPECT_TRUE(is_ended_);
  EXPECT_EQ(kept_, "hello");
}

std::string Much() {
  std::string much;
  while (much.size() < (3 << 20)) absl::StrAppend(&much, much.size(), ";");
  return much;
}

TEST_F(InputTest, MuchGoesInPiecesByAStreamBehindWhatIsThere) {
  Keep("first ");
  const std::string much = Much();
  EXPECT_TRUE(input_.Write(much).ok());
  EXPECT_TRUE(kept_ == "first " + much);
  EXPECT_EQ(largest_, 256u << 10);
  EXPECT_EQ(link_->write_input.calls(), 1u) << "where it stands";
  EXPECT_TRUE(input_.Write(" last").ok());
  EXPECT_TRUE(kept_ == absl::StrCat("first ", much, " last"));
  EXPECT_EQ(writers_.size(), 1u) << "all of it is one writer's";
}

TEST_F(InputTest, ABrokenStreamGoesOnWhereItIsKept) {
  Keep();
  until_break_ = 4;
  const std::string much = Much();
  EXPECT_TRUE(input_.Write(much).ok());
  EXPECT_LE(until_break_, 0);
  EXPECT_TRUE(kept_ == much);
}

TEST_F(InputTest, AStreamThatTakesTooLongSaysHowFarItIs) {
  Keep();
  link_->stream_input.Hold();
  const std::string much = Much();
  const absl::Status late = input_.Write(much, absl::Milliseconds(1));
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(late.message()), HasSubstr(" is kept up to 0, not up to "));
}

TEST_F(InputTest, ARefusalOfAStreamIsReturned) {
  Keep();
  link_->stream_input.AnswerAll([](const v1::StreamInputRequest&) {
    return absl::StatusOr<v1::StreamInputResponse>(absl::FailedPreconditionError("it has ended"));
  });
  EXPECT_EQ(input_.Write(Much()).message(), "it has ended");
}

// Gives some text in small pieces.
class TextSource final : public InputSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  absl::StatusOr<std::string> Read(size_t most) override {
    std::string piece = is_stopped_ ? "" : text_.substr(0, std::min<size_t>(most, 1000));
    text_.erase(0, piece.size());
    return piece;
  }
  void Stop() override { is_stopped_ = true; }
  void OnUnread() override { is_unread_ = true; }
  bool is_unread() const { return is_unread_; }

 private:
  std::string text_;
  std::atomic<bool> is_stopped_ = false;
  bool is_unread_ = false;
};

TEST_F(InputTest, WhatASourceGivesIsWrittenAndTheInputStaysOpen) {
  Keep();
  const std::string much = Much();
  TextSource source(much);
  EXPECT_TRUE(input_.WriteFrom(source).ok());
  EXPECT_TRUE(kept_ == much);
  EXPECT_FALSE(is_ended_);
  EXPECT_EQ(input_.offset(), static_cast<int64_t>(much.size()));
  EXPECT_TRUE(input_.Write(" last").ok());
  EXPECT_TRUE(kept_ == much + " last");
}

TEST_F(InputTest, ASourceOfWhichNothingIsReadAnyMoreIsTold) {
  Keep();
  link_->stream_input.AnswerAll([](const v1::StreamInputRequest&) {
    return absl::StatusOr<v1::StreamInputResponse>(absl::FailedPreconditionError("it has ended"));
  });
  TextSource source(Much());
  EXPECT_EQ(input_.WriteFrom(source).message(), "it has ended");
  EXPECT_TRUE(source.is_unread());
}

TEST_F(InputTest, WhatWasKeptOfAPieceIsNotSentAgain) {
  Keep();
  most_ = 2;
  EXPECT_TRUE(input_.Write("hello").ok());
  EXPECT_EQ(kept_, "hello");
}

TEST_F(InputTest, AtTheDeadlineItSaysHowFarItIs) {
  Keep();
  most_ = 0;
  const absl::Status late = input_.Write("hello", absl::Milliseconds(1));
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(late.message()), HasSubstr(" is kept up to 0, not up to 5"));
  most_ = SIZE_MAX;
  EXPECT_TRUE(input_.Write("hello").ok());
}

TEST_F(InputTest, ARefusalIsReturned) {
  link_->write_input.AnswerAll([](const v1::WriteInputRequest&) {
    return absl::StatusOr<v1::WriteInputResponse>(absl::FailedPreconditionError("it has ended"));
  });
  EXPECT_EQ(input_.Write("hello").message(), "it has ended");
}

TEST_F(InputTest, TakenIsAskedOfTheHost) {
  Keep();
  EXPECT_TRUE(input_.Write("hello").ok());
  link_->write_input.Hold();
  std::thread waiter([this] { EXPECT_TRUE(input_.AwaitTaken().ok()); });
  const v1::WriteInputRequest asked = link_->write_input.Await(3);
  EXPECT_EQ(asked.until(), v1::WriteInputRequest::UNTIL_TAKEN);
  EXPECT_EQ(asked.offset(), 5);
  link_->write_input.Answer(v1::WriteInputResponse());
  waiter.join();
}

}  // namespace
}  // namespace shoal
