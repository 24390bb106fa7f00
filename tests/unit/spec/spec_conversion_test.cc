// What is refused before anything is posted to the loop, and in which words: faults 3, 4, 23, 38
// and 40–43 of tests/README.md.
#include "agent/spec/spec_conversion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "agent/spec/beside_spec.h"
#include "agent/spec/stored_spec.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

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
    {"BesideWithAFork",
     [](auto* s) {
       s->set_start_method(v1::START_METHOD_FORKSERVER);
       s->set_beside("web");
     },
     "beside 'web' is given with another start_method than SPAWN"},
    {"ForkWaitWithoutFork", [](auto* s) { s->mutable_fork_wait()->set_seconds(1); },
     "fork_wait is given without start_method FORK or FORKSERVER"},
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

TEST(SpecConversion, BesideAnotherItsEnvironmentAndDirectoryGoBeforeItsOwn) {
  v1::ProcessSpec web;
  web.add_argv("/bin/web");
  web.add_env("A=web");
  web.add_env("B=web");
  web.set_cwd("/srv");
  v1::ProcessSpec own;
  own.add_argv("./tool");  // of that directory
  own.add_env("B=own");
  own.set_beside("web");
  const auto other = ToSpec(web, /*has_session=*/false, SpecLimits());
  const auto asked = ToSpec(own, /*has_session=*/false, SpecLimits());
  ASSERT_TRUE(other.ok() && asked.ok()) << asked.status();
  EXPECT_EQ((*asked)->cwd, "");
  const std::shared_ptr<const Spec> spec = BesideSpec(**asked, "AAAAAAAAAAAAAAAA", **other);
  EXPECT_EQ(spec->cwd, "/srv");
  EXPECT_EQ(spec->env, (std::vector<std::string>{"A=web", "B=own"}));
  const auto stored = SpecFromStored(StoredFormOf(*spec));
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ((*stored)->beside, "AAAAAAAAAAAAAAAA");
  EXPECT_EQ((*stored)->cwd, "/srv");
  EXPECT_EQ((*stored)->env, spec->env);
}

TEST(SpecConversion, OwnedWithoutASessionIsInvalid) {
  v1::ProcessSpec spec = TrueSpec();
  spec.set_lifetime(v1::LIFETIME_SESSION);
  EXPECT_FALSE(ToSpec(spec, /*has_session=*/false, SpecLimits()).ok());
}

TEST(SpecConversion, ARepliesSpecHasNoEnvironmentUnlessItIsAskedFor) {
  v1::ProcessSpec proto = TrueSpec();
  proto.add_env("A=secret");
  proto.add_env("B=\xff");
  (*proto.mutable_labels())["k"] = "v";
  std::shared_ptr<const Spec> spec = *ToSpec(proto, /*has_session=*/true, SpecLimits());
  EXPECT_THAT(spec->wire, Not(HasSubstr("secret")));
  v1::ProcessSpec told;
  SetSpec(*spec, SpecView::kWithoutEnv, &told);
  EXPECT_EQ(told.argv(0), "/bin/true");
  EXPECT_EQ(told.labels().at("k"), "v");
  EXPECT_EQ(told.env_size(), 0);
  SetSpec(*spec, SpecView::kFull, &told);
  EXPECT_THAT(told.env(), ElementsAre("A=secret", "B=\xff"));
}

}  // namespace
}  // namespace shoal::agent
