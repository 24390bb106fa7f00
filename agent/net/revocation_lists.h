// The certificate revocation lists of a directory: which certificates count no more before they
// expire.
//
// Ownership:     a value.
// Thread-safety: constant once read.
// Blocking:      Read() on the file system.
// Errors:        Read(): the directory cannot be read. trouble(): FAILED_PRECONDITION, with the first file
//                that is of no use (no list, or one that no certificate of the CA has signed); what is
//                in the others counts.
#ifndef SHOAL_AGENT_NET_REVOCATION_LISTS_H_
#define SHOAL_AGENT_NET_REVOCATION_LISTS_H_

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/certificate.h"

struct X509_crl_st;  // X509_CRL of OpenSSL

namespace shoal::agent {

class RevocationLists {
 public:
  RevocationLists() = default;  // nothing is revoked

  // All lists of all files of `directory` but those whose name begins with a dot; PEM, as is `ca`.
  static absl::StatusOr<RevocationLists> Read(const std::string& directory, absl::string_view ca);

  // One of the chain is in a list of its issuer.
  bool IsRevoked(const std::vector<Certificate>& chain) const;

  // One line for each list whose next one is overdue. It counts on.
  const std::vector<std::string>& complaints() const { return complaints_; }
  // A file was of no use.
  const absl::Status& trouble() const { return trouble_; }
  // What `other` revokes is revoked here, too.
  void Add(const RevocationLists& other) {
    revoked_.insert(other.revoked_.begin(), other.revoked_.end());
  }
  // Names, sizes and times of the files: another text, other lists.
  const std::string& state() const { return state_; }
  // The state of `directory` now; empty if it cannot be read.
  static std::string StateOf(const std::string& directory);

 private:
  absl::Status Take(const std::filesystem::directory_entry& file,
                    const std::vector<Certificate>& authorities);
  void Add(X509_crl_st* list, const std::string& path);

  std::set<std::pair<std::string, std::string>> revoked_;  // issuer (DER) and serial
  std::vector<std::string> complaints_;
  absl::Status trouble_;
  std::string state_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_NET_REVOCATION_LISTS_H_
