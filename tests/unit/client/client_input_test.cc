// What a program writes to the input of a process: in pieces, once, behind what is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  }

  const std::shared_ptr<Link> link_ = std::make_shared<Link>("a");
  Input input_{Host::Over(link_), "web"};
  std::string kept_;
  std::set<std::string> writers_;
  size_t largest_ = 0;
  size_t most_ = SIZE_MAX;  // that the host keeps of a call
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

TEST_F(InputTest, MuchGoesInPieces) {
  Keep();
  const std::string much(3 * kMaxInputPiece + 1, 'x');
  EXPECT_TRUE(input_.Write(much).ok());
  EXPECT_TRUE(kept_ == much);
  EXPECT_EQ(largest_, kMaxInputPiece);
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
