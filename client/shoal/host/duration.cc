#include "shoal/duration.h"

#include <algorithm>
#include <cstdint>

namespace shoal {
namespace {

constexpr int64_t kMaxProtoSeconds = 315576000000;

}  // namespace

google::protobuf::Duration ToProto(absl::Duration duration) {
  absl::Duration longest = absl::Seconds(kMaxProtoSeconds);
  duration = std::clamp(duration, -longest, longest);
  google::protobuf::Duration result;
  int64_t seconds = absl::IDivDuration(duration, absl::Seconds(1), &duration);
  result.set_seconds(seconds);
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return result;
}

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Time FromProto(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

}  // namespace shoal
