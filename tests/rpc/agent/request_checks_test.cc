// Request ids, pins, counts, selectors.
#include "agent/rpc/request_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "agent/rpc/commands.h"
#include "agent/rpc/process_conversion.h"
#include "common/ids.h"
#include "tests/support/permits.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

TEST(RequestId, MustBeAUuidV7) {
  for (const char* bad : {"", "x", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}) {
    absl::Status status = CheckRequestId(bad);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(status.message()), HasSubstr("request_id must be a UUIDv7"));
  }
  EXPECT_TRUE(CheckRequestId(NewRequestId()).ok());
}

TEST(RequestId, AndHowToAnswerAreNoPartOfTheFingerprint) {
  v1::SpawnRequest spawn;
  spawn.set_request_id(NewRequestId());
  spawn.mutable_spec()->add_argv("true");
  Edge edge;
  const std::string first = ToCommand(spawn, edge, PermitOf("uid:1"))->fingerprint;
  spawn.set_request_id(NewRequestId());
  spawn.set_until(v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(ToCommand(spawn, edge, PermitOf("uid:1"))->fingerprint, first);
  spawn.mutable_spec()->add_argv("more");
  EXPECT_NE(ToCommand(spawn, edge, PermitOf("uid:1"))->fingerprint, first);
  v1::SignalRequest signal;
  signal.set_request_id(NewRequestId());
  signal.mutable_selector()->set_all(true);
  signal.set_signal(1);
  const std::string hangup = ToCommand(signal, PermitOf("uid:1"))->fingerprint;
  signal.set_scope(v1::SignalRequest::SCOPE_TREE);
  EXPECT_NE(ToCommand(signal, PermitOf("uid:1"))->fingerprint, hangup);
}

TEST(Pin, OfAnotherAgentOrBootIsAborted) {
  EXPECT_TRUE(CheckPin("", "", "a", "b").ok());
  EXPECT_TRUE(CheckPin("a", "b", "a", "b").ok());
  EXPECT_EQ(CheckPin("x", "", "a", "b").code(), absl::StatusCode::kAborted);
  EXPECT_EQ(CheckPin("a", "x", "a", "b").code(), absl::StatusCode::kAborted);
}

TEST(Fingerprint, DoesNotDependOnTheOrderOfLabels) {
  v1::ProcessSpec one, two;
  for (int i = 0; i < 50; ++i) {
    (*one.mutable_labels())[std::to_string(i)] = "v";
    (*two.mutable_labels())[std::to_string(49 - i)] = "v";
  }
  EXPECT_EQ(FingerprintOf(one), FingerprintOf(two));
  two.set_name("x");
  EXPECT_NE(FingerprintOf(one), FingerprintOf(two));
}

TEST(Selectors, EmptyOnesAndBadFieldsAreInvalid) {
  v1::Selector selector;
  EXPECT_THAT(std::string(ToSelectorOfSome(selector).status().message()),
              HasSubstr("selector is empty"));
  selector.add_terms("");
  EXPECT_FALSE(ToSelector(selector).ok());
  selector.set_terms(0, "web");
  selector.add_states(static_cast<v1::State>(99));
  EXPECT_THAT(std::string(ToSelector(selector).status().message()), HasSubstr("unknown State 99"));
  selector.clear_states();
  selector.set_all(true);
  EXPECT_THAT(std::string(ToSelector(selector).status().message()), HasSubstr("selector.all"));
}

TEST(Streams, HaveAKindAndANumberThatTellTheSame) {
  for (int number = 0; number < record::kStreams; ++number) {
    EXPECT_EQ(record::kStreamTable[number].number, number);
    EXPECT_EQ(ToStream(ToKind(number)).value_or(-1), number);
  }
  EXPECT_EQ(ToStream(99).status().message(), "unknown StreamKind 99");
  EXPECT_FALSE(ToStream(v1::STREAM_KIND_UNSPECIFIED).ok());
}

TEST(Signals, OutOfRangeAreInvalid) {
  for (int bad : {0, -1, 65, 99}) {
    v1::SignalRequest request;
    request.set_request_id(NewRequestId());
    request.mutable_selector()->set_all(true);
    request.set_signal(bad);
    EXPECT_EQ(ToCommand(request, PermitOf("uid:1")).status().code(),
              absl::StatusCode::kInvalidArgument);
    request.set_signal(9);
    request.set_scope(static_cast<v1::SignalRequest::Scope>(99));
    EXPECT_THAT(std::string(ToCommand(request, PermitOf("uid:1")).status().message()),
                HasSubstr("unknown Scope 99"));
  }
}

}  // namespace
}  // namespace shoal::agent
