// Specs as the store keeps them, and the spec that the agent makes by itself: a template's.
#include "agent/spec/stored_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/spec/spec_conversion.h"
#include "agent/spec/template_spec.h"
#include "agent/spec/time_conversion.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;

v1::ProcessSpec SpecOfTrue() {
  v1::ProcessSpec spec;
  spec.add_argv("/bin/true");
  return spec;
}

TEST(StoredSpec, WhatIsStoredMeansTheSameWithoutTheRequest) {
  v1::ProcessSpec proto = SpecOfTrue();
  proto.add_env("A=b");
  SetDuration(absl::Milliseconds(1500), proto.mutable_grace());
  SetDuration(absl::Minutes(3), proto.mutable_time_limit());
  (*proto.mutable_labels())["k"] = "v";
  for (bool has_session : {false, true}) {
    std::shared_ptr<const Spec> spec = *ToSpec(proto, has_session, SpecLimits());
    std::shared_ptr<const Spec> again = *SpecFromStored(StoredFormOf(*spec));
    EXPECT_EQ(again->lifetime, spec->lifetime);
    EXPECT_EQ(again->drop_oldest, spec->drop_oldest);
    EXPECT_EQ(again->grace, absl::Milliseconds(1500));
    EXPECT_EQ(again->time_limit, absl::Minutes(3));
    EXPECT_EQ(again->env, spec->env);
    EXPECT_EQ(again->labels, spec->labels);
    EXPECT_EQ(again->wire, spec->wire);
  }
}

// The agents before 0.2 kept the message as it was, its fields in their order.
TEST(StoredSpec, TheEnvironmentMayStandAmongTheOtherFields) {
  v1::ProcessSpec proto = SpecOfTrue();
  proto.add_env("A=b");
  proto.set_cwd("/tmp");
  proto.set_name("web");
  std::shared_ptr<const Spec> spec = *SpecFromStored(proto.SerializeAsString());
  EXPECT_THAT(spec->env, ElementsAre("A=b"));
  EXPECT_EQ(spec->cwd, "/tmp");
  EXPECT_EQ(spec->name, "web");
  EXPECT_EQ((*SpecFromStored(StoredFormOf(*spec)))->env, spec->env);
}

TEST(StoredSpec, DamagedStoredBytesAreDataLoss) {
  EXPECT_EQ(SpecFromStored("\x0a\xff").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(SpecFromStored("").status().code(), absl::StatusCode::kDataLoss);
}

TEST(TemplateSpec, IsTheProgramOnItsOwnToldToBeATemplate) {
  v1::ProcessSpec spec = SpecOfTrue();
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
  EXPECT_THAT(made->argv, ElementsAre("/bin/true"));
  EXPECT_THAT(made->env, ElementsAre("A=1", "SHOAL_TEMPLATE=1"));
  EXPECT_EQ(made->cwd, "/tmp");
  EXPECT_EQ(made->lifetime, Lifetime::kDetached);
  EXPECT_EQ(made->start_method, StartMethod::kSpawn);
  EXPECT_FALSE(made->time_limit.has_value());
  EXPECT_FALSE(made->merge_stderr);
  EXPECT_TRUE(made->labels.empty());
  auto again = SpecFromStored(StoredFormOf(*made));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->env, made->env);
}

}  // namespace
}  // namespace shoal::agent
