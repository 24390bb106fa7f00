// What is refused before anything is posted to the loop, and in which words: FAULTS 3, 4, 23, 38,
// 40–43.
#include "agent/rpc/spec_conversion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "agent/rpc/status_to_grpc.h"
#include "agent/rpc/time_conversion.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

v1::ProcessSpec TrueSpec() {
  v1::ProcessSpec spec;
  spec.add_argv("/bin/true");
  return spec;
}

struct BadSpec {
  const char* name;
  std::function<void(v1::ProcessSpec*)> spoil;
  const char* message;
};

class BadSpecs : public ::testing::TestWithParam<BadSpec> {};

TEST_P(BadSpecs, AreInvalidAndSayWhy) {
  v1::ProcessSpec spec = TrueSpec();
  GetParam().spoil(&spec);
  absl::Status status = ToSpec(spec, /*has_session=*/true, SpecLimits()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
  EXPECT_LE(ToGrpc(status).error_message().size(), kMaxMessageBytes);
}

std::string WithNul(const std::string& head) { return head + std::string(1, '\0') + "tail"; }

const BadSpec kBadSpecs[] = {
    {"NoArgv", [](auto* s) { s->clear_argv(); }, "argv is empty"},
    {"EmptyProgram", [](auto* s) { s->set_argv(0, ""); }, "argv[0] is empty"},
    {"NulInArgument", [](auto* s) { s->add_argv(WithNul("0123456789abcdefg")); },
     "argv[1] contains NUL at 17"},
    {"NulInCwd", [](auto* s) { s->set_cwd(WithNul("/a")); }, "cwd contains NUL at 2"},
    {"NulInEnvironment", [](auto* s) { s->add_env(WithNul("A=b")); }, "env[0] contains NUL at 3"},
    {"NulInName", [](auto* s) { s->set_name(WithNul("a")); }, "name 'a\\x00tail' must match"},
    {"TooManyArguments",
     [](auto* s) {
       for (int i = 0; i < kMaxArguments; ++i) s->add_argv();
     },
     "argc 65537 > 65536"},
    {"LongArgument", [](auto* s) { s->add_argv(std::string(131'072, 'x')); },
     "argv[1] is 131072 bytes, limit 131071"},
    {"TooLargeTogether",
     [](auto* s) {
       for (int i = 0; i < 9; ++i) s->add_argv(std::string(131'000, 'x'));
     },
     "argv and env are 1179099 bytes together, limit 1048576"},
    {"RelativeProgramWithoutCwd", [](auto* s) { s->set_argv(0, "bin/sim"); },
     "argv[0] 'bin/sim' is relative: give cwd"},
    {"RelativeCwd", [](auto* s) { s->set_cwd("home"); }, "cwd 'home' is not absolute"},
    {"EnvironmentWithoutEquals", [](auto* s) { s->add_env("PATH"); }, "env[0] has no '='"},
    {"EnvironmentWithoutKey", [](auto* s) { s->add_env("=x"); }, "env[0] has an empty key"},
    {"EnvironmentTwice",
     [](auto* s) {
       s->add_env("A=1");
       s->add_env("B=1");
       s->add_env("A=2");
     },
     "env[2] repeats the key 'A' of env[0]"},
    {"NameWithSlash", [](auto* s) { s->set_name("../../etc"); },
     "must match [A-Za-z0-9._-]{1,128}, not start with '.'"},
    {"NameWithDot", [](auto* s) { s->set_name(".hidden"); }, "not start with '.'"},
    {"LongName", [](auto* s) { s->set_name(std::string(129, 'n')); }, "must match"},
    {"NameWithNewline", [](auto* s) { s->set_name("a\nb"); }, "name 'a\\nb'"},
    {"UnknownLifetime", [](auto* s) { s->set_lifetime(static_cast<v1::Lifetime>(99)); },
     "unknown Lifetime 99"},
    {"UnknownDescendants",
     [](auto* s) { s->set_descendants(static_cast<v1::DescendantPolicy>(99)); },
     "unknown DescendantPolicy 99"},
    {"UnknownOverflow",
     [](auto* s) { s->mutable_output()->set_overflow(static_cast<v1::OverflowPolicy>(99)); },
     "unknown OverflowPolicy 99"},
    {"UnknownStartMethod", [](auto* s) { s->set_start_method(static_cast<v1::StartMethod>(99)); },
     "unknown StartMethod 99"},
    {"ForkOfNobody", [](auto* s) { s->set_start_method(v1::START_METHOD_FORK); },
     "start_method FORK needs fork_of"},
    {"ForkOfWithoutFork", [](auto* s) { s->set_fork_of("load"); },
     "fork_of 'load' is given without start_method FORK"},
    {"ForkWaitWithoutFork", [](auto* s) { s->mutable_fork_wait()->set_seconds(1); },
     "fork_wait is given without start_method FORK"},
    {"NegativeForkWait",
     [](auto* s) {
       s->set_start_method(v1::START_METHOD_FORK);
       s->set_fork_of("load");
       s->mutable_fork_wait()->set_seconds(-1);
     },
     "fork_wait is negative"},
    {"LongStartedBy", [](auto* s) { s->set_started_by(std::string(513, 'h')); },
     "started_by is 513 bytes, limit 512"},
    {"SmallCap", [](auto* s) { s->mutable_output()->set_cap_bytes(5); }, "output.cap_bytes is 5"},
    {"NegativeCap", [](auto* s) { s->mutable_output()->set_cap_bytes(-1); },
     "output.cap_bytes is -1"},
    {"NegativeGrace", [](auto* s) { s->mutable_grace()->set_seconds(-1); }, "grace is negative"},
    {"OddGrace", [](auto* s) { s->mutable_grace()->set_nanos(2'000'000'000); }, "not a duration"},
    {"ZeroTimeLimit", [](auto* s) { s->mutable_time_limit(); }, "time_limit is zero"},
    {"EndlessTimeLimit", [](auto* s) { s->mutable_time_limit()->set_seconds(INT64_MAX); },
     "limit 100 years"},
    {"DetachedDaemon",
     [](auto* s) {
       s->set_lifetime(v1::LIFETIME_DETACHED);
       s->set_daemon(true);
     },
     "daemon needs lifetime SESSION"},
    {"BadLabel", [](auto* s) { (*s->mutable_labels())["a b"] = ""; }, "label key 'a b' must match"},
};
INSTANTIATE_TEST_SUITE_P(Table, BadSpecs, ::testing::ValuesIn(kBadSpecs),
                         [](const auto& row) { return row.param.name; });

TEST(SpecConversion, ArgumentsNeedNotBeUtf8) {
  v1::ProcessSpec spec = TrueSpec();
  spec.add_argv("\xff\xfe");
  spec.add_argv(std::string(131'071, 'x'));
  absl::StatusOr<std::shared_ptr<const Spec>> built = ToSpec(spec, true, SpecLimits());
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_EQ((*built)->argv[1], "\xff\xfe");
}

TEST(SpecConversion, WithoutSessionAProcessIsDetachedAndDropsItsOldestOutput) {
  std::shared_ptr<const Spec> spec = *ToSpec(TrueSpec(), /*has_session=*/false, SpecLimits());
  EXPECT_EQ(spec->lifetime, Lifetime::kDetached);
  EXPECT_TRUE(spec->drop_oldest);
  EXPECT_EQ(spec->cwd, "/");
}

TEST(SpecConversion, WithASessionItIsOwnedAndItsWriterWaits) {
  std::shared_ptr<const Spec> spec = *ToSpec(TrueSpec(), /*has_session=*/true, SpecLimits());
  EXPECT_EQ(spec->lifetime, Lifetime::kSession);
  EXPECT_FALSE(spec->drop_oldest);
}

TEST(SpecConversion, OwnedWithoutASessionIsInvalid) {
  v1::ProcessSpec spec = TrueSpec();
  spec.set_lifetime(v1::LIFETIME_SESSION);
  EXPECT_FALSE(ToSpec(spec, /*has_session=*/false, SpecLimits()).ok());
}

TEST(SpecConversion, WhatIsStoredMeansTheSameWithoutTheRequest) {
  v1::ProcessSpec proto = TrueSpec();
  proto.add_env("A=b");
  SetDuration(absl::Milliseconds(1500), proto.mutable_grace());
  SetDuration(absl::Minutes(3), proto.mutable_time_limit());
  (*proto.mutable_labels())["k"] = "v";
  for (bool has_session : {false, true}) {
    std::shared_ptr<const Spec> spec = *ToSpec(proto, has_session, SpecLimits());
    std::shared_ptr<const Spec> again = *SpecFromWire(spec->wire);
    EXPECT_EQ(again->lifetime, spec->lifetime);
    EXPECT_EQ(again->drop_oldest, spec->drop_oldest);
    EXPECT_EQ(again->grace, absl::Milliseconds(1500));
    EXPECT_EQ(again->time_limit, absl::Minutes(3));
    EXPECT_EQ(again->env, spec->env);
    EXPECT_EQ(again->labels, spec->labels);
    EXPECT_EQ(again->wire, spec->wire);
  }
}

TEST(SpecConversion, DamagedStoredBytesAreDataLoss) {
  EXPECT_EQ(SpecFromWire("\x0a\xff").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(SpecFromWire("").status().code(), absl::StatusCode::kDataLoss);
}

TEST(Ranks, EachKnowsItself) {
  v1::Ranks ranks;
  ranks.set_first_rank(16);
  ranks.set_count(2);
  ranks.set_world_size(28);
  ranks.set_host_rank(1);
  ranks.add_hosts("node1");
  ranks.add_hosts("node2");
  ASSERT_TRUE(CheckRanks(ranks, "n").ok());
  EXPECT_THAT(RankEnvironment(ranks, 1),
              ::testing::ElementsAre("SHOAL_RANK=17", "SHOAL_WORLD_SIZE=28", "SHOAL_LOCAL_RANK=1",
                                     "SHOAL_LOCAL_SIZE=2", "SHOAL_HOST_RANK=1",
                                     "SHOAL_JOB_HOSTS=node1,node2"));
}

TEST(Ranks, ThatCannotBeAreInvalid) {
  v1::Ranks ranks;
  EXPECT_THAT(std::string(CheckRanks(ranks, "").message()), HasSubstr("ranks.count is 0"));
  ranks.set_count(10'001);
  EXPECT_FALSE(CheckRanks(ranks, "").ok());
  ranks.set_count(4);
  ranks.set_world_size(3);
  EXPECT_THAT(std::string(CheckRanks(ranks, "").message()), HasSubstr("ranks.world_size is 3"));
  ranks.set_world_size(4);
  EXPECT_TRUE(CheckRanks(ranks, std::string(126, 'n')).ok());
  EXPECT_FALSE(CheckRanks(ranks, std::string(127, 'n')).ok());
  ranks.add_hosts(std::string(200'000, 'h'));
  EXPECT_FALSE(CheckRanks(ranks, "").ok());
}

TEST(TemplateSpec, IsTheProgramOnItsOwnToldToBeATemplate) {
  v1::ProcessSpec spec = TrueSpec();
  spec.add_argv("argument");
  spec.add_env("A=1");
  spec.add_env("SHOAL_TEMPLATE=0");
  spec.set_cwd("/tmp");
  spec.set_name("web");
  spec.set_start_method(v1::START_METHOD_FORKSERVER);
  spec.mutable_time_limit()->set_seconds(5);
  spec.mutable_output()->set_merge_stderr(true);
  (*spec.mutable_labels())["team"] = "mesh";
  auto forked = ToSpec(spec, /*has_session=*/true, SpecLimits());
  ASSERT_TRUE(forked.ok()) << forked.status();
  EXPECT_EQ((*forked)->start_method, StartMethod::kForkserver);
  std::shared_ptr<const Spec> made = TemplateSpecOf(**forked, {"/bin/true"});
  EXPECT_THAT(made->argv, ::testing::ElementsAre("/bin/true"));
  EXPECT_THAT(made->env, ::testing::ElementsAre("A=1", "SHOAL_TEMPLATE=1"));
  EXPECT_EQ(made->cwd, "/tmp");
  EXPECT_EQ(made->lifetime, Lifetime::kDetached);
  EXPECT_EQ(made->start_method, StartMethod::kSpawn);
  EXPECT_FALSE(made->time_limit.has_value());
  EXPECT_FALSE(made->merge_stderr);
  EXPECT_TRUE(made->labels.empty());
  auto again = SpecFromWire(made->wire);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->env, made->env);
}

}  // namespace
}  // namespace shoal::agent
