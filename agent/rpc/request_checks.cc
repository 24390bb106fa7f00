#include "agent/rpc/request_checks.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <openssl/evp.h>

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

bool IsId(const std::string& text) {
  auto is_base32 = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7'); };
  return text.size() == kIdLength && std::all_of(text.begin(), text.end(), is_base32);
}

}  // namespace

absl::Status CheckRequestId(const std::string& request_id) {
  if (TimeOfRequestId(request_id).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("request_id must be a UUIDv7, not '", EscapeForMessage(request_id, 64), "'"));
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

absl::Status CheckPage(int page_size, const std::string& page_token) {
  if (page_size < 0) return absl::InvalidArgumentError("page_size is negative");
  if (page_token.empty() || IsId(page_token)) return absl::OkStatus();
  return absl::InvalidArgumentError("bad page_token");
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
