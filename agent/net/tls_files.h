// Certificate, key and CA of the agent: checked, then copied to where gRPC watches them.
//
// gRPC reads what is in the files, of use or not: with a key that does not fit it refuses every
// handshake. So it watches copies that were checked first, in one directory that a rename of a
// symbolic link replaces as a whole: DIRECTORY/tls → tls.N.
//
// Ownership:     owns the copies, which go with it.
// Thread-safety: one thread at a time.
// Blocking:      on the file system.
// Errors:        as ReadTlsIdentity(); what was there before goes on being used.
#ifndef SHOAL_AGENT_NET_TLS_FILES_H_
#define SHOAL_AGENT_NET_TLS_FILES_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tls_identity.h"

namespace shoal::agent {

class TlsFiles {
 public:
  // `directory` is private to the agent, and in memory, since a key lies there.
  static absl::StatusOr<std::unique_ptr<TlsFiles>> Open(TlsPaths sources, std::string directory);
  ~TlsFiles();

  // Reads the sources again.
  absl::Status Reload();

  // The copies, always by these names.
  TlsPaths copies() const;
  const std::string& ca() const { return ca_; }  // PEM

 private:
  TlsFiles(TlsPaths sources, std::string directory)
      : sources_(std::move(sources)), directory_(std::move(directory)) {}

  absl::Status Publish(const TlsIdentity& identity);
  std::string VersionName(int version) const;

  const TlsPaths sources_;
  const std::string directory_;
  int version_ = 0;
  std::string ca_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_NET_TLS_FILES_H_
