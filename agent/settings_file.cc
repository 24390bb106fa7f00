#include "agent/settings_file.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/escape.h"
#include "common/parse_error.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxReasonBytes = 512;

std::vector<std::string> KnownKeys(const CLI::App& app) {
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_configurable() && !option->get_lnames().empty()) {
      known.push_back(option->get_lnames().front());
    }
  }
  return known;
}

// What the values of a setting are to be, if one of them is something else; else empty.
std::string Wanted(const TomlSetting& setting, const CLI::Option& option) {
  const bool is_flag = option.get_expected_min() == 0;
  const auto fits = [is_flag](const TomlValue& value) {
    const bool is_boolean = value.kind == TomlValue::Kind::kBoolean;
    return value.kind != TomlValue::Kind::kOther && is_flag == is_boolean;
  };
  const bool may_be_list = option.get_expected_max() > 1;
  if (std::all_of(setting.values.begin(), setting.values.end(), fits) &&
      (may_be_list || !setting.is_list)) {
    return "";
  }
  if (is_flag) return "true or false";
  return may_be_list ? "a text in quotes, or a list of such" : "one number, or one text in quotes";
}

absl::Status Apply(const TomlFile& file, const TomlSetting& setting, CLI::App* app) {
  CLI::Option* option = app->get_option_no_throw(absl::StrCat("--", setting.key));
  if (option == nullptr || !option->get_configurable()) {
    return file.RefuseUnknown(setting, KnownKeys(*app));
  }
  if (const std::string wanted = Wanted(setting, *option); !wanted.empty()) {
    return file.Refuse(setting.line, absl::StrCat(setting.key, " is to be ", wanted));
  }
  if (option->count() > 0) return absl::OkStatus();
  try {
    for (const TomlValue& value : setting.values) option->add_result(value.text);
    if (!setting.values.empty()) option->run_callback();
  } catch (const CLI::ConversionError&) {
    return file.Refuse(setting.line, absl::StrCat(setting.key, " is to be a number"));
  } catch (const CLI::ParseError& error) {
    const std::string told = TellParseError(error.what());
    absl::string_view why = told;
    absl::ConsumePrefix(&why, absl::StrCat("--", setting.key, ": "));
    return file.Refuse(setting.line,
                       absl::StrCat(setting.key, ": ", EscapeForMessage(why, kMaxReasonBytes)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplySettingsFile(const TomlFile& file, CLI::App* app) {
  for (const TomlSection& section : file.sections) {
    return file.Refuse(section.line,
                       absl::StrCat("there are no sections here, and no [",
                                    EscapeForMessage(section.name), "]: settings stand above all"));
  }
  for (const TomlSetting& setting : file.settings) {
    SHOAL_RETURN_IF_ERROR(Apply(file, setting, app));
  }
  return absl::OkStatus();
}

}  // namespace shoal::agent
