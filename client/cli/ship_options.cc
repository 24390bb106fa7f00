#include "client/cli/ship_options.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "client/cli/invocation.h"
#include "client/cli/units.h"
#include "common/crew.h"
#include "common/escape.h"
#include "common/mutex.h"
#include "common/shipped_paths.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

constexpr size_t kHostsAtOnce = 16;

absl::StatusOr<ShipFile> ParseOne(const std::string& word) {
  std::string local = word;
  std::string name;
  const size_t colon = word.rfind(':');
  std::error_code ignored;
  if (colon != std::string::npos && !std::filesystem::exists(word, ignored)) {
    local = word.substr(0, colon);
    name = word.substr(colon + 1);
    if (local.empty() || name.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--ship \"", EscapeForMessage(word), "\" is not of the form FILE:NAME"));
    }
  }
  SHOAL_ASSIGN_OR_RETURN(ShipFile file, DescribeFile(local));
  if (!name.empty()) file.path = std::move(name);
  return file;
}

std::string Normal(const std::string& path) {
  std::error_code failed;
  std::filesystem::path whole = std::filesystem::absolute(path, failed);
  return failed ? path : whole.lexically_normal().string();
}

// The hosts that are still to be sent to, and what the first of them answered.
class Work {
 public:
  Work(const std::vector<std::shared_ptr<Host>>& hosts, const std::vector<ShipFile>& files)
      : hosts_(hosts), files_(files) {}

  void Do() {
    while (std::optional<size_t> mine = Next()) {
      absl::StatusOr<std::vector<v1::ShippedFile>> shipped = Ship(hosts_[*mine].get(), files_);
      MutexLock lock(&mu_);
      if (!answer_.ok()) continue;
      answer_ = std::move(shipped);
      if (!answer_.ok()) {
        answer_ = Invocation::WithHost(answer_.status(), hosts_[*mine]->name());
      }
    }
  }

  absl::StatusOr<std::vector<v1::ShippedFile>> TakeAnswer() {
    MutexLock lock(&mu_);
    return std::move(answer_);
  }

 private:
  std::optional<size_t> Next() {
    MutexLock lock(&mu_);
    if (next_ == hosts_.size() || !answer_.ok()) return std::nullopt;
    return next_++;
  }

  const std::vector<std::shared_ptr<Host>>& hosts_;
  const std::vector<ShipFile>& files_;
  Mutex mu_;
  size_t next_ ABSL_GUARDED_BY(mu_) = 0;
  absl::StatusOr<std::vector<v1::ShippedFile>> answer_ ABSL_GUARDED_BY(mu_) =
      std::vector<v1::ShippedFile>();
};

}  // namespace

absl::StatusOr<std::vector<ShipFile>> ParseShip(const std::vector<std::string>& words) {
  std::vector<ShipFile> files;
  ShippedPaths paths;
  for (const std::string& word : words) {
    SHOAL_ASSIGN_OR_RETURN(ShipFile file, ParseOne(word));
    SHOAL_RETURN_IF_ERROR(paths.Add("--ship: the name there", file.path, file.library));
    files.push_back(std::move(file));
  }
  return files;
}

std::string ProgramThere(const std::string& program, const std::vector<ShipFile>& files) {
  if (program.find('/') == std::string::npos) return program;
  for (const ShipFile& file : files) {
    if (program == absl::StrCat("./", file.path)) return program;
  }
  for (const ShipFile& file : files) {
    if (Normal(file.local_path) == Normal(program)) return absl::StrCat("./", file.path);
  }
  return program;
}

std::string DescribeShipping(const std::vector<ShipFile>& files, size_t hosts) {
  const auto more = static_cast<int64_t>(files.size()) - 1;
  return absl::StrCat("sending ", files.front().path,
                      more > 0 ? absl::StrCat(" and ", Count(more, "more file")) : "", " to ",
                      Count(static_cast<int64_t>(hosts), "host"));
}

absl::StatusOr<std::vector<v1::ShippedFile>> ShipAll(
    const std::vector<std::shared_ptr<Host>>& hosts, const std::vector<ShipFile>& files) {
  Work work(hosts, files);
  RunOnThreads(std::min(hosts.size(), kHostsAtOnce), [&work] { work.Do(); });
  return work.TakeAnswer();
}

}  // namespace shoal::cli
