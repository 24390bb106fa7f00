// How a program ends with an error, and spans of time on their way into a message.
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/cord.h"
#include "common/error_info.h"
#include "shoal/duration.h"
#include "shoal/error.h"

namespace shoal {
namespace {

struct Row {
  absl::Status status;
  int exit_code;
  const char* line;
};

TEST(Fail, IsOneLineOnStderrAndTheExitCodeForIt) {
  for (const Row& row : std::vector<Row>{
           {absl::UnavailableError("host \"a\" cannot be reached"), 69,
            "shoal: host \"a\" cannot be reached.\n"},
           {absl::ResourceExhaustedError("no slot is free."), 75, "shoal: no slot is free.\n"},
           {absl::DeadlineExceededError("late"), 75, "shoal: late.\n"},
           {absl::AbortedError("another boot"), 75, "shoal: another boot.\n"},
           {absl::NotFoundError("which?"), 1, "shoal: which?\n"},
           {absl::InternalError("a\nb"), 1, "shoal: a\\nb.\n"},
           {absl::InternalError(""), 1, "shoal: INTERNAL.\n"}}) {
    ::testing::internal::CaptureStderr();
    int exit_code = Fail(row.status);
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), row.line);
    EXPECT_EQ(exit_code, row.exit_code) << row.line;
  }
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
}

TEST(ErrorInfoOf, IsWhatCameWithTheStatus) {
  v1::ErrorInfo info;
  info.set_reason("OUTCOME_UNKNOWN");
  absl::Status status = absl::FailedPreconditionError("sent or not");
  EXPECT_EQ(ErrorInfoOf(status), std::nullopt);
  status.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  ASSERT_TRUE(ErrorInfoOf(status).has_value());
  EXPECT_EQ(ErrorInfoOf(status)->reason(), "OUTCOME_UNKNOWN");
  status.SetPayload(kErrorInfoUrl, absl::Cord("\xff"));
  EXPECT_EQ(ErrorInfoOf(status), std::nullopt);
}

TEST(Duration, GoesThereAndBackAndNoFurtherThanAMessageCan) {
  EXPECT_EQ(FromProto(ToProto(absl::Milliseconds(1500))), absl::Milliseconds(1500));
  EXPECT_EQ(FromProto(ToProto(-absl::Milliseconds(1500))), -absl::Milliseconds(1500));
  EXPECT_EQ(ToProto(absl::InfiniteDuration()).seconds(), 315576000000);
  EXPECT_EQ(ToProto(absl::InfiniteDuration()).nanos(), 0);
  EXPECT_EQ(ToProto(-absl::InfiniteDuration()).seconds(), -315576000000);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(5);
  timestamp.set_nanos(7);
  EXPECT_EQ(FromProto(timestamp), absl::FromUnixNanos(5000000007));
}

}  // namespace
}  // namespace shoal
