// Certificate, key and CA of the TLS port: read, and checked to belong together before gRPC has
// them.
//
// Thread-safety: thread-safe.
// Blocking:      on the file system.
// Errors:        name the file, and for a mismatch both.
#ifndef SHOAL_AGENT_RPC_TLS_FILES_H_
#define SHOAL_AGENT_RPC_TLS_FILES_H_

#include <string>

#include "absl/status/statusor.h"

namespace shoal::agent {

struct TlsPaths {
  std::string certificate;
  std::string key;
  std::string ca;
};

struct TlsFiles {
  std::string certificate;  // PEM
  std::string key;
  std::string ca;
};

absl::StatusOr<TlsFiles> ReadTlsFiles(const TlsPaths& paths);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_TLS_FILES_H_
