#include "agent/spec/file_checks.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/spec/field_checks.h"
#include "common/sha256.h"
#include "common/shipped_paths.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

absl::Status Invalid(absl::string_view field, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(field, reason));
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

}  // namespace

absl::Status CheckFiles(const v1::ProcessSpec& proto) {
  SHOAL_RETURN_IF_ERROR(CheckCount("files", proto.files_size(), kMaxFiles));
  ShippedPaths paths;
  size_t inline_bytes = 0;
  for (int i = 0; i < proto.files_size(); ++i) {
    const v1::ShippedFile& file = proto.files(i);
    const std::string field = absl::StrCat("files[", i, "]");
    SHOAL_RETURN_IF_ERROR(paths.Add(absl::StrCat(field, ".path"), file.path(), file.library()));
    SHOAL_RETURN_IF_ERROR(CheckContent(field, file));
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
