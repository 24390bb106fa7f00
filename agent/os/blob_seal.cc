#include "agent/os/blob_seal.h"

#include <cstdint>

#include "agent/record/checksum.h"

namespace shoal::agent {
namespace {

// Whole seconds of 2001 to 2004.
constexpr time_t kSealBegin = 1'000'000'000;
constexpr uint32_t kSealSpan = 100'000'000;

}  // namespace

BlobSeal::BlobSeal(const std::string& boot_id)
    : time_{.tv_sec =
                kSealBegin +
                static_cast<time_t>(record::ChecksumOf(boot_id.data(), boot_id.size()) % kSealSpan),
            .tv_nsec = 0} {}

bool BlobSeal::IsSome(const struct stat& facts) {
  return facts.st_mtim.tv_nsec == 0 && facts.st_mtim.tv_sec >= kSealBegin &&
         facts.st_mtim.tv_sec < kSealBegin + kSealSpan;
}

bool BlobSeal::IsOn(const struct stat& facts) const {
  return S_ISREG(facts.st_mode) && facts.st_mtim.tv_sec == time_.tv_sec &&
         facts.st_mtim.tv_nsec == time_.tv_nsec;
}

void BlobSeal::Put(int fd, absl::Time last_use) const {
  const timespec times[2] = {absl::ToTimespec(last_use), time_};
  futimens(fd, times);
}

}  // namespace shoal::agent
