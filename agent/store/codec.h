// Entries of the state machine to and from the blobs of shoal.db (stored.proto).
//
// Thread-safety: thread-safe.
// Errors:        DATA_LOSS, naming what in the blob cannot be.
#ifndef SHOAL_AGENT_STORE_CODEC_H_
#define SHOAL_AGENT_STORE_CODEC_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/core/logged_request.h"
#include "agent/core/model.h"
#include "agent/record/checksum.h"

namespace shoal::agent {

// What stands beside a blob, so that a damaged one is found.
inline int64_t StoredChecksumOf(absl::string_view blob) {
  return record::ChecksumOf(blob.data(), blob.size());
}

// Everything but the columns (id, boot_id, owner, request_id, request_index, session_id), the spec
// and ranks.
std::string EncodeProcess(const ProcessEntry& process);
absl::Status DecodeProcess(absl::string_view blob, ProcessEntry* process);

// Everything but the id and expires_boottime, which means nothing to another run of the agent.
std::string EncodeSession(const SessionEntry& session);
absl::Status DecodeSession(absl::string_view blob, SessionEntry* session);

// Everything but the columns (owner, request_id, session_id, log_time).
std::string EncodeRequest(const LoggedRequest& request);
absl::Status DecodeRequest(absl::string_view blob, LoggedRequest* request);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_STORE_CODEC_H_
