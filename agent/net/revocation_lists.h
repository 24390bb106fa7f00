// The certificate revocation lists of a directory: which certificates count no more before they
// expire.
//
// Ownership:     a value.
// Thread-safety: constant once read.
// Blocking:      Read() on the file system.
// Errors:        Read(): names the file that is of no use. FAILED_PRECONDITION: it holds no list, or
//                none that a certificate of the CA has signed. Others of open(2) and read(2).
#ifndef SHOAL_AGENT_NET_REVOCATION_LISTS_H_
#define SHOAL_AGENT_NET_REVOCATION_LISTS_H_

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/certificate.h"

namespace shoal::agent {

class RevocationLists {
 public:
  RevocationLists() = default;  // nothing is revoked

  // All files of `directory` but those whose name begins with a dot; each is PEM. `ca` is PEM too.
  static absl::StatusOr<RevocationLists> Read(const std::string& directory, absl::string_view ca);

  // One of the chain is in a list of its issuer.
  bool IsRevoked(const std::vector<Certificate>& chain) const;

  // One line for each list whose next one is overdue. It counts on.
  const std::vector<std::string>& overdue() const { return overdue_; }
  // Names, sizes and times of the files: another text, other lists.
  const std::string& state() const { return state_; }
  // The state of `directory` now; empty if it cannot be read.
  static std::string StateOf(const std::string& directory);

 private:
  std::set<std::pair<std::string, std::string>> revoked_;  // issuer (DER) and serial
  std::vector<std::string> overdue_;
  std::string state_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_NET_REVOCATION_LISTS_H_
