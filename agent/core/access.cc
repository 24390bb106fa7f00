#include "agent/core/access.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/core/call_words.h"
#include "agent/core/reason.h"
#include "common/ids.h"

namespace shoal::agent {
namespace {

// `what`: the caller would have to show, or to do.
absl::Status Fenced(const SessionEntry& session, absl::string_view what) {
  const Takeover taken = session.takeover.value_or(Takeover());
  return WithReason(
      kReasonFenced,
      absl::FailedPreconditionError(absl::StrCat(
          "session ", session.id.substr(0, kShortIdLength), " was taken over by ", taken.by, " at ",
          absl::FormatTime("%H:%M:%S", taken.time, absl::UTCTimeZone()), " UTC: ", what)));
}

absl::Status CheckToken(const SessionEntry& session, absl::string_view token) {
  if (token == session.token) return absl::OkStatus();
  const std::vector<std::string>& fenced = session.fenced_tokens;
  if (std::find(fenced.begin(), fenced.end(), token) != fenced.end()) {
    return Fenced(session, "this token does not count any more");
  }
  return absl::PermissionDeniedError(
      absl::StrCat("token is not that of session ", session.id.substr(0, kShortIdLength)));
}

absl::Status CheckSession(const Caller& caller, Verb verb, const Target& target) {
  const SessionEntry& session = *target.session();
  switch (verb) {
    case Verb::kSpawn:
    case Verb::kTakeover:
      if (!MayActFor(caller, session.owner)) {
        return absl::PermissionDeniedError(absl::StrCat(
            "session ", session.id.substr(0, kShortIdLength), " belongs to another identity"));
      }
      if (verb == Verb::kTakeover) return absl::OkStatus();
      if (target.token()) return CheckToken(session, *target.token());
      if (!session.takeover) return absl::OkStatus();
      return Fenced(session, "a start in it must show the token that counts now");
    case Verb::kKeepAlive:
    case Verb::kCloseSession:
      return CheckToken(session, target.token().value_or(""));
    default:
      return absl::OkStatus();
  }
}

// What only the owner of a process may have done to it; empty: nothing by this verb.
absl::string_view WhatIsTheOwners(Verb verb) {
  switch (verb) {
    case Verb::kSpawn:
      return "forked or accompanied";
    case Verb::kUpdate:
      return "detached";
    case Verb::kAcknowledgeOutput:
      return "acknowledged";
    case Verb::kWriteInput:
      return "written to";
    case Verb::kResizeTerminal:
      return "resized";
    default:
      return "";
  }
}

absl::Status CheckProcess(const Caller& caller, Verb verb, const Target& target) {
  const ProcessEntry& process = *target.process();
  const absl::string_view what = WhatIsTheOwners(verb);
  if (what.empty() || MayActFor(caller, process.owner)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("process ", process.name, " (", process.id.substr(0, kShortIdLength),
                   ") belongs to another identity: it cannot be ", what, " by this one"));
}

}  // namespace

bool MayActFor(const Caller& caller, absl::string_view owner) {
  if (caller.name == owner) return true;
  if (caller.kind != CallerKind::kUnixUser) return false;
  return caller.name == "uid:0" || caller.name == absl::StrCat("uid:", geteuid());
}

absl::string_view NameOf(Verb verb) {
  switch (verb) {
    case Verb::kSpawn:
      return "Spawn";
    case Verb::kGet:
      return "Get";
    case Verb::kList:
      return "List";
    case Verb::kWatch:
      return "Watch";
    case Verb::kWait:
      return "Wait";
    case Verb::kSignal:
      return "Signal";
    case Verb::kTerminate:
      return "Terminate";
    case Verb::kUpdate:
      return "Update";
    case Verb::kDelete:
      return "Delete";
    case Verb::kReadOutput:
      return "ReadOutput";
    case Verb::kAcknowledgeOutput:
      return "AcknowledgeOutput";
    case Verb::kWriteInput:
      return "WriteInput";
    case Verb::kResizeTerminal:
      return "ResizeTerminal";
    case Verb::kOpenSession:
      return "Open";
    case Verb::kKeepAlive:
      return "KeepAlive";
    case Verb::kTakeover:
      return "Takeover";
    case Verb::kCloseSession:
      return "Close";
    case Verb::kListSessions:
      return "SessionService.List";
    case Verb::kCreateTemplate:
      return "TemplateService.Create";
    case Verb::kListTemplates:
      return "TemplateService.List";
    case Verb::kDeleteTemplates:
      return "TemplateService.Delete";
    case Verb::kGetHost:
      return "HostService.Get";
    case Verb::kFindMissingLibraries:
      return "FindMissingLibraries";
    case Verb::kFindMissingBlobs:
      return "FindMissing";
    case Verb::kWriteBlob:
      return "Write";
    case Verb::kReadBlob:
      return "Read";
  }
  return "unknown";
}

absl::StatusOr<Permit> Authorize(const Caller& caller, Verb verb, const Target& target) {
  if (caller.kind == CallerKind::kUnknown) {
    return absl::PermissionDeniedError(
        absl::StrCat("a caller that is not known may not ", WordsOfCall(NameOf(verb))));
  }
  if (target.session() != nullptr) {
    if (absl::Status may = CheckSession(caller, verb, target); !may.ok()) return may;
  }
  if (target.process() != nullptr) {
    if (absl::Status may = CheckProcess(caller, verb, target); !may.ok()) return may;
  }
  return Permit(caller, verb);
}

}  // namespace shoal::agent
