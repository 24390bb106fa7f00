// What gRPC says of a call, as a sentence about a host.
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "shoal/error.h"
#include "shoal/host_list.h"
#include "shoal/v1/error_detail.pb.h"
#include "shoal/wire/wire_status.h"

namespace shoal {
namespace {

struct Row {
  grpc::StatusCode code;
  const char* said;
  const char* message;
};

HostAddress Node() { return ParseHostList("node1")->at(0); }

TEST(FromWire, IsASentenceAboutTheHost) {
  for (const Row& row : std::vector<Row>{
           {grpc::StatusCode::UNAVAILABLE,
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.3:7420: Failed "
            "to connect to remote host: Connection refused",
            "host \"node1\" cannot be reached: connection refused (10.0.0.3:7420)"},
           {grpc::StatusCode::UNAVAILABLE,
            "failed to connect to all addresses; last error: UNKNOWN: unix:/run/a.sock: No such "
            "file or directory",
            "host \"node1\" cannot be reached: no such file or directory (/run/a.sock)"},
           {grpc::StatusCode::UNAVAILABLE, "failed to connect; last error: UNKNOWN: odd",
            "host \"node1\" cannot be reached: odd"},
           {grpc::StatusCode::UNAVAILABLE, "the name does not resolve",
            "host \"node1\" cannot be reached: the name does not resolve"},
           {grpc::StatusCode::UNAVAILABLE,
            "failed to connect to all addresses; last error: UNKNOWN: "
            "ipv6:[::ffff:10.0.0.3]:7420: Failed to connect to remote host: Connection refused",
            "host \"node1\" cannot be reached: connection refused (10.0.0.3:7420)"},
           {grpc::StatusCode::UNAVAILABLE, "Socket closed",
            "host \"node1\" cannot be reached: the connection was closed by the other side"},
           {grpc::StatusCode::UNAVAILABLE,
            "failed to connect to all addresses; last error: UNAVAILABLE: unix:/run/a.sock: "
            "connection attempt timed out before receiving SETTINGS frame",
            "host \"node1\" cannot be reached: it does not answer"},
           {grpc::StatusCode::UNAVAILABLE, "keepalive watchdog timeout",
            "host \"node1\" cannot be reached: it does not answer"},
           {grpc::StatusCode::UNAVAILABLE, "recvmsg:Connection reset by peer",
            "host \"node1\" cannot be reached: the connection was closed by the other side"},
           {grpc::StatusCode::UNAVAILABLE, "the agent is shutting down",
            "host \"node1\" cannot be reached: the agent is shutting down"},
           {grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded",
            "host \"node1\" did not answer in time"},
           {grpc::StatusCode::DEADLINE_EXCEEDED, "1 process is left", "1 process is left"},
           {grpc::StatusCode::INTERNAL, "", "host \"node1\" gave no reason"},
           {grpc::StatusCode::PERMISSION_DENIED, "identity spiffe://t/bob may not Get: no",
            "host \"node1\" refuses this: identity spiffe://t/bob may not Get: no"},
           {grpc::StatusCode::PERMISSION_DENIED, "it belongs to uid:0", "it belongs to uid:0"},
           {grpc::StatusCode::NOT_FOUND, "no process is called \x1b",
            "no process is called \\x1b"}}) {
    absl::Status status = FromWire(Node(), grpc::Status(row.code, row.said));
    EXPECT_EQ(status, absl::Status(static_cast<absl::StatusCode>(row.code), row.message));
  }
  EXPECT_TRUE(FromWire(Node(), grpc::Status::OK).ok());
}

TEST(FromWire, AProgramWithoutDescriptorsDoesNotBlameTheHost) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const absl::Status status =
      FromWire(Node(), grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                    "failed to connect to all addresses; last error: UNKNOWN: "
                                    "ipv4:10.0.0.3:7420: socket: Too many open files"));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(),
            absl::StrCat("no descriptor is left for another connection: this program may have ",
                         limit.rlim_cur, " open (`ulimit -n`)"));
  EXPECT_EQ(FromWire(Node(), grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                          "the name does not resolve: Too many open files")),
            status);
}

// What the agent itself says with UNAVAILABLE.
grpc::Status Refusal(const std::string& reason, const std::string& message) {
  v1::ErrorInfo info;
  info.set_reason(reason);
  v1::ErrorDetails details;
  google::protobuf::Any* any = details.add_details();
  any->set_type_url(kErrorInfoUrl);
  any->set_value(info.SerializeAsString());
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, message, details.SerializeAsString());
}

TEST(FromWire, WhatTheAgentCannotDoForNowIsNotToldAsAHostThatIsNotReached) {
  const grpc::Status full = Refusal(kRefusedForNowReason, "the audit log /a cannot be written");
  EXPECT_TRUE(IsRefusedForNow(full));
  EXPECT_FALSE(IsBroken(full));
  const absl::Status told = FromWire(Node(), full, "a certificate has expired");
  EXPECT_EQ(told.message(),
            "host \"node1\" refuses this for now: the audit log /a cannot be written");
  EXPECT_FALSE(IsUnreachable(told));
  EXPECT_EQ(ExitCodeOf(told), 75);
  const grpc::Status start = Refusal(kStartFailedReason, "cannot start x: Text file busy");
  EXPECT_TRUE(IsStartFailure(start));
  EXPECT_EQ(FromWire(Node(), start).message(), "cannot start x: Text file busy");
}

TEST(FromWire, AReasonThatIsKnownHereStandsInThePlaceOfWhatGrpcSays) {
  const grpc::Status closed(grpc::StatusCode::UNAVAILABLE, "failed to connect: error:0A000086");
  EXPECT_EQ(FromWire(Node(), closed, "", "it speaks no TLS").message(),
            "host \"node1\" cannot be reached: it speaks no TLS");
  EXPECT_EQ(
      FromWire(Node(), closed, "a certificate has expired", "it speaks no TLS").message(),
      "host \"node1\" cannot be reached: failed to connect: error:0A000086; a certificate has "
      "expired");
}

TEST(FromWire, WhatIsKnownHereOfABrokenConnectionStandsBehindIt) {
  const grpc::Status closed(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  EXPECT_TRUE(IsBroken(closed));
  const absl::Status told = FromWire(Node(), closed, "a certificate has expired");
  EXPECT_EQ(told.message(),
            "host \"node1\" cannot be reached: the connection was closed by the other side; a "
            "certificate has expired");
  EXPECT_TRUE(IsUnreachable(told));
  EXPECT_EQ(ExitCodeOf(told), 69);
}

TEST(NameSkew, SaysWhoseClockIsFarOffWhenARequestIdIsRefusedForItsTime) {
  const absl::Status refused = absl::FailedPreconditionError("request_id too old: made 26h ago");
  EXPECT_EQ(NameSkew(Node(), absl::Hours(26) + absl::Seconds(7), refused).message(),
            "the clock of host \"node1\" is 26h ahead of this machine's: request_id too old: made "
            "26h ago");
  EXPECT_EQ(NameSkew(Node(), absl::Hours(-26), refused).message(),
            "the clock of host \"node1\" is 26h behind this machine's: request_id too old: made "
            "26h ago");
  EXPECT_EQ(NameSkew(Node(), absl::Hours(23), refused), refused);
  const absl::Status other = absl::FailedPreconditionError("it has ended");
  EXPECT_EQ(NameSkew(Node(), absl::Hours(26), other), other);
}

TEST(IsBroken, IsWhatAnotherAttemptMayGetOver) {
  EXPECT_TRUE(IsBroken(grpc::Status(grpc::StatusCode::UNAVAILABLE, "")));
  EXPECT_TRUE(IsBroken(grpc::Status::CANCELLED));
  EXPECT_FALSE(IsBroken(grpc::Status(grpc::StatusCode::NOT_FOUND, "")));
}

TEST(IsConnectFailure, IsToldFromAnAnswer) {
  auto unavailable = [](const char* text) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, text);
  };
  EXPECT_TRUE(IsConnectFailure(unavailable("failed to connect to all addresses")));
  EXPECT_TRUE(IsConnectFailure(unavailable("the name does not resolve")));
  EXPECT_FALSE(IsConnectFailure(unavailable("Socket closed")));
}

}  // namespace
}  // namespace shoal
