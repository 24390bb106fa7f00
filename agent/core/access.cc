#include "agent/core/access.h"

#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"

namespace shoal::agent {
namespace {

absl::Status CheckSession(const Caller& caller, Verb verb, const Target& target) {
  const SessionEntry& session = *target.session();
  const std::string id = session.id.substr(0, kShortIdLength);
  switch (verb) {
    case Verb::kSpawn:
      if (MayActFor(caller, session.owner)) return absl::OkStatus();
      return absl::PermissionDeniedError(
          absl::StrCat("session ", id, " belongs to another identity"));
    case Verb::kKeepAlive:
    case Verb::kCloseSession:
      if (target.token() == session.token) return absl::OkStatus();
      return absl::PermissionDeniedError(absl::StrCat("token is not that of session ", id));
    default:
      return absl::OkStatus();
  }
}

// What only the owner of a process may have done to it; empty: nothing by this verb.
absl::string_view WhatIsTheOwners(Verb verb) {
  switch (verb) {
    case Verb::kSpawn:
      return "forked";
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
        absl::StrCat("a caller that is not known may not ", NameOf(verb)));
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
