// The rules of access: Authorize is asked for every request, and makes the Permit that handlers
// demand.
//
// Every caller may see, signal and end everything on this host. What belongs to an owner stays his
// (see MayActFor): he alone starts processes in his session and takes it over, and forks, accompanies, detaches and
// acknowledges the output of his process, writes its input and resizes its terminal. A blob is there for those alone
// that have sent it. A session is renewed
// and closed by its token, whichever caller shows it; a token that it had before a takeover is fenced. A
// request_id needs no rule: RequestLog keeps it by the owner of the Permit, so that the same
// request_id of another caller is another request.
//
// Ownership:     plain data.
// Thread-safety: thread-safe; a target is used within the call only.
// Blocking:      never blocks.
// Errors:        PERMISSION_DENIED. FAILED_PRECONDITION, reason FENCED: the token counted before a
//                takeover; or none was shown for a start in a session that was taken over.
#ifndef SHOAL_AGENT_CORE_ACCESS_H_
#define SHOAL_AGENT_CORE_ACCESS_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/core/caller.h"
#include "agent/core/model.h"

namespace shoal::agent {

// The calls of the API, in the order of its services.
enum class Verb {
  kSpawn,  // a batch, too
  kGet,
  kList,
  kWatch,
  kWait,
  kSignal,
  kTerminate,
  kUpdate,
  kDelete,
  kReadOutput,
  kAcknowledgeOutput,
  kWriteInput,  // as a stream, too
  kResizeTerminal,
  kOpenSession,
  kKeepAlive,
  kTakeover,
  kCloseSession,
  kListSessions,
  kCreateTemplate,
  kListTemplates,
  kDeleteTemplates,
  kGetHost,
  kFindMissingLibraries,
  kFindMissingBlobs,
  kWriteBlob,
  kReadBlob,
  kLast = kReadBlob,
};

// As requests and audit lines name it: "Spawn", "TemplateService.Create".
absl::string_view NameOf(Verb verb);

// Whether the caller may do what only this owner may: it is the owner, or has, on the Unix socket, the
// uid of root or of this agent. The one place where owners are compared.
bool MayActFor(const Caller& caller, absl::string_view owner);

// The same as a question about owners; for as long as `caller` lives.
inline auto IsCallersOf(const Caller& caller) {
  return [&caller](absl::string_view owner) { return MayActFor(caller, owner); };
}

// What a verb is about: the host with everything on it, one session, or what only the owner of one
// process may do with it: fork it or run something beside it (kSpawn), detach it (kUpdate), let its output go
// (kAcknowledgeOutput), write its input (kWriteInput), resize its terminal (kResizeTerminal).
class Target {
 public:
  static Target Host() { return Target(nullptr, nullptr, std::nullopt); }
  static Target Session(const SessionEntry& session) {
    return Target(&session, nullptr, std::nullopt);
  }
  // Of a caller that shows a token.
  static Target Session(const SessionEntry& session, absl::string_view token) {
    return Target(&session, nullptr, token);
  }
  static Target Process(const ProcessEntry& process) {
    return Target(nullptr, &process, std::nullopt);
  }

  // Null: it is not about one.
  const SessionEntry* session() const { return session_; }
  const ProcessEntry* process() const { return process_; }
  const std::optional<absl::string_view>& token() const { return token_; }

 private:
  Target(const SessionEntry* session, const ProcessEntry* process,
         std::optional<absl::string_view> token)
      : session_(session), process_(process), token_(token) {}

  const SessionEntry* session_;
  const ProcessEntry* process_;
  std::optional<absl::string_view> token_;
};

// That the caller may. Made by Authorize alone: what demands one cannot be reached without asking.
class Permit {
 public:
  const Caller& caller() const { return caller_; }
  Verb verb() const { return verb_; }
  // Of what is made by this permit.
  const std::string& owner() const { return caller_.name; }

 private:
  friend absl::StatusOr<Permit> Authorize(const Caller& caller, Verb verb, const Target& target);

  Permit(Caller caller, Verb verb) : caller_(std::move(caller)), verb_(verb) {}

  Caller caller_;
  Verb verb_;
};

absl::StatusOr<Permit> Authorize(const Caller& caller, Verb verb, const Target& target);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_ACCESS_H_
