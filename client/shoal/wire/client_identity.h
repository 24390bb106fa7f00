// The certificate that a Host shows to its agent: the one that its files hold, since it may be renewed
// while the program runs.
//
// Ownership:     shared by its Connection and the look at the files that is under way.
// Thread-safety: thread-safe.
// Blocking:      Renew() on the file system; the rest never blocks.
// Errors:        files that hold nothing of use change nothing: what was shown last is shown on.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_CLIENT_IDENTITY_H_
#define SHOAL_CLIENT_SHOAL_WIRE_CLIENT_IDENTITY_H_

#include <sys/stat.h>

#include <array>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "shoal/credentials.h"

namespace shoal {

class ClientIdentity {
 public:
  explicit ClientIdentity(Credentials credentials);

  // Has files that may be renewed.
  bool is_of_files() const { return !files_.cert_file.empty(); }
  // Reads the files if they were changed. True: they hold another certificate, key or CA, which are
  // complete, belong together and are valid now; current() has them.
  bool Renew();
  Credentials current() const;

  // A sentence that says which file holds the certificate that is shown, until when it was valid, why
  // no other one was taken, and what to do; empty while it is valid.
  std::string Expiry(absl::Time now) const;

 private:
  // What tells that a file was changed.
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    int64_t written_ns = 0;
    int64_t changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::array<Stamp, 3>;
  static Stamp StampOf(const std::string& path);

  const TlsFiles files_;  // constant after construction

  mutable Mutex mu_;
  Credentials current_ ABSL_GUARDED_BY(mu_);
  absl::Time valid_until_ ABSL_GUARDED_BY(mu_);
  std::optional<Stamps> taken_ ABSL_GUARDED_BY(mu_);  // the files as current_ was read from them
  absl::Status refusal_ ABSL_GUARDED_BY(mu_);         // why what the files hold is not taken
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_CLIENT_IDENTITY_H_
