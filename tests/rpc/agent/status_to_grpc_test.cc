// Statuses on the wire: capped, escaped, with the details of a refused start.
#include "agent/rpc/status_to_grpc.h"

#include <gtest/gtest.h>

#include <string>

#include "agent/core/reason.h"
#include "shoal/v1/error_detail.pb.h"

namespace shoal::agent {
namespace {

TEST(StatusToGrpc, LongMessagesAreCutAtACharacter) {
  std::string text;
  while (text.size() < 9000) text += "ä";
  grpc::Status status = ToGrpc(absl::InternalError(text));
  EXPECT_LE(status.error_message().size(), kMaxMessageBytes);
  EXPECT_GE(status.error_message().size(), kMaxMessageBytes - 4);
  EXPECT_EQ(CapMessage(status.error_message()), status.error_message());
}

TEST(StatusToGrpc, ControlCharactersAndBrokenUtf8AreEscaped) {
  EXPECT_EQ(ToGrpc(absl::InternalError("a\n\x1b[31m\xff")).error_message(), "a\\n\\x1b[31m\\xff");
}

TEST(StatusToGrpc, ARefusedStartCarriesItsStageAndErrno) {
  absl::Status status = absl::FailedPreconditionError("cannot start x: execve: No such file");
  status.SetPayload(kStartFailureUrl, absl::Cord("execve\n2\n"));
  grpc::Status wire = ToGrpc(status);
  EXPECT_EQ(wire.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  v1::ErrorDetails details;
  ASSERT_TRUE(details.ParseFromString(wire.error_details()));
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  v1::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(details.details(0).value()));
  EXPECT_EQ(info.reason(), "START_FAILED");
  EXPECT_EQ(info.metadata().at("stage"), "execve");
  EXPECT_EQ(info.metadata().at("errno"), "2");

  v1::RequestError error;
  SetError(status, &error);
  EXPECT_EQ(error.code(), 9);
  EXPECT_EQ(error.start_failure().stage(), "execve");
  EXPECT_EQ(error.start_failure().error_number(), 2);
}

TEST(StatusToGrpc, AReasonIsToldInTheDetails) {
  const grpc::Status status =
      ToGrpc(WithReason(kReasonOutcomeUnknown, absl::FailedPreconditionError("who knows")));
  v1::ErrorDetails details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  v1::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(details.details(0).value()));
  EXPECT_EQ(info.reason(), "OUTCOME_UNKNOWN");
}

TEST(StatusToGrpc, WhatIsUnavailableHereIsToldApartFromABrokenConnection) {
  const grpc::Status status = ToGrpc(absl::UnavailableError("the disk is read-only"));
  v1::ErrorDetails details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  v1::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(details.details(0).value()));
  EXPECT_EQ(info.reason(), "REFUSED_FOR_NOW");
  EXPECT_EQ(ToGrpc(absl::NotFoundError("no process")).error_details(), "");
}

TEST(StatusToGrpc, OkIsOk) { EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok()); }

}  // namespace
}  // namespace shoal::agent
