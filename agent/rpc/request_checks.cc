#include "agent/rpc/request_checks.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <openssl/evp.h>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/status.h"

namespace shoal::agent {

absl::Status CheckRequestId(const std::string& request_id) {
  if (TimeOfRequestId(request_id).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("request_id must be a UUIDv7, not '", EscapeForMessage(request_id, 64), "'"));
}

absl::Status CheckFreshRequestId(const std::string& request_id, absl::Time now,
                                 absl::Duration retention) {
  SHOAL_RETURN_IF_ERROR(CheckRequestId(request_id));
  absl::Duration age = now - *TimeOfRequestId(request_id);
  if (age > retention) {
    return absl::FailedPreconditionError(
        absl::StrCat("request_id too old: made ", absl::FormatDuration(age),
                     " ago, what became of it is kept for ", absl::FormatDuration(retention)));
  }
  if (age < -retention) {
    return absl::FailedPreconditionError(absl::StrCat(
        "request_id is from the future, by ", absl::FormatDuration(-age), ": set the clocks"));
  }
  return absl::OkStatus();
}

absl::Status CheckPin(absl::string_view pinned_agent_id, absl::string_view pinned_boot_id,
                      absl::string_view agent_id, absl::string_view boot_id) {
  if (!pinned_agent_id.empty() && pinned_agent_id != agent_id) {
    return absl::AbortedError(absl::StrCat("agent or boot is another: this agent is ", agent_id,
                                           ", not ", EscapeForMessage(pinned_agent_id, 64)));
  }
  if (!pinned_boot_id.empty() && pinned_boot_id != boot_id) {
    return absl::AbortedError(absl::StrCat("agent or boot is another: this boot is ", boot_id,
                                           ", not ", EscapeForMessage(pinned_boot_id, 64)));
  }
  return absl::OkStatus();
}

absl::Status CheckCount(absl::string_view field, int count, int limit) {
  if (count <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " has ", count, " items, limit ", limit));
}

absl::Status CheckNoNul(absl::string_view field, absl::string_view bytes) {
  size_t at = bytes.find('\0');
  if (at == absl::string_view::npos) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " contains NUL at ", at));
}

absl::Status CheckLabel(absl::string_view key, absl::string_view value) {
  auto is_good = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' ||
           c == '/';
  };
  bool good = !key.empty() && key.size() <= kMaxLabelKeyBytes;
  for (char c : key) good = good && is_good(c);
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat("label key '", EscapeForMessage(key), "' must match [A-Za-z0-9._/-]{1,128}"));
  }
  std::string field = absl::StrCat("the value of label '", key, "'");
  if (value.size() > kMaxLabelValueBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is ", value.size(), " bytes, limit ", kMaxLabelValueBytes));
  }
  return CheckNoNul(field, value);
}

std::string FingerprintOf(const google::protobuf::MessageLite& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

}  // namespace shoal::agent
