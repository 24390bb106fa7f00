// Files of a spec that are refused, and in which words: fault 56 of tests/README.md.
#include "agent/spec/file_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/spec/spec_conversion.h"
#include "agent/spec/stored_spec.h"
#include "common/sha256.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::ProcessSpec SpecWith(const std::vector<std::string>& paths) {
  v1::ProcessSpec spec;
  spec.add_argv("/bin/true");
  for (const std::string& path : paths) {
    v1::ShippedFile* file = spec.add_files();
    file->set_path(path);
    file->set_data("x");
  }
  return spec;
}

TEST(CheckFiles, RefusesPathsThatLeaveTheirDirectory) {
  for (const std::string& path :
       {std::string("../../x"), std::string("/etc/passwd"), std::string("a/../b"), std::string("."),
        std::string("a//b"), std::string("a/"), std::string(""), std::string("a\0b", 3),
        std::string("./sim"), std::string(2000, 'a'), std::string(256, 'a')}) {
    const absl::Status status = CheckFiles(SpecWith({path}));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << path;
    EXPECT_THAT(std::string(status.message()), HasSubstr("files[0].path")) << path;
  }
  EXPECT_TRUE(CheckFiles(SpecWith({"sim", "data/a", "data/b", "..x", "sim2"})).ok());
}

TEST(CheckFiles, RefusesTwoFilesInOnePlace) {
  for (const auto& paths : {std::vector<std::string>{"a", "a"}, {"a", "a/b"}, {"a/b", "a"}}) {
    EXPECT_THAT(std::string(CheckFiles(SpecWith(paths)).message()), HasSubstr("stands twice"));
  }
}

TEST(CheckFiles, RefusesWhatIsTooMuchOrNoDigest) {
  EXPECT_THAT(std::string(CheckFiles(SpecWith(std::vector<std::string>(1001, "a"))).message()),
              HasSubstr("limit 1000"));
  v1::ProcessSpec spec = SpecWith({"a", "b"});
  spec.mutable_files(0)->set_data(std::string(60 << 10, 'x'));
  spec.mutable_files(1)->set_data(std::string(5 << 10, 'x'));
  EXPECT_THAT(std::string(CheckFiles(spec).message()), HasSubstr("limit 65536"));
  spec = SpecWith({"a"});
  spec.mutable_files(0)->set_sha256("short");
  EXPECT_THAT(std::string(CheckFiles(spec).message()), HasSubstr("5 bytes"));
  spec.mutable_files(0)->clear_content();
  EXPECT_THAT(std::string(CheckFiles(spec).message()), HasSubstr("neither"));
  spec = SpecWith({"a:b/lib.so"});
  spec.mutable_files(0)->set_library(true);
  EXPECT_THAT(std::string(CheckFiles(spec).message()), HasSubstr("':'"));
}

TEST(FilesOfASpec, MayBeTheProgramAndTheWorkingDirectory) {
  v1::ProcessSpec proto = SpecWith({"bin/sim"});
  proto.set_argv(0, "./bin/sim");
  auto spec = ToSpec(proto, /*has_session=*/true, SpecLimits());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ((*spec)->cwd, "") << "that of the files";
  proto.set_argv(0, "./other");
  EXPECT_THAT(std::string(ToSpec(proto, true, SpecLimits()).status().message()),
              HasSubstr("the path of one of files"));
  proto.set_argv(0, "/bin/true");
  proto.set_cwd("/srv");
  spec = ToSpec(proto, true, SpecLimits());
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ((*spec)->cwd, "/srv");
}

TEST(FilesOfASpec, ContentsAreNeitherStoredNorTold) {
  v1::ProcessSpec proto = SpecWith({"note"});
  proto.mutable_files(0)->set_data("a secret argument");
  v1::ShippedFile* blob = proto.add_files();
  blob->set_path("sim");
  blob->set_sha256(Sha256Of("program"));
  blob->set_executable(true);
  auto spec = ToSpec(proto, true, SpecLimits());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT((*spec)->wire, Not(HasSubstr("secret")));
  EXPECT_THAT(StoredFormOf(**spec), Not(HasSubstr("secret")));
  std::shared_ptr<const InlineFiles> contents = InlineFilesOf(proto);
  ASSERT_NE(contents, nullptr);
  EXPECT_EQ((*contents)[0], "a secret argument");
  // As the store gives it back.
  auto stored = SpecFromStored(StoredFormOf(**spec));
  ASSERT_TRUE(stored.ok());
  ASSERT_EQ((*stored)->files.size(), 2u);
  EXPECT_EQ((*stored)->files[1].sha256, Sha256Of("program"));
  EXPECT_TRUE((*stored)->files[1].executable);
  EXPECT_EQ((*stored)->cwd, "");
}

}  // namespace
}  // namespace shoal::agent
