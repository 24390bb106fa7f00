#include "agent/output/system_output_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "agent/os/directory.h"
#include "agent/output/output_name.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr size_t kSweepAfter = 256;

// Size of a segment that is now unlinked, or nullopt if there was none.
std::optional<int64_t> UnlinkSegment(int directory, const std::string& name) {
  struct stat facts {};
  if (fstatat(directory, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  unlinkat(directory, name.c_str(), 0);
  return facts.st_size;
}

// Follows the segments of a stream, each beginning where the one before it ends. False if there is none at `begin`.
bool UnlinkChain(int directory, const std::string& id, int stream, int64_t begin) {
  int64_t start = begin;
  while (true) {
    const std::optional<int64_t> size = UnlinkSegment(directory, SegmentName(id, stream, start));
    if (!size) return start > begin;
    if (*size <= 0) return true;
    start += *size;
  }
}

template <typename Predicate>
std::vector<std::string> NamesWhere(int directory, Predicate predicate) {
  std::vector<std::string> names;
  ForEachName(directory, [&](const char* name, bool is_directory) {
    const std::optional<OutputName> parsed = ParseOutputName(name);
    if (!is_directory && parsed && predicate(*parsed)) names.emplace_back(name);
  });
  return names;
}

void Unlink(int directory, const std::vector<std::string>& names) {
  for (const std::string& name : names) unlinkat(directory, name.c_str(), 0);
}

}  // namespace

// Removes what begins with `id`. Looking through the whole directory costs the more the more processes there are: it
// is done at once where a stream is known to have bytes and they are not where it begins, as its shim has moved on since.
// Where nothing was written, or is known to be left, there should be nothing: those are looked for together.
class SystemOutputFiles::Remover {
 public:
  explicit Remover(UniqueFd directory) : directory_(std::move(directory)) {}
  ~Remover() { Sweep(); }

  int directory() const { return directory_.get(); }

  void Remove(const std::string& id, const Streams& streams) {
    bool is_missed = false;
    for (int stream = 0; stream < record::kStreams; ++stream) {
      const record::StreamState& state = streams[static_cast<size_t>(stream)];
      if (UnlinkChain(directory(), id, stream, state.begin)) continue;
      unsure_.insert(id);
      is_missed = is_missed || state.end > state.begin;
    }
    unlinkat(directory(), IndexName(id).c_str(), 0);
    unlinkat(directory(), RingName(id).c_str(), 0);
    if (is_missed || unsure_.size() >= kSweepAfter) Sweep();
  }

 private:
  void Sweep() {
    if (unsure_.empty()) return;
    Unlink(directory(), NamesWhere(directory(), [this](const OutputName& name) {
             return unsure_.contains(name.id);
           }));
    unsure_.clear();
  }

  const UniqueFd directory_;
  // Helper thread only, or after its end.
  absl::flat_hash_set<std::string> unsure_;
};

SystemOutputFiles::SystemOutputFiles(UniqueFd directory, HelperThread* helper)
    : remover_(std::make_shared<Remover>(std::move(directory))), helper_(helper) {}

SystemOutputFiles::~SystemOutputFiles() = default;

int SystemOutputFiles::directory() const { return remover_->directory(); }

absl::StatusOr<std::unique_ptr<SystemOutputFiles>> SystemOutputFiles::Open(
    const std::string& state_dir, HelperThread* helper) {
  const std::string path = absl::StrCat(state_dir, "/output");
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("mkdir ", path));
  }
  SHOAL_ASSIGN_OR_RETURN(UniqueFd directory,
                         OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat facts {};
  if (fstat(directory.get(), &facts) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", path));
  if (facts.st_uid != geteuid()) {
    return absl::FailedPreconditionError(
        absl::StrCat("output directory ", path, " belongs to uid ", facts.st_uid));
  }
  if ((facts.st_mode & 077) != 0 && fchmod(directory.get(), 0700) != 0) {
    return ErrnoStatus(errno, absl::StrCat("chmod ", path));
  }
  return absl::WrapUnique(new SystemOutputFiles(std::move(directory), helper));
}

std::string SystemOutputFiles::Tail(const std::string& id, int stream,
                                    const record::StreamState& state, int64_t segment_bytes,
                                    size_t max_bytes) {
  const int64_t kept = state.end - state.begin;
  if (kept <= 0) return {};
  const auto wanted = std::min(static_cast<size_t>(kept), max_bytes);
  SegmentReader reader(directory(), id, stream, segment_bytes);
  std::string tail(wanted, '\0');
  size_t filled = 0;
  int64_t offset = state.end - static_cast<int64_t>(wanted);
  while (filled < wanted) {
    const absl::StatusOr<size_t> got = reader.Read(offset, tail.data() + filled, wanted - filled);
    if (!got.ok() || *got == 0) break;
    filled += *got;
    offset += static_cast<int64_t>(*got);
  }
  tail.resize(filled);
  return tail;
}

void SystemOutputFiles::Remove(const std::string& id, const Streams& streams) {
  helper_->Run([remover = remover_, id, streams] { remover->Remove(id, streams); });
}

void SystemOutputFiles::RemoveAllBut(const std::vector<std::string>& keep) {
  const absl::flat_hash_set<std::string> kept(keep.begin(), keep.end());
  // What is there now: when the helper comes to it, processes that `keep` does not know may write.
  std::vector<std::string> names =
      NamesWhere(directory(), [&](const OutputName& name) { return !kept.contains(name.id); });
  helper_->Run(
      [remover = remover_, names = std::move(names)] { Unlink(remover->directory(), names); });
}

OutputFiles::Streams SystemOutputFiles::Measure(const std::string& id, int64_t /*segment_bytes*/) {
  Streams states{};
  std::array<bool, record::kStreams> seen{};
  ForEachName(directory(), [&](const char* file, bool) {
    const std::optional<OutputName> name = ParseOutputName(file);
    struct stat facts {};
    if (!name || name->is_index || name->is_ring || name->id != id ||
        fstatat(directory(), file, &facts, AT_SYMLINK_NOFOLLOW) != 0) {
      return;
    }
    const auto stream = static_cast<size_t>(name->stream);
    record::StreamState& state = states[stream];
    state.begin = seen[stream] ? std::min(state.begin, name->start) : name->start;
    state.end = std::max(state.end, name->start + facts.st_size);
    seen[stream] = true;
  });
  return states;
}

}  // namespace shoal::agent
