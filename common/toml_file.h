// A TOML file as settings, each with the line where it stands. toml++ is behind it, in one source file, since
// its header takes seconds to compile.
//
// Ownership:     values.
// Thread-safety: as plain values.
// Blocking:      ReadToml on the file system; the rest never blocks.
// Errors:        INVALID_ARGUMENT "FILE:LINE: why" for what is no TOML; those of the system calls.
#ifndef SHOAL_COMMON_TOML_FILE_H_
#define SHOAL_COMMON_TOML_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

struct TomlValue {
  enum class Kind { kText, kNumber, kBoolean, kOther };  // kOther: a date, a list, a table
  Kind kind = Kind::kOther;
  std::string text;  // as it would stand on a command line
};

struct TomlSetting {
  std::string section;  // "tls", "a.b"; empty: above all sections
  std::string key;
  int line = 0;
  bool is_list = false;
  std::vector<TomlValue> values;  // one, or those of the list
};

struct TomlSection {
  std::string name;
  int line = 0;
};

struct TomlFile {
  std::string path;
  std::vector<TomlSection> sections;  // in their order
  std::vector<TomlSetting> settings;

  // INVALID_ARGUMENT "FILE:LINE: why".
  absl::Status Refuse(int line, absl::string_view why) const;
  // Of a setting that is none of `known`, with the one that was probably meant.
  absl::Status RefuseUnknown(const TomlSetting& setting,
                             const std::vector<std::string>& known) const;
};

// `path` is for messages.
absl::StatusOr<TomlFile> ParseToml(absl::string_view text, absl::string_view path);

// `shown` is the path for messages.
absl::StatusOr<TomlFile> ReadToml(const std::string& path, absl::string_view shown);

}  // namespace shoal

#endif  // SHOAL_COMMON_TOML_FILE_H_
