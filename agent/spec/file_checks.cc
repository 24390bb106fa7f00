#include "agent/spec/file_checks.h"

#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/spec/field_checks.h"
#include "common/escape.h"
#include "common/sha256.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxFilePathBytes = 1024;
constexpr size_t kMaxFileNameBytes = 255;  // NAME_MAX

absl::Status Invalid(absl::string_view field, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(field, reason));
}

absl::Status CheckFilePath(absl::string_view field, const std::string& path) {
  SHOAL_RETURN_IF_ERROR(CheckNoNul(field, path));
  if (path.empty()) return Invalid(field, " is empty");
  if (path.size() > kMaxFilePathBytes) {
    return Invalid(field, absl::StrCat(" is ", path.size(), " bytes, limit ", kMaxFilePathBytes));
  }
  const std::string named = absl::StrCat(field, " '", EscapeForMessage(path), "'");
  if (path[0] == '/') return Invalid(named, " is absolute: it must be relative to the files");
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return Invalid(named, " has an empty part, '.' or '..': it must stay below the files");
    }
    if (part.size() > kMaxFileNameBytes)
      return Invalid(named, " has a part of more than 255 bytes");
  }
  return absl::OkStatus();
}

absl::Status CheckContent(absl::string_view field, const v1::ShippedFile& file) {
  switch (file.content_case()) {
    case v1::ShippedFile::kSha256:
      if (file.sha256().size() == kSha256Bytes) return absl::OkStatus();
      return Invalid(field, absl::StrCat(".sha256 is ", file.sha256().size(), " bytes, must be ",
                                         kSha256Bytes));
    case v1::ShippedFile::kData:
      return absl::OkStatus();
    case v1::ShippedFile::CONTENT_NOT_SET:
      break;
  }
  return Invalid(field, " has neither sha256 nor data");
}

// `path` stands there already, or lies below one that is a file, or the other way round.
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

absl::Status CheckFiles(const v1::ProcessSpec& proto) {
  SHOAL_RETURN_IF_ERROR(CheckCount("files", proto.files_size(), kMaxFiles));
  std::set<std::string> seen;
  size_t inline_bytes = 0;
  for (int i = 0; i < proto.files_size(); ++i) {
    const v1::ShippedFile& file = proto.files(i);
    const std::string field = absl::StrCat("files[", i, "]");
    SHOAL_RETURN_IF_ERROR(CheckFilePath(absl::StrCat(field, ".path"), file.path()));
    SHOAL_RETURN_IF_ERROR(CheckContent(field, file));
    if (file.library() && file.path().find_first_of(":;") != std::string::npos) {
      return Invalid(field, ".path of a library must not contain ':' or ';' (ld.so(8))");
    }
    if (Collides(seen, file.path())) {
      return Invalid(field, absl::StrCat(".path '", EscapeForMessage(file.path()),
                                         "' stands twice, or is a file and a directory"));
    }
    seen.insert(file.path());
    inline_bytes += file.data().size();
  }
  if (inline_bytes <= kMaxInlineBytes) return absl::OkStatus();
  return Invalid("files", absl::StrCat(" have ", inline_bytes, " bytes of data, limit ",
                                       kMaxInlineBytes, ": write blobs instead"));
}

std::vector<SpecFile> FilesOf(const v1::ProcessSpec& proto) {
  std::vector<SpecFile> files;
  for (const v1::ShippedFile& file : proto.files()) {
    files.push_back({file.path(), file.sha256(), file.executable(), file.library()});
  }
  return files;
}

std::shared_ptr<const InlineFiles> InlineFilesOf(const v1::ProcessSpec& proto) {
  InlineFiles contents;
  bool any = false;
  for (const v1::ShippedFile& file : proto.files()) {
    any = any || file.content_case() == v1::ShippedFile::kData;
    contents.push_back(file.data());
  }
  return any ? std::make_shared<const InlineFiles>(std::move(contents)) : nullptr;
}

}  // namespace shoal::agent
