// google.protobuf.Duration and Timestamp ↔ absl.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT names the field and the reason.
#ifndef SHOAL_AGENT_SPEC_TIME_CONVERSION_H_
#define SHOAL_AGENT_SPEC_TIME_CONVERSION_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal::agent {

// The longest duration and the latest time that a request may name.
inline constexpr absl::Duration kMaxDuration = absl::Hours(24 * 366 * 100);

// INVALID_ARGUMENT naming `field`: malformed (signs or nanos), negative, or beyond kMaxDuration.
absl::StatusOr<absl::Duration> ToDuration(const google::protobuf::Duration& proto,
                                          absl::string_view field);
absl::StatusOr<absl::Time> ToTime(const google::protobuf::Timestamp& proto,
                                  absl::string_view field);

void SetDuration(absl::Duration duration, google::protobuf::Duration* proto);
void SetTime(absl::Time time, google::protobuf::Timestamp* proto);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_TIME_CONVERSION_H_
