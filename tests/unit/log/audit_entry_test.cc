#include "agent/log/audit_entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace shoal::agent {
namespace {

using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Time kTime = absl::UnixEpoch();

TEST(AuditLine, HasItsFieldsInTheirOrderAndLeavesOutWhatIsEmpty) {
  AuditEntry entry;
  entry.event = "decision";
  entry.caller = "uid:1000";
  entry.method = "Spawn";
  entry.decision = "allowed";
  EXPECT_THAT(ToLine(entry, kTime, kTime, 1),
              Eq("time=\"1970-01-01T00:00:00.000000Z\" event=\"decision\" caller=\"uid:1000\" "
                 "method=\"Spawn\" decision=\"allowed\"\n"));
}

TEST(AuditLine, OfManyCallsHasTheirCountAndTheFirstTime) {
  AuditEntry entry;
  entry.event = "result";
  EXPECT_THAT(ToLine(entry, kTime, kTime + absl::Seconds(9), 7),
              Eq("time=\"1970-01-01T00:00:09.000000Z\" since=\"1970-01-01T00:00:00.000000Z\" "
                 "count=\"7\" event=\"result\"\n"));
}

TEST(AuditLine, NoValueCanForgeAFieldOrALine) {
  AuditEntry entry;
  entry.event = "refused";
  entry.subject = "x\" decision=\"allowed\" y='\\\" \n time=\"now\x1b[2J\xff";
  entry.decision = "refused";
  const std::string line = ToLine(entry, kTime, kTime, 1);
  EXPECT_THAT(line, HasSubstr("subject=\"x\\\" decision=\\\"allowed\\\" y='\\\\\\\" \\n "
                              "time=\\\"now\\x1b[2J\\xff\" decision=\"refused\"\n"));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_THAT(line, Not(HasSubstr(" decision=\"allowed\"")));
}

TEST(AuditLine, AQuoteAtTheEndOfAValueThatIsCutIsNoEnd) {
  AuditEntry entry;
  entry.event = std::string(1023, 'a') + "\\\"";
  const std::string line = ToLine(entry, kTime, kTime, 1);
  EXPECT_THAT(line, HasSubstr("a\\\\\"\n"));
}

TEST(AuditLine, KeepsTheIdsOfAWholeBatch) {
  AuditEntry entry;
  for (int i = 0; i < 1000; ++i) entry.ids += "0123456789abcdef0123456789 ";
  EXPECT_GT(ToLine(entry, kTime, kTime, 1).size(), entry.ids.size());
}

}  // namespace
}  // namespace shoal::agent
