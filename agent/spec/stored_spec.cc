#include "agent/spec/stored_spec.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/spec/spec_conversion.h"

namespace shoal::agent {

// Serialized messages one behind the other are one message with the fields of both.
std::string StoredFormOf(const Spec& spec) {
  v1::ProcessSpec env;
  env.mutable_env()->Assign(spec.env.begin(), spec.env.end());
  return absl::StrCat(spec.wire, env.SerializeAsString());
}

absl::StatusOr<std::shared_ptr<const Spec>> SpecFromStored(absl::string_view stored) {
  v1::ProcessSpec proto;
  if (stored.size() > std::numeric_limits<int>::max() ||
      !proto.ParseFromArray(stored.data(), static_cast<int>(stored.size())) ||
      proto.argv_size() == 0) {
    return absl::DataLossError("a stored ProcessSpec is damaged");
  }
  const bool has_session = proto.lifetime() == v1::LIFETIME_SESSION;
  return BuildSpec(std::move(proto), has_session);
}

}  // namespace shoal::agent
