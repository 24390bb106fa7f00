#include "agent/log/audit_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace shoal::agent {
namespace {

TEST(AuditJournal, ALineIsOneMessageOfItsIdentifier) {
  char name[] = "/tmp/shoal-journal-XXXXXX";
  const std::string directory = mkdtemp(name);
  const std::string path = directory + "/socket";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const UniqueFd reader(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(reader.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  AuditJournal journal(path);
  size_t written = 0;
  ASSERT_TRUE(journal.Write({"event=\"start\"\n"}, &written).ok());
  EXPECT_EQ(written, 1u);
  char message[1024] = {};
  ASSERT_GT(recv(reader.get(), message, sizeof(message) - 1, 0), 0);
  EXPECT_STREQ(message, "SYSLOG_IDENTIFIER=shoald-audit\nPRIORITY=5\nMESSAGE=event=\"start\"\n");
  std::filesystem::remove_all(directory);
}

TEST(AuditJournal, WithoutJournaldItFails) {
  AuditJournal journal("/tmp/shoal-no-such-socket");
  size_t written = 0;
  EXPECT_FALSE(journal.Write({"one\n"}, &written).ok());
  EXPECT_EQ(written, 0u);
}

}  // namespace
}  // namespace shoal::agent
