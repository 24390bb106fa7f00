#include "shoal/wire/wire_status.h"

#include <sys/resource.h>

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/error_info.h"
#include "common/escape.h"
#include "shoal/v1/error_detail.pb.h"

namespace shoal {
namespace {

constexpr size_t kMaxStatusTextBytes = 1024;
// How Connection begins what it says.
constexpr absl::string_view kNameTrouble = "the name ";
// How an agent begins what it says of an identity that it does not serve.
constexpr absl::string_view kIdentityRefused = "identity ";
constexpr absl::Duration kMuchSkew = absl::Hours(24);

// gRPC: "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.3:7420: Failed to
// connect to remote host: Connection refused". Of that, the last part and the address are worth
// reading.
std::string ReasonOf(absl::string_view message) {
  // Of an agent that is stopped, or a machine that is.
  for (absl::string_view silent :
       {"before receiving SETTINGS frame", "keepalive watchdog timeout"}) {
    if (absl::StrContains(message, silent)) return "it does not answer";
  }
  size_t last = message.find("last error: ");
  if (last == absl::string_view::npos) {
    if (absl::StrContains(message, "Socket closed") ||
        absl::StrContains(message, "Connection reset")) {
      return "the connection was closed by the other side";
    }
    return std::string(message);
  }
  absl::string_view detail = message.substr(last + 12);
  if (size_t code = detail.find(": "); code != absl::string_view::npos)
    detail.remove_prefix(code + 2);
  size_t end = detail.find(": ");
  if (end == absl::string_view::npos) return std::string(detail);
  absl::string_view where = detail.substr(0, end);
  for (absl::string_view scheme : {"ipv4:", "ipv6:", "unix:"}) absl::ConsumePrefix(&where, scheme);
  // An IPv4 address among IPv6 ones.
  std::string plain = absl::StrReplaceAll(where, {{"[::ffff:", ""}});
  if (plain.size() < where.size()) where = plain = absl::StrReplaceAll(plain, {{"]", ""}});
  std::vector<absl::string_view> parts = absl::StrSplit(detail.substr(end + 2), ": ");
  std::string reason(parts.back());
  if (!reason.empty()) reason[0] = absl::ascii_tolower(static_cast<unsigned char>(reason[0]));
  return absl::StrCat(reason, " (", where, ")");
}

// The kernel's words for EMFILE; those for ENFILE go on.
bool IsWithoutDescriptor(const grpc::Status& status) {
  constexpr absl::string_view kReason = "Too many open files";
  return IsConnectFailure(status) &&
         (absl::EndsWith(status.error_message(), kReason) ||
          absl::StrContains(status.error_message(), absl::StrCat(kReason, ":")));
}

absl::Status NoDescriptor() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return absl::ResourceExhaustedError(
      absl::StrCat("no descriptor is left for another connection: this program may have ",
                   limit.rlim_cur, " open (`ulimit -n`)"));
}

// The ErrorInfo of the agent; empty: none.
v1::ErrorInfo InfoOf(const grpc::Status& status) {
  v1::ErrorDetails details;
  v1::ErrorInfo info;
  if (status.error_details().empty() || !details.ParseFromString(status.error_details())) return {};
  for (const google::protobuf::Any& any : details.details()) {
    if (any.type_url() == kErrorInfoUrl && info.ParseFromString(any.value())) return info;
  }
  return {};
}

void CopyDetails(const std::string& serialized, absl::Status* status) {
  v1::ErrorDetails details;
  if (serialized.empty() || !details.ParseFromString(serialized)) return;
  for (const google::protobuf::Any& any : details.details()) {
    status->SetPayload(any.type_url(), absl::Cord(any.value()));
  }
}

}  // namespace

bool IsBroken(const grpc::Status& status) {
  return (status.error_code() == grpc::StatusCode::UNAVAILABLE && !IsRefusedForNow(status)) ||
         status.error_code() == grpc::StatusCode::CANCELLED;
}

bool IsRefusedForNow(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE && !InfoOf(status).reason().empty();
}

bool IsStartFailure(const grpc::Status& status) {
  return InfoOf(status).reason() == kStartFailedReason;
}

bool IsConnectFailure(const grpc::Status& status) {
  return absl::StrContains(status.error_message(), "failed to connect") ||
         absl::StartsWith(status.error_message(), kNameTrouble);
}

bool MayHaveArrived(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return true;
  return IsBroken(status) && !IsConnectFailure(status);
}

absl::Status FromWire(const HostAddress& address, const grpc::Status& status,
                      absl::string_view trouble, const std::string& reason) {
  if (status.ok()) return absl::OkStatus();
  if (IsWithoutDescriptor(status)) return NoDescriptor();
  auto code = static_cast<absl::StatusCode>(status.error_code());
  std::string message = status.error_message();
  if (IsRefusedForNow(status)) {
    if (!IsStartFailure(status)) {
      message = absl::StrCat("host \"", address.name, "\" refuses this for now: ", message);
    }
  } else if (code == absl::StatusCode::kUnavailable) {
    message = absl::StrCat("host \"", address.name, "\" cannot be reached: ",
                           reason.empty() || !trouble.empty() ? ReasonOf(message) : reason,
                           trouble.empty() ? "" : "; ", trouble);
  } else if (absl::StartsWith(message, kIdentityRefused)) {
    message = absl::StrCat("host \"", address.name, "\" refuses this: ", message);
  } else if (code == absl::StatusCode::kDeadlineExceeded && message == "Deadline Exceeded") {
    message = absl::StrCat("host \"", address.name, "\" did not answer in time");
  } else if (message.empty()) {
    message = absl::StrCat("host \"", address.name, "\" gave no reason");
  }
  absl::Status result(code, EscapeForMessage(message, kMaxStatusTextBytes));
  CopyDetails(status.error_details(), &result);
  return result;
}

absl::Status NameSkew(const HostAddress& address, absl::Duration lead, absl::Status status) {
  const bool is_time =
      absl::IsFailedPrecondition(status) && absl::StartsWith(status.message(), "request_id ");
  if (!is_time || absl::AbsDuration(lead) < kMuchSkew) return status;
  const absl::Duration skew = absl::Trunc(absl::AbsDuration(lead), absl::Minutes(1));
  absl::Status told(
      status.code(),
      absl::StrCat("the clock of host \"", address.name, "\" is ", absl::FormatDuration(skew),
                   lead > absl::ZeroDuration() ? " ahead of" : " behind",
                   " this machine's: ", status.message()));
  status.ForEachPayload(
      [&](absl::string_view type, const absl::Cord& payload) { told.SetPayload(type, payload); });
  return told;
}

}  // namespace shoal
