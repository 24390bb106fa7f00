#include "shoal/error.h"

#include <cstdio>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "common/error_info.h"
#include "common/escape.h"

namespace shoal {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUnreachable = 69;
constexpr int kExitTryAgain = 75;
constexpr size_t kMaxErrorTextBytes = 2048;
constexpr char kMaybeDoneUrl[] = "shoal/maybe-done";

}  // namespace

bool IsUnreachable(const absl::Status& status) {
  return absl::IsUnavailable(status) && !ErrorInfoOf(status).has_value();
}

bool MayBeDone(const absl::Status& status) { return status.GetPayload(kMaybeDoneUrl).has_value(); }

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kUnavailable:
      return IsUnreachable(status) ? kExitUnreachable : kExitTryAgain;
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
      return kExitTryAgain;
    default:
      return kExitFailure;
  }
}

std::optional<v1::ErrorInfo> ErrorInfoOf(const absl::Status& status) {
  absl::optional<absl::Cord> payload = status.GetPayload(kErrorInfoUrl);
  v1::ErrorInfo info;
  if (!payload.has_value() || !info.ParseFromString(std::string(*payload))) return std::nullopt;
  return info;
}

int Fail(const absl::Status& status) {
  std::string text = EscapeForMessage(status.message(), kMaxErrorTextBytes);
  if (text.empty()) text = absl::StatusCodeToString(status.code());
  bool has_end = absl::EndsWith(text, ".") || absl::EndsWith(text, "?");
  std::fprintf(stderr, "shoal: %s%s\n", text.c_str(), has_end ? "" : ".");
  return ExitCodeOf(status);
}

void internal::MarkAsMaybeDone(absl::Status* status) {
  status->SetPayload(kMaybeDoneUrl, absl::Cord());
}

}  // namespace shoal
