#include "common/program_name.h"

#include "absl/strings/ascii.h"

namespace shoal {

std::string ProgramName(absl::string_view path) {
  const absl::string_view base = path.substr(path.rfind('/') + 1);
  std::string name;
  if (base.empty() || base[0] == '.') name.push_back('_');
  for (char c : base.substr(0, 64)) {
    const bool is_plain =
        absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
    name.push_back(is_plain ? c : '_');
  }
  return name;
}

}  // namespace shoal
