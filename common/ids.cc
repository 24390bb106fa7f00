#include "common/ids.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/status.h"

namespace shoal {
namespace {

template <size_t N>
std::array<uint8_t, N> RandomBytes() {
  std::array<uint8_t, N> bytes;
  // Up to 256 bytes are never cut short once the pool is initialized; EINTR only before that.
  while (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(N)) {
  }
  return bytes;
}

}  // namespace

std::string NewId() {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  auto bytes = RandomBytes<kIdLength>();
  std::string id(kIdLength, ' ');
  for (size_t i = 0; i < kIdLength; ++i) id[i] = kAlphabet[bytes[i] & 31];
  return id;
}

std::string NewRequestId() { return NewRequestIdAt(absl::Now()); }

std::string NewRequestIdAt(absl::Time time) {
  auto bytes = RandomBytes<16>();
  auto millis = static_cast<uint64_t>(absl::ToUnixMillis(time));
  for (size_t i = 0; i < 6; ++i) bytes[i] = static_cast<uint8_t>(millis >> (8 * (5 - i)));
  bytes[6] = static_cast<uint8_t>(0x70 | (bytes[6] & 0x0F));
  bytes[8] = static_cast<uint8_t>(0x80 | (bytes[8] & 0x3F));
  std::string hex = absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

absl::StatusOr<absl::Time> TimeOfRequestId(absl::string_view uuid) {
  bool well_formed = uuid.size() == 36;
  uint64_t millis = 0;
  for (size_t i = 0; well_formed && i < uuid.size(); ++i) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    char c = uuid[i];
    well_formed = dash ? c == '-' : absl::ascii_isxdigit(static_cast<unsigned char>(c));
    if (well_formed && !dash && i < 13) {
      char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
      millis = millis << 4 | static_cast<uint64_t>(lower <= '9' ? lower - '0' : lower - 'a' + 10);
    }
  }
  if (!well_formed || uuid[14] != '7') {
    return absl::InvalidArgumentError("request_id must be a UUIDv7");
  }
  return absl::FromUnixMillis(static_cast<int64_t>(millis));
}

absl::StatusOr<std::string> ReadBootId() {
  constexpr char kPath[] = "/proc/sys/kernel/random/boot_id";
  int fd = open(kPath, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", kPath));
  char text[36];
  ssize_t size = read(fd, text, sizeof(text));
  int error_number = errno;
  close(fd);
  if (size < 0) return ErrnoStatus(error_number, absl::StrCat("read ", kPath));
  if (size != sizeof(text)) return absl::InternalError(absl::StrCat(kPath, " is too short"));
  return std::string(text, sizeof(text));
}

size_t UniquePrefixLength(absl::string_view id, absl::string_view other) {
  size_t common = 0;
  while (common < id.size() && common < other.size() && id[common] == other[common]) ++common;
  return std::min(id.size(), std::max(kShortIdLength, common + 1));
}

}  // namespace shoal
