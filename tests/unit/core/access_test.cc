// Which caller may make which request, and that the core takes none without a permit.
#include "agent/core/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <type_traits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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

ProcessEntry ProcessOf(const std::string& owner) {
  ProcessEntry process;
  process.id = "PROCESSOF" + owner;
  process.name = "web";
  process.owner = owner;
  return process;
}

SessionEntry SessionOf(const std::string& owner) {
  SessionEntry session;
  session.id = "SESSIONOF" + owner;
  session.owner = owner;
  session.token = "token of " + owner;
  return session;
}

// What a verb is allowed on: 'h' the host, 'o' a session of the caller's own, 'f' a foreign one, 't' a
// foreign one by its token, 'w' the caller's own with a wrong token; 'p' what is for the owner of a
// process alone, on the caller's own, 'q' the same on a foreign one.
struct Row {
  Verb verb;
  const char* allowed;
};

constexpr Row kRows[] = {
    {Verb::kSpawn, "hop"},
    {Verb::kGet, "hoftwpq"},
    {Verb::kList, "hoftwpq"},
    {Verb::kWatch, "hoftwpq"},
    {Verb::kWait, "hoftwpq"},
    {Verb::kSignal, "hoftwpq"},
    {Verb::kTerminate, "hoftwpq"},
    {Verb::kUpdate, "hoftwp"},
    {Verb::kDelete, "hoftwpq"},
    {Verb::kReadOutput, "hoftwpq"},
    {Verb::kAcknowledgeOutput, "hoftwp"},
    {Verb::kWriteInput, "hoftwp"},
    {Verb::kResizeTerminal, "hoftwp"},
    {Verb::kOpenSession, "hoftwpq"},
    {Verb::kKeepAlive, "htpq"},
    {Verb::kTakeover, "howpq"},
    {Verb::kCloseSession, "htpq"},
    {Verb::kListSessions, "hoftwpq"},
    {Verb::kCreateTemplate, "hoftwpq"},
    {Verb::kListTemplates, "hoftwpq"},
    {Verb::kDeleteTemplates, "hoftwpq"},
    {Verb::kGetHost, "hoftwpq"},
    {Verb::kFindMissingLibraries, "hoftwpq"},
    {Verb::kFindMissingBlobs, "hoftwpq"},
    {Verb::kWriteBlob, "hoftwpq"},
    {Verb::kReadBlob, "hoftwpq"},
};
static_assert(std::size(kRows) == static_cast<size_t>(Verb::kLast) + 1, "a row for each verb");

TEST(Access, EveryVerbOfEveryCallerOnEveryTarget) {
  const SessionEntry foreign = SessionOf("another");
  const ProcessEntry foreign_process = ProcessOf("another");
  for (const Row& row : kRows) {
    for (const Caller& caller : kCallers) {
      const bool acts_for_all = MayActFor(caller, "another");
      const ProcessEntry own_process = ProcessOf(caller.name);
      const SessionEntry own = SessionOf(caller.name);
      const std::pair<char, Target> targets[] = {
          {'h', Target::Host()},
          {'o', Target::Session(own)},
          {'f', Target::Session(foreign)},
          {'t', Target::Session(foreign, foreign.token)},
          {'w', Target::Session(own, "wrong")},
          {'p', Target::Process(own_process)},
          {'q', Target::Process(foreign_process)},
      };
      for (const auto& [letter, target] : targets) {
        SCOPED_TRACE(std::string(NameOf(row.verb)) + " by " + caller.name + " on " + letter);
        const absl::StatusOr<Permit> permit = Authorize(caller, row.verb, target);
        std::string allowed = row.allowed;
        // Whoever acts for every owner may what an owner may.
        if (acts_for_all && absl::StrContains(allowed, 'p')) allowed += 'q';
        const bool is_owners = row.verb == Verb::kSpawn || row.verb == Verb::kTakeover;
        if (acts_for_all && is_owners) allowed += "ft";
        if (!absl::StrContains(allowed, letter)) {
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

TEST(Access, RootAndTheUidOfTheAgentActForEveryOwnerOverTheUnixSocketAlone) {
  const std::string own = absl::StrCat("uid:", geteuid());
  EXPECT_TRUE(MayActFor({CallerKind::kUnixUser, "uid:0", Evidence::kPeerCredentials}, "another"));
  EXPECT_TRUE(MayActFor({CallerKind::kUnixUser, own, Evidence::kPeerCredentials}, "another"));
  EXPECT_FALSE(
      MayActFor({CallerKind::kUnixUser, own + "1", Evidence::kPeerCredentials}, "another"));
  EXPECT_FALSE(MayActFor({CallerKind::kSpiffe, "uid:0", Evidence::kCertificateUri}, "another"));
}

TEST(Access, ARefusalSaysWhatIsMissing) {
  const SessionEntry foreign = SessionOf("another");
  EXPECT_THAT(
      std::string(
          Authorize(kCallers[3], Verb::kSpawn, Target::Session(foreign)).status().message()),
      HasSubstr("belongs to another identity"));
  EXPECT_THAT(std::string(Authorize(kCallers[1], Verb::kKeepAlive, Target::Session(foreign, "no"))
                              .status()
                              .message()),
              HasSubstr("token is not that of session"));
  const ProcessEntry process = ProcessOf("another");
  EXPECT_EQ(std::string(
                Authorize(kCallers[3], Verb::kUpdate, Target::Process(process)).status().message()),
            "process web (PROCES) belongs to another identity: it cannot be detached by this one");
}

}  // namespace
}  // namespace shoal::agent
