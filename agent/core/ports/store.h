// Durable facts. Puts and deletes join the open transaction; nothing is durable before Commit.
//
// Ownership:     main owns the implementation, which outlives the supervisor.
// Thread-safety: loop thread only.
// Blocking:      Load and Commit on the disk.
// Errors:        as said at Commit.
#ifndef SHOAL_AGENT_CORE_PORTS_STORE_H_
#define SHOAL_AGENT_CORE_PORTS_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/core/logged_request.h"
#include "agent/core/model.h"

namespace shoal::agent {

class Store {
 public:
  struct Content {
    std::vector<ProcessEntry> processes;  // specs parsed; ranks unset
    std::vector<SessionEntry> sessions;   // expires_boottime unset
    std::vector<LoggedRequest> requests;  // unordered; the first of a request counts
    std::vector<RequestHorizon> horizons;
    int64_t revision = 0;      // high-water mark
    std::string agent_id;      // made at the first start
    std::string newest_agent;  // version of the newest agent that has used the store
  };
  virtual ~Store() = default;
  virtual absl::StatusOr<Content> Load() = 0;
  virtual void PutProcess(const ProcessEntry& process) = 0;
  // Its spec anew, for all processes that were put with the same one.
  virtual void PutSpec(const ProcessEntry& process) = 0;
  virtual void DeleteProcess(const std::string& id) = 0;
  virtual void PutSession(const SessionEntry& session) = 0;
  virtual void DeleteSession(const std::string& id) = 0;
  virtual void PutRequest(const LoggedRequest& request) = 0;
  virtual void DeleteRequest(const std::string& owner, const std::string& request_id) = 0;
  virtual void PutHorizon(const RequestHorizon& horizon) = 0;
  virtual void DeleteHorizon(const std::string& owner, const std::string& session_id) = 0;
  virtual void PutRevision(int64_t high_water_mark) = 0;
  virtual bool IsDirty() const = 0;
  // One transaction. On failure everything since the last Commit is dropped; RESOURCE_EXHAUSTED
  // (disk full) or UNAVAILABLE (I/O error, read-only).
  virtual absl::Status Commit() = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_STORE_H_
