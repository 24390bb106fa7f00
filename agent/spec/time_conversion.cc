#include "agent/spec/time_conversion.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

namespace shoal::agent {
namespace {

constexpr int32_t kNanosPerSecond = 1'000'000'000;

}  // namespace

absl::StatusOr<absl::Duration> ToDuration(const google::protobuf::Duration& proto,
                                          absl::string_view field) {
  if (proto.nanos() <= -kNanosPerSecond || proto.nanos() >= kNanosPerSecond) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " has ", proto.nanos(), " nanos: not a duration"));
  }
  absl::Duration duration = absl::Seconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
  if (proto.seconds() < 0 || proto.nanos() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is negative: ", absl::FormatDuration(duration)));
  }
  if (duration > kMaxDuration) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is ", absl::FormatDuration(duration), ", limit 100 years"));
  }
  return duration;
}

absl::StatusOr<absl::Time> ToTime(const google::protobuf::Timestamp& proto,
                                  absl::string_view field) {
  if (proto.nanos() < 0 || proto.nanos() >= kNanosPerSecond || proto.seconds() < 0 ||
      absl::Seconds(proto.seconds()) > kMaxDuration * 3) {
    return absl::InvalidArgumentError(absl::StrCat(field, " is not a time since 1970"));
  }
  return absl::FromUnixSeconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
}

void SetDuration(absl::Duration duration, google::protobuf::Duration* proto) {
  absl::Duration rest;
  proto->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto->set_nanos(static_cast<int32_t>(rest / absl::Nanoseconds(1)));
}

void SetTime(absl::Time time, google::protobuf::Timestamp* proto) {
  proto->set_seconds(absl::ToUnixSeconds(time));
  absl::Duration rest = time - absl::FromUnixSeconds(proto->seconds());
  proto->set_nanos(static_cast<int32_t>(rest / absl::Nanoseconds(1)));
}

}  // namespace shoal::agent
