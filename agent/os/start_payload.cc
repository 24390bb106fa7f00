#include "agent/os/start_payload.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "agent/record/record_layout.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

void Add(absl::string_view key, absl::string_view value, std::string* payload) {
  absl::StrAppend(payload, key, "=", value);
  payload->push_back('\0');
}

}  // namespace

std::string PayloadOf(const ShimStart& start) {
  const record::AgentHalf& desired = start.desired;
  constexpr size_t kLineBytes = 8;     // its key, "=" and a NUL
  constexpr size_t kOtherBytes = 128;  // what stands behind arguments and environment
  size_t bytes = kOtherBytes + start.cwd.size() + start.input_file.size();
  for (const std::string& word : start.argv) bytes += word.size() + kLineBytes;
  for (const absl::string_view variable : start.env) bytes += variable.size() + kLineBytes;
  std::string payload;
  payload.reserve(bytes);
  for (const std::string& word : start.argv) Add("arg", word, &payload);
  for (const absl::string_view variable : start.env) Add("env", variable, &payload);
  Add("cwd", start.cwd.empty() ? "/" : start.cwd, &payload);
  if (desired.nofile_soft != 0) Add("nofile", absl::StrCat(desired.nofile_soft), &payload);
  if ((desired.flags & record::kMergeStderr) != 0) Add("merge-stderr", "1", &payload);
  if ((desired.flags & record::kResultStream) != 0) Add("result", "1", &payload);
  if (desired.input_window > 0) Add("input", "1", &payload);
  if ((desired.flags & record::kTerminal) != 0) {
    Add("terminal", "1", &payload);
    Add("rows", absl::StrCat(desired.terminal_rows), &payload);
    Add("columns", absl::StrCat(desired.terminal_columns), &payload);
  }
  if (!start.input_file.empty()) Add("input-file", start.input_file, &payload);
  if ((desired.flags & record::kForbidChildren) != 0) Add("forbid-children", "1", &payload);
  return payload;
}

absl::StatusOr<UniqueFd> MakePayload(absl::string_view payload, absl::string_view id) {
  UniqueFd file(memfd_create("shoal-start", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return ErrnoStatus(errno, absl::StrCat("memfd_create for the start of ", id));
  size_t written = 0;
  while (written < payload.size()) {
    const ssize_t count = pwrite(file.get(), payload.data() + written, payload.size() - written,
                                 static_cast<off_t>(written));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return ErrnoStatus(errno, absl::StrCat("write what ", id, " is to be"));
    written += static_cast<size_t>(count);
  }
  if (fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
    return ErrnoStatus(errno, absl::StrCat("seal what ", id, " is to be"));
  }
  return MoveUp(std::move(file), absl::StrCat("what ", id, " is to be"));
}

}  // namespace shoal::agent
