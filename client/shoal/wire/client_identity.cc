#include "shoal/wire/client_identity.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/certificate.h"

namespace shoal {
namespace {

int64_t NanosOf(const timespec& time) { return absl::ToUnixNanos(absl::TimeFromTimespec(time)); }

// Of the certificate or one of its chain, whichever ends first.
absl::Time EndOf(const Credentials& credentials) {
  absl::Time end = absl::InfiniteFuture();
  for (const Certificate& one : ParseCertificates(credentials.cert_pem())) {
    end = std::min(end, ValidUntil(*one));
  }
  return end;
}

bool IsSame(const Credentials& a, const Credentials& b) {
  return a.cert_pem() == b.cert_pem() && a.key_pem() == b.key_pem() && a.ca_pem() == b.ca_pem();
}

}  // namespace

ClientIdentity::ClientIdentity(Credentials credentials)
    : files_(credentials.files()),
      current_(std::move(credentials)),
      valid_until_(EndOf(current_)) {}

ClientIdentity::Stamp ClientIdentity::StampOf(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return {};
  return {.device = file.st_dev,
          .inode = file.st_ino,
          .size = file.st_size,
          .written_ns = NanosOf(file.st_mtim),
          .changed_ns = NanosOf(file.st_ctim)};
}

bool ClientIdentity::Renew() {
  if (!is_of_files()) return false;
  // Taken before the files are read: what is written meanwhile is seen by the next look.
  const Stamps stamps = {StampOf(files_.cert_file), StampOf(files_.key_file),
                         StampOf(files_.ca_file)};
  {
    MutexLock lock(&mu_);
    if (taken_ == stamps) return false;
  }
  absl::StatusOr<Credentials> read = Credentials::Load(files_);
  MutexLock lock(&mu_);
  refusal_ = read.status();
  // Looked at again: the other half of what is being written may come within the same tick.
  if (!read.ok()) return false;
  taken_ = stamps;
  if (IsSame(*read, current_)) return false;
  current_ = *std::move(read);
  valid_until_ = EndOf(current_);
  return true;
}

Credentials ClientIdentity::current() const {
  MutexLock lock(&mu_);
  return current_;
}

std::string ClientIdentity::Expiry(absl::Time now) const {
  MutexLock lock(&mu_);
  if (now <= valid_until_) return "";
  const std::string until =
      absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", valid_until_, absl::UTCTimeZone());
  std::string text = absl::StrCat("the certificate of this program, ", files_.cert_file,
                                  ", has expired: it was valid until ", until);
  // The file may still hold the expired one, which says no more than this.
  const bool is_other =
      !refusal_.ok() && !absl::StrContains(refusal_.message(), absl::StrCat("until ", until));
  if (is_other) {
    absl::StrAppend(&text, "; what the files hold now is not taken: ", refusal_.message());
  }
  return absl::StrCat(
      text, "; put a renewed certificate and its key there, which the next attempt reads");
}

}  // namespace shoal
