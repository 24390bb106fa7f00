// What Ctrl-Z says, and what a keeper of leases is told.
#include "client/cli/suspending.h"

#include <gtest/gtest.h>

#include "client/cli/keeper.h"

namespace shoal::cli {
namespace {

const std::vector<std::string> kNames = {"ant", "beetle", "cicada"};

TEST(Suspending, SaysWhatWasSeenToStop) {
  EXPECT_EQ(TellSuspended({.signaled = 1, .doubtful = {}}, kNames, absl::OkStatus(), "15s"),
            "stopping 1 process with this command; `fg` lets them go on. Time limits do not wait.");
}

TEST(Suspending, SaysWhatIsNotKnownToStopAndWhatIsNotKept) {
  JobSuspension suspension;
  suspension.signaled = 4;
  suspension.doubtful = {{1, absl::DeadlineExceededError("no answer")},
                         {2, absl::ResourceExhaustedError("disk full")}};
  EXPECT_EQ(TellSuspended(suspension, kNames,
                          absl::UnavailableError("the keeper has not renewed the leases"), "15s"),
            "stopping 4 processes with this command; `fg` lets them go on. Time limits do not "
            "wait; not known to be stopped on beetle: no answer; not known to be stopped on "
            "cicada: disk full; the keeper has not renewed the leases: what is behind a network "
            "is ended in 15s.");
}

TEST(KeptLeases, AreReadAsTheyWereWritten) {
  KeptLease lease;
  lease.address.name = "beetle";
  lease.address.host = "10.0.0.2";
  lease.address.port = 7420;
  lease.session_id = "SESSION";
  lease.token = "TOKEN";
  lease.ttl = absl::Milliseconds(1500);
  const absl::StatusOr<std::vector<KeptLease>> read =
      ReadKeptLeases(WriteKeptLeases({lease, lease}));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[1].address.name, "beetle");
  EXPECT_EQ((*read)[1].address.target(), "ipv4:10.0.0.2:7420");
  EXPECT_EQ((*read)[1].session_id, "SESSION");
  EXPECT_EQ((*read)[1].token, "TOKEN");
  EXPECT_EQ((*read)[1].ttl, absl::Milliseconds(1500));
}

TEST(KeptLeases, WhatIsNoneIsRefused) {
  EXPECT_EQ(ReadKeptLeases("\n").status().message(), "stdin: there is no lease");
  for (const char* line : {"a\tb\n\n", "a\tb\tport\ts\tt\t1\n\n", "a\tb\t1\ts\tt\t0\n\n"}) {
    EXPECT_EQ(ReadKeptLeases(line).status().message(),
              "stdin: a line is not one of name, host, port, session, token and TTL in ms");
  }
}

}  // namespace
}  // namespace shoal::cli
