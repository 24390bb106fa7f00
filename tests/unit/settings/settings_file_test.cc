// The configuration of shoald: what it may say, and that what it may not is told with its line.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/settings.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SettingsFileTest : public ::testing::Test {
 protected:
  SettingsFileTest() : path_(::testing::TempDir() + "/shoald-XXXXXX") {
    close(mkstemp(path_.data()));
  }
  ~SettingsFileTest() override { unlink(path_.c_str()); }

  // The settings with a file of this text, and what was said instead of them.
  std::optional<Settings> With(const std::string& text,
                               const std::vector<std::string>& flags = {}) {
    std::ofstream(path_) << text;
    std::vector<std::string> words = {"--config", path_, "--run-dir", "/tmp/run"};
    words.insert(words.end(), flags.begin(), flags.end());
    return Given(std::move(words));
  }
  std::optional<Settings> Given(std::vector<std::string> words) {
    words.insert(words.begin(), "shoald");
    std::vector<char*> argv;
    argv.reserve(words.size());
    for (std::string& word : words) argv.push_back(word.data());
    ::testing::internal::CaptureStderr();
    int exit_code = 0;
    std::optional<Settings> settings =
        ParseSettings(static_cast<int>(argv.size()), argv.data(), &exit_code);
    said_ = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(exit_code, settings.has_value() ? 0 : 2) << said_;
    return settings;
  }
  void ExpectRefused(const std::string& text, const std::string& why) {
    EXPECT_FALSE(With(text).has_value()) << text;
    EXPECT_EQ(said_, absl::StrCat("shoald: ", path_, ":", why, "\n")) << text;
  }

  std::string path_;
  std::string said_;
};

TEST_F(SettingsFileTest, SaysWhatFlagsSay) {
  const auto settings = With(
      "# of a host\n"
      "slots = 4\n"
      "listen = [\"127.0.0.1:7420\", \"[::1]:7420\"]\n"
      "label = \"rack=b7\"\n"
      "allow-identity = \"\"\n"
      "retention = \"1h30m\"\n"
      "idle-exit = 90\n"
      "blob-cap = \"2GiB\"\n"
      "ready-fd = -1\n"
      "audit-required = true\n"
      "socket = \"\"\n");
  ASSERT_TRUE(settings.has_value()) << said_;
  EXPECT_EQ(settings->slots, 4);
  EXPECT_THAT(settings->listen, ElementsAre("127.0.0.1:7420", "[::1]:7420"));
  EXPECT_EQ(settings->labels.at("rack"), "b7");
  EXPECT_EQ(settings->retention, absl::Minutes(90));
  EXPECT_EQ(settings->idle_exit, absl::Seconds(90));
  EXPECT_EQ(settings->blob_cap_bytes, int64_t{2} << 30);
  EXPECT_TRUE(settings->audit_required);
  EXPECT_EQ(settings->socket, "/tmp/run/shoald.sock");
}

TEST_F(SettingsFileTest, AFlagGoesBeforeIt) {
  const auto settings = With("slots = 4\nidle-shims = 3\n", {"--slots", "2"});
  ASSERT_TRUE(settings.has_value()) << said_;
  EXPECT_EQ(settings->slots, 2);
  EXPECT_EQ(settings->idle_shims, 3);
}

TEST_F(SettingsFileTest, WhatItMayNotSayIsRefusedWithItsLine) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"\nallow-identiy = \"spiffe://a/b\"\n",
       "2: there is no setting \"allow-identiy\"; did you mean \"allow-identity\"?"},
      {"[tls]\ncert = \"a\"\n",
       "1: there are no sections here, and no [tls]: settings stand above all"},
      {"[slots]\n", "1: there are no sections here, and no [slots]: settings stand above all"},
      {"slots = \"many\"\n", "1: slots: \"many\" is no number from 0 to 1048576"},
      {"slots = -1\n", "1: slots: \"-1\" is no number from 0 to 1048576"},
      {"log-level = \"loud\"\n",
       "1: log-level: \"loud\" is none of trace, debug, info, warn, error"},
      {"ready-fd = \"x\"\n", "1: ready-fd: \"x\" is no number from -1 on"},
      {"ready-fd = -2\n", "1: ready-fd: \"-2\" is no number from -1 on"},
      {"blob-cap = \"-1\"\n", "1: blob-cap: \"-1\" is no size; try 8GiB"},
      {"blob-cap = \"3 bushels\"\n", "1: blob-cap: \"3 bushels\" is no size; try 8GiB"},
      {"blob-cap = \"\"\n", "1: blob-cap: \"\" is no size; try 8GiB"},
      {"state-dir = \"\"\n", "1: state-dir: the value is empty; name a directory"},
      {"dead-man = \"inf\"\n", "1: dead-man: \"inf\" has no end; give a span such as 30s or 2d"},
      {"max-connection-age = \"0s\"\n",
       "1: max-connection-age: \"0s\" is no span above zero; leave it out for none"},
      {"slots = true\n", "1: slots is to be one number, or one text in quotes"},
      {"slots = [1]\n", "1: slots is to be one number, or one text in quotes"},
      {"listen = [[\"a\"]]\n", "1: listen is to be a text in quotes, or a list of such"},
      {"audit-required = \"yes\"\n", "1: audit-required is to be true or false"},
      {"audit-required = 1\n", "1: audit-required is to be true or false"},
      {"retention = \"1 day\"\n",
       "1: retention: \"1 day\" is not a span of time; try 30s, 500ms, 1h30m or 2d"},
      {"label = [\"gpu\"]\n", "1: label: 'gpu' is not KEY=VALUE"},
      {"slots = 1\nslots = 2\n",
       "2: error while parsing key-value pair: cannot redefine existing integer 'slots'"}};
  for (const auto& [text, why] : rows) ExpectRefused(text, why);
}

TEST_F(SettingsFileTest, WhatIsForTheCommandLineAloneIsNoSetting) {
  for (const char* key : {"config", "terminate", "grace", "help", "version"}) {
    EXPECT_FALSE(With(absl::StrCat(key, " = \"x\"\n")).has_value()) << key;
    EXPECT_THAT(said_, ::testing::HasSubstr(absl::StrCat(":1: there is no setting \"", key)));
  }
}

TEST_F(SettingsFileTest, JunkIsRefusedWithItsLine) {
  for (const char* text : {"slots = 4\njunk\n", "slots = 4\n= 5\n", "slots = 4\nlabel = rack=b7\n",
                           "slots = 4\nlabel = \"a\" \"b\"\n", "slots = 4\n\xff = 1\n"}) {
    EXPECT_FALSE(With(text).has_value()) << text;
    EXPECT_THAT(said_, ::testing::StartsWith(absl::StrCat("shoald: ", path_, ":2: "))) << text;
  }
}

TEST_F(SettingsFileTest, TheNameOfTheHostIsOneThatSelectorsAndListsCanHave) {
  EXPECT_EQ(With("host-name = \"node-1.example_2\"\n")->host_name, "node-1.example_2");
  for (const char* name : {"a/b", "a b", "a,b", "n[1]", "@n", "\xc3\xa4"}) {
    EXPECT_FALSE(With("", {"--host-name", name}).has_value()) << name;
    EXPECT_THAT(said_,
                HasSubstr("is no name of a host: letters, digits, '.', '-' and '_', 253 at "));
  }
}

// As `shoald --terminate "$ID"` has it where ID is not set: it would serve.
TEST_F(SettingsFileTest, AnEmptyFlagIsNotTheDefault) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"--terminate", "give the id of a process, or all"},
      {"--config", "name a file"},
      {"--state-dir", "name a directory"}};
  for (const auto& [flag, wanted] : rows) {
    EXPECT_FALSE(Given({flag, ""}).has_value()) << flag;
    EXPECT_EQ(said_, absl::StrCat("shoald: ", flag, ": the value is empty; ", wanted,
                                  "; see shoald --help\n"));
  }
}

TEST_F(SettingsFileTest, TheDescriptorThatIsToldOfReadinessIsOneThatCanBeWrittenTo) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const auto refusal = [this](int fd) {
    EXPECT_FALSE(Given({"--ready-fd", absl::StrCat(fd)}).has_value());
    return said_;
  };
  EXPECT_EQ(Given({"--ready-fd", absl::StrCat(ends[1])})->ready_fd, ends[1]);
  EXPECT_EQ(refusal(ends[0]), absl::StrCat("shoald: --ready-fd: descriptor ", ends[0],
                                           " is not open for writing; see shoald --help\n"));
  close(ends[0]);
  close(ends[1]);
  EXPECT_EQ(refusal(ends[1]), absl::StrCat("shoald: --ready-fd: descriptor ", ends[1],
                                           " is not open; see shoald --help\n"));
}

TEST_F(SettingsFileTest, AnOptionThatWasMeantIsAQuestion) {
  EXPECT_FALSE(Given({"--slot", "4"}).has_value());
  EXPECT_EQ(said_,
            "shoald: there is no option --slot; did you mean \"--slots\"? See shoald --help\n");
}

TEST_F(SettingsFileTest, AFileThatIsNotThereIsAnError) {
  unlink(path_.c_str());
  path_ = "/nowhere/shoald.toml";
  EXPECT_FALSE(With("").has_value());
  EXPECT_EQ(
      said_,
      "shoald: cannot read the configuration /nowhere/shoald.toml: No such file or directory\n");
}

}  // namespace
}  // namespace shoal::agent
