#include "common/toml_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

using ::testing::StartsWith;

TEST(TomlFile, HasSettingsAndSectionsInTheirOrderWithTheirLines) {
  const absl::StatusOr<TomlFile> file = ParseToml(
      "z = 'text'\n"
      "a = 7\n"
      "[tls]\n"
      "key = true\n"
      "\n"
      "[b.c]\n"
      "list = [1.5, 'x', [], 1979-05-27]\n"
      "inline = {a = 1}\n",
      "/f.toml");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->settings.size(), 5u);
  EXPECT_EQ(file->settings[0].key, "z");
  EXPECT_EQ(file->settings[0].values[0].text, "text");
  EXPECT_EQ(file->settings[1].line, 2);
  EXPECT_EQ(file->settings[1].values[0].kind, TomlValue::Kind::kNumber);
  EXPECT_EQ(file->settings[2].section, "tls");
  EXPECT_EQ(file->settings[2].values[0].text, "true");
  const TomlSetting& list = file->settings[3];
  EXPECT_TRUE(list.is_list);
  ASSERT_EQ(list.values.size(), 4u);
  EXPECT_EQ(list.section, "b.c");
  EXPECT_EQ(list.values[0].text, "1.5");
  EXPECT_EQ(list.values[2].kind, TomlValue::Kind::kOther);
  EXPECT_EQ(list.values[3].kind, TomlValue::Kind::kOther);
  EXPECT_EQ(file->settings[4].values[0].kind, TomlValue::Kind::kOther);
  ASSERT_EQ(file->sections.size(), 3u);
  EXPECT_EQ(file->sections[0].name, "tls");
  EXPECT_EQ(file->sections[2].name, "b.c");
  EXPECT_EQ(file->sections[2].line, 6);
}

TEST(TomlFile, WhatIsNoTomlIsToldWithItsLine) {
  for (const char* text :
       {"a = 1\nb =", "a = 1\na = 2", "a = 1\njunk", "a = 1\n[b", "a = 1\n\xff = 2",
        "a = 1\nb = 'x' 'y'", "a = 1\nb = 99999999999999999999"}) {
    const absl::Status status = ParseToml(text, "/f.toml").status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), StartsWith("/f.toml:2: ")) << text;
  }
}

// Outside of quotes they are no part of TOML; toml++ took some for spaces, and some for what cannot come.
TEST(TomlFile, LettersOfOtherAlphabetsStandInQuotes) {
  for (const char* letter : {"\u00e9", "\u0498", "\u1500", "\u2010", "\ufb26", "\ufefe"}) {
    for (const std::string& text :
         {absl::StrCat("a = 1\n", letter, " = 2"), absl::StrCat("a = 1\nb", letter, " = 2"),
          absl::StrCat("a = 1\nb = 2 ", letter)}) {
      const absl::Status status = ParseToml(text, "/f.toml").status();
      EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
      EXPECT_THAT(std::string(status.message()), StartsWith("/f.toml:2: ")) << text;
    }
    const absl::StatusOr<TomlFile> file =
        ParseToml(absl::StrCat("\"", letter, "\" = '", letter, "'  # ", letter), "/f.toml");
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->settings[0].key, letter);
  }
}

TEST(TomlFile, AnUnknownSettingIsRefusedWithWhatWasMeant) {
  const absl::StatusOr<TomlFile> file = ParseToml("[tls]\ncrt = 1\nmode = 2\n", "/f.toml");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->RefuseUnknown(file->settings[0], {"cert", "key"}).message(),
            "/f.toml:2: there is no setting \"crt\" in [tls]; did you mean \"cert\"?");
  EXPECT_EQ(file->RefuseUnknown(file->settings[1], {"cert", "key"}).message(),
            "/f.toml:3: there is no setting \"mode\" in [tls]; known: cert, key");
}

TEST(TomlFile, WhatCannotBeReadIsAnError) {
  EXPECT_EQ(ReadToml("/nowhere/f.toml", "~/f.toml").status().message(),
            "cannot read the configuration ~/f.toml: No such file or directory");
  EXPECT_EQ(ReadToml("/", "/").status().message(),
            "cannot read the configuration /: Is a directory");
}

}  // namespace
}  // namespace shoal
