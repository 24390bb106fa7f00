#include "common/shipped_paths.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/escape.h"
#include "common/status.h"

namespace shoal {
namespace {

constexpr size_t kMaxPathBytes = 1024;
constexpr size_t kMaxPartBytes = 255;  // NAME_MAX

absl::Status Invalid(absl::string_view field, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(field, " ", reason));
}

absl::Status Check(absl::string_view field, const std::string& path) {
  if (path.empty()) return Invalid(field, "is empty");
  if (const size_t at = path.find('\0'); at != std::string::npos) {
    return Invalid(field, absl::StrCat("contains NUL at ", at));
  }
  if (path.size() > kMaxPathBytes) {
    return Invalid(field, absl::StrCat("is ", path.size(), " bytes, limit ", kMaxPathBytes));
  }
  const std::string named = absl::StrCat(field, " '", EscapeForMessage(path), "'");
  if (path[0] == '/') return Invalid(named, "is absolute: it must be relative to the files");
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return Invalid(named, "has an empty part, '.' or '..': it must stay below the files");
    }
    if (part.size() > kMaxPartBytes) return Invalid(named, "has a part of more than 255 bytes");
  }
  return absl::OkStatus();
}

// `path` is there already, or lies below one that is a file, or the other way round.
bool Collides(const std::set<std::string>& earlier, const std::string& path) {
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (earlier.contains(path.substr(0, slash))) return true;
  }
  if (earlier.contains(path)) return true;
  const std::string below = absl::StrCat(path, "/");
  const auto next = earlier.lower_bound(below);
  return next != earlier.end() && next->compare(0, below.size(), below) == 0;
}

}  // namespace

absl::Status ShippedPaths::Add(absl::string_view field, const std::string& path, bool is_library) {
  SHOAL_RETURN_IF_ERROR(Check(field, path));
  if (is_library && path.find_first_of(":;") != std::string::npos) {
    return Invalid(field, absl::StrCat("'", EscapeForMessage(path),
                                       "' of a library must not contain ':' or ';' (ld.so(8))"));
  }
  if (Collides(paths_, path)) {
    return Invalid(field, absl::StrCat("'", EscapeForMessage(path),
                                       "' stands twice, or is a file and a directory"));
  }
  paths_.insert(path);
  return absl::OkStatus();
}

}  // namespace shoal
