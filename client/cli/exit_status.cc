#include "client/cli/exit_status.h"

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/error_info.h"
#include "common/escape.h"
#include "shoal/error.h"
#include "shoal/v1/error_detail.pb.h"

namespace shoal::cli {
namespace {

constexpr size_t kMaxMessageBytes = 2048;

// What to do about it, for the few cases where the message alone does not say.
absl::string_view HintFor(const absl::Status& status) {
  absl::string_view message = status.message();
  if (absl::IsAlreadyExists(status) && absl::StrContains(message, "held") &&
      !absl::StrContains(message, "Stop it")) {
    return "Stop it first, or choose another.";
  }
  return "";
}

// The name of a field without where in a batch of one it stood.
absl::string_view WithoutIndex(absl::string_view message) {
  absl::ConsumePrefix(&message, "specs[0]: ");
  absl::ConsumePrefix(&message, "specs[0].");
  return message;
}

}  // namespace

absl::Status StatusOfAnswer(int code, absl::string_view message) {
  absl::Status status(static_cast<absl::StatusCode>(code), message);
  if (!absl::IsUnavailable(status)) return status;
  v1::ErrorInfo info;
  info.set_reason(kRefusedForNowReason);
  status.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  return status;
}

int ExitStatusOf(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? kExitUsage : ExitCodeOf(status);
}

int NotStartedStatusOf(const absl::Status& status) {
  const int exit_status = ExitStatusOf(status);
  return exit_status == kExitFailure ? kExitNotStarted : exit_status;
}

absl::Status WithDoubt(const absl::Status& status, absl::string_view doubt) {
  if (!MayBeDone(status)) return status;
  absl::Status told(status.code(), absl::StrCat(status.message(), "; ", doubt));
  status.ForEachPayload(
      [&told](absl::string_view url, const absl::Cord& payload) { told.SetPayload(url, payload); });
  return told;
}

std::string ToSentence(const absl::Status& status) {
  std::string text = EscapeForMessage(WithoutIndex(status.message()), kMaxMessageBytes);
  if (text.empty()) text = absl::StatusCodeToString(status.code());
  absl::string_view hint = HintFor(status);
  bool ended = absl::EndsWith(text, ".") || absl::EndsWith(text, "!") || absl::EndsWith(text, "?");
  return absl::StrCat(text, ended ? "" : ".", hint.empty() ? "" : " ", hint);
}

}  // namespace shoal::cli
