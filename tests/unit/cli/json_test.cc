#include "client/cli/json.h"

#include "client/cli/json_frames.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace shoal::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::Process ExitedWeb() {
  v1::Process process;
  process.set_id("7KQ2MDAAAAAAAAAA");
  process.set_name("web");
  process.set_host("ant");
  process.set_state(v1::STATE_EXITED);
  process.set_revision(int64_t{1} << 60);
  process.mutable_exit()->set_code(0);
  process.mutable_spec()->add_argv("sh");
  process.mutable_spec()->add_argv("-c");
  process.mutable_spec()->set_cwd("/tmp");
  process.mutable_spec()->mutable_grace()->set_seconds(2);
  process.mutable_spec()->mutable_grace()->set_nanos(500000000);
  process.mutable_start_time()->set_seconds(0);
  process.mutable_start_time()->set_nanos(250000000);
  return process;
}

TEST(ProcessLine, IsOneLineThatBeginsWithItsKindAndWhatItIsAbout) {
  const std::string line = ProcessLine(ExitedWeb());
  EXPECT_THAT(line, StartsWith("{\"kind\":\"process\",\"host\":\"ant\",\"id\":\"7KQ2MDAAAAAAAAAA\","
                               "\"name\":\"web\",\"rank\":null,\"pid\":0,"));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST(ProcessLine, TextIsTextAndNumbersAreNumbersAndZerosAreThere) {
  const json process = json::parse(ProcessLine(ExitedWeb()));
  EXPECT_EQ(process["spec"]["argv"], json({"sh", "-c"}));
  EXPECT_EQ(process["spec"]["cwd"], "/tmp");
  EXPECT_EQ(process["spec"]["grace"], 2.5);
  EXPECT_EQ(process["spec"]["time_limit"], nullptr);
  EXPECT_EQ(process["spec"]["daemon"], false);
  EXPECT_EQ(process["revision"], int64_t{1} << 60);
  EXPECT_EQ(process["exit"]["code"], 0);
  EXPECT_EQ(process["exit"]["signal"], nullptr);
  EXPECT_EQ(process["tree_empty"], false);
  EXPECT_EQ(process["state"], "STATE_EXITED");
  EXPECT_EQ(process["start_time"], "1970-01-01T00:00:00.25Z");
  EXPECT_EQ(process["flags"], json::array());
  EXPECT_EQ(process["spec"]["labels"], json::object());
}

TEST(ProcessLine, BytesThatAreNoTextStandInBase64UnderAnotherKey) {
  v1::Process process = ExitedWeb();
  process.mutable_spec()->add_argv("\xff");
  process.mutable_exit()->set_stderr_tail("caf\xe9");
  const json told = json::parse(ProcessLine(process));
  EXPECT_EQ(told["spec"]["argv_base64"], json({"c2g=", "LWM=", "/w=="}));
  EXPECT_FALSE(told["spec"].contains("argv"));
  EXPECT_EQ(told["exit"]["stderr_tail_base64"], "Y2Fm6Q==");
  EXPECT_FALSE(told["exit"].contains("stderr_tail"));
}

TEST(ProcessLine, ADigestIsHexadecimalAndLabelsAreAnObject) {
  v1::Process process = ExitedWeb();
  process.mutable_spec()->add_files()->set_sha256("\x01\xab");
  (*process.mutable_spec()->mutable_labels())["job"] = "x";
  process.set_rank(0);
  const json told = json::parse(ProcessLine(process, "It ended."));
  EXPECT_EQ(told["spec"]["files"][0]["sha256"], "01ab");
  EXPECT_EQ(told["spec"]["labels"], json({{"job", "x"}}));
  EXPECT_EQ(told["rank"], 0);
  EXPECT_EQ(told["story"], "It ended.");
}

TEST(ErrorLine, HasCodeSentenceAndExitStatus) {
  EXPECT_EQ(ErrorLine({"ant", "", ""}, absl::NotFoundError("no process is called x"), 1),
            "{\"kind\":\"error\",\"host\":\"ant\",\"id\":null,\"name\":null,\"rank\":null,"
            "\"code\":\"NOT_FOUND\",\"message\":\"no process is called x.\",\"exit_status\":1,"
            "\"start_failure\":null}\n");
}

class JsonFramesTest : public ::testing::Test {
 protected:
  json Data(int64_t offset, absl::string_view data) {
    std::string lines;
    frames_.Data(subject_, v1::STREAM_KIND_STDOUT, offset, data, &lines);
    return lines.empty() ? json() : json::parse(lines);
  }

  const Subject subject_ = {"ant", "A", "web", 3};
  JsonFrames frames_;
};

TEST_F(JsonFramesTest, TextThatIsCutWithinACharacterStaysText) {
  const json first = Data(0, "a\xe6\x97");
  EXPECT_EQ(first["data"], "a");
  EXPECT_EQ(first["offset"], 0);
  EXPECT_EQ(first["rank"], 3);
  EXPECT_EQ(first["name"], "web");
  const json second = Data(3, "\xa5!");
  EXPECT_EQ(second["data"], "日!");
  EXPECT_EQ(second["offset"], 1);
}

TEST_F(JsonFramesTest, WhatNeverBecomesACharacterIsToldBeforeTheEnd) {
  EXPECT_EQ(Data(0, "\xe6"), json());
  std::string lines;
  frames_.End(subject_, v1::STREAM_KIND_STDOUT, 1, false, &lines);
  EXPECT_THAT(lines, HasSubstr("\"offset\":0,\"data_base64\":\"5g==\"}\n"));
  EXPECT_THAT(lines, HasSubstr("\"kind\":\"end\""));
  EXPECT_THAT(lines, HasSubstr("\"offset\":1,\"truncated\":false}\n"));
}

TEST_F(JsonFramesTest, AGapHasItsReason) {
  v1::Gap gap;
  gap.set_from(3);
  gap.set_to(5);
  gap.set_reason(v1::Gap::REASON_CAP);
  std::string lines;
  frames_.Gap(subject_, v1::STREAM_KIND_STDERR, gap, &lines);
  EXPECT_THAT(lines, HasSubstr("\"kind\":\"gap\",\"host\":\"ant\",\"id\":\"A\",\"name\":\"web\","
                               "\"rank\":3,\"stream\":\"STREAM_KIND_STDERR\",\"offset\":3,"
                               "\"from\":3,\"to\":5,\"reason\":\"REASON_CAP\"}"));
  EXPECT_THAT(lines, Not(HasSubstr("output")));
}

}  // namespace
}  // namespace shoal::cli
