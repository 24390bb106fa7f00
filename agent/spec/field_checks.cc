#include "agent/spec/field_checks.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/escape.h"

namespace shoal::agent {

absl::Status CheckCount(absl::string_view field, int count, int limit) {
  if (count <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " has ", count, " items, limit ", limit));
}

absl::Status CheckNoNul(absl::string_view field, absl::string_view bytes) {
  size_t at = bytes.find('\0');
  if (at == absl::string_view::npos) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " contains NUL at ", at));
}

absl::Status CheckLabel(absl::string_view key, absl::string_view value) {
  auto is_good = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' ||
           c == '/';
  };
  bool good = !key.empty() && key.size() <= kMaxLabelKeyBytes;
  for (char c : key) good = good && is_good(c);
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat("label key '", EscapeForMessage(key), "' must match [A-Za-z0-9._/-]{1,128}"));
  }
  std::string field = absl::StrCat("the value of label '", key, "'");
  if (value.size() > kMaxLabelValueBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is ", value.size(), " bytes, limit ", kMaxLabelValueBytes));
  }
  return CheckNoNul(field, value);
}

}  // namespace shoal::agent
