// Which caller may make which request, and that the core takes none without a permit.
#include "agent/core/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>

#include "agent/core/commands.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

static_assert(!std::is_default_constructible_v<Permit>);
static_assert(!std::is_constructible_v<Permit, Caller, Verb>, "for Authorize alone");
static_assert(!std::is_default_constructible_v<SpawnCommand>);
static_assert(!std::is_default_constructible_v<SignalCommand>);
static_assert(!std::is_default_constructible_v<TerminateCommand>);
static_assert(!std::is_default_constructible_v<UpdateCommand>);
static_assert(!std::is_default_constructible_v<DeleteCommand>);
static_assert(!std::is_default_constructible_v<OpenSessionCommand>);
static_assert(!std::is_default_constructible_v<CloseSessionCommand>);
static_assert(!std::is_default_constructible_v<CreateTemplateCommand>);
static_assert(!std::is_default_constructible_v<DeleteTemplatesCommand>);

const Caller kCallers[] = {
    {CallerKind::kUnixUser, "uid:0", Evidence::kPeerCredentials},
    {CallerKind::kUnixUser, "uid:1000", Evidence::kPeerCredentials},
    {CallerKind::kSpiffe, "spiffe://test/ops", Evidence::kCertificateUri},
    {CallerKind::kDnsName, "dns:ops.test", Evidence::kCertificateDnsName},
    {CallerKind::kInsecureLoopback, "loopback", Evidence::kLoopbackAddress},
    {CallerKind::kAgent, "shoald", Evidence::kNone},
};

SessionEntry SessionOf(const std::string& owner) {
  SessionEntry session;
  session.id = "SESSIONOF" + owner;
  session.owner = owner;
  session.token = "token of " + owner;
  return session;
}

// What a verb is allowed on: 'h' the host, 'o' a session of the caller's own, 'f' a foreign one, 't' a
// foreign one by its token, 'w' the caller's own with a wrong token.
struct Row {
  Verb verb;
  const char* allowed;
};

constexpr Row kRows[] = {
    {Verb::kSpawn, "how"},
    {Verb::kGet, "hoftw"},
    {Verb::kList, "hoftw"},
    {Verb::kWatch, "hoftw"},
    {Verb::kWait, "hoftw"},
    {Verb::kSignal, "hoftw"},
    {Verb::kTerminate, "hoftw"},
    {Verb::kUpdate, "hoftw"},
    {Verb::kDelete, "hoftw"},
    {Verb::kReadOutput, "hoftw"},
    {Verb::kAcknowledgeOutput, "hoftw"},
    {Verb::kOpenSession, "hoftw"},
    {Verb::kKeepAlive, "ht"},
    {Verb::kCloseSession, "ht"},
    {Verb::kListSessions, "hoftw"},
    {Verb::kCreateTemplate, "hoftw"},
    {Verb::kListTemplates, "hoftw"},
    {Verb::kDeleteTemplates, "hoftw"},
    {Verb::kGetHost, "hoftw"},
    {Verb::kFindMissingLibraries, "hoftw"},
    {Verb::kFindMissingBlobs, "hoftw"},
    {Verb::kWriteBlob, "hoftw"},
    {Verb::kReadBlob, "hoftw"},
};
static_assert(std::size(kRows) == static_cast<size_t>(Verb::kLast) + 1, "a row for each verb");

TEST(Access, EveryVerbOfEveryCallerOnEveryTarget) {
  const SessionEntry foreign = SessionOf("another");
  for (const Row& row : kRows) {
    for (const Caller& caller : kCallers) {
      const SessionEntry own = SessionOf(caller.name);
      const std::pair<char, Target> targets[] = {
          {'h', Target::Host()},
          {'o', Target::Session(own)},
          {'f', Target::Session(foreign)},
          {'t', Target::Session(foreign, foreign.token)},
          {'w', Target::Session(own, "wrong")},
      };
      for (const auto& [letter, target] : targets) {
        SCOPED_TRACE(std::string(NameOf(row.verb)) + " by " + caller.name + " on " + letter);
        const absl::StatusOr<Permit> permit = Authorize(caller, row.verb, target);
        if (std::string(row.allowed).find(letter) == std::string::npos) {
          EXPECT_EQ(permit.status().code(), absl::StatusCode::kPermissionDenied);
          continue;
        }
        ASSERT_TRUE(permit.ok()) << permit.status();
        EXPECT_EQ(permit->verb(), row.verb);
        EXPECT_EQ(permit->owner(), caller.name);
        EXPECT_EQ(permit->caller().kind, caller.kind);
        EXPECT_EQ(permit->caller().evidence, caller.evidence);
      }
    }
  }
}

TEST(Access, ACallerThatIsNotKnownMayNothing) {
  for (const Row& row : kRows) {
    const absl::StatusOr<Permit> permit = Authorize(Caller(), row.verb, Target::Host());
    EXPECT_EQ(permit.status().code(), absl::StatusCode::kPermissionDenied) << NameOf(row.verb);
  }
}

TEST(Access, ARefusalSaysWhatIsMissing) {
  const SessionEntry foreign = SessionOf("another");
  EXPECT_THAT(
      std::string(
          Authorize(kCallers[1], Verb::kSpawn, Target::Session(foreign)).status().message()),
      HasSubstr("belongs to another identity"));
  EXPECT_THAT(std::string(Authorize(kCallers[1], Verb::kKeepAlive, Target::Session(foreign, "no"))
                              .status()
                              .message()),
              HasSubstr("token is not that of session"));
}

}  // namespace
}  // namespace shoal::agent
