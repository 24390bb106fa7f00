// Durations and times between Abseil and protobuf.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_DURATION_H_
#define SHOAL_CLIENT_SHOAL_DURATION_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"

namespace shoal {

// An infinite duration becomes the longest that protobuf allows, about 10,000 years.
google::protobuf::Duration ToProto(absl::Duration duration);
absl::Duration FromProto(const google::protobuf::Duration& duration);
absl::Time FromProto(const google::protobuf::Timestamp& timestamp);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_DURATION_H_
