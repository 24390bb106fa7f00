#include "shoal/host/connection_room.h"

#include <sys/resource.h>

#include <filesystem>
#include <iterator>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/descriptor_limit.h"

namespace shoal::internal {
namespace {

// gRPC's own, and those of look-ups and files for a while.
constexpr size_t kBeside = 64;

size_t OpenDescriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator open("/proc/self/fd", error);
  if (error) return 0;
  return static_cast<size_t>(std::distance(begin(open), end(open))) - 1;  // that of the look
}

}  // namespace

absl::Status MakeRoomForConnections(size_t hosts) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return absl::OkStatus();
  const size_t open = OpenDescriptors();
  if (open + hosts + kBeside <= limit.rlim_cur) return absl::OkStatus();
  RaiseDescriptorLimit();
  if (open + hosts <= limit.rlim_max) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("this program may have ", limit.rlim_max,
                                                   " descriptors open (`ulimit -Hn`), ", open,
                                                   " are, and ", hosts, " hosts need one each"));
}

}  // namespace shoal::internal
