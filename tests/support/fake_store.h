// A store whose disk is a member: what was committed outlives the supervisor that committed it.
//
// Thread-safety: one thread.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_STORE_H_
#define SHOAL_TESTS_SUPPORT_FAKE_STORE_H_

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/ports/store.h"
#include "tests/support/crash_point.h"

namespace shoal::agent {

class FakeStore : public Store {
 public:
  using Key = std::pair<std::string, std::string>;

  explicit FakeStore(CrashPoint* crash) : crash_(crash) {}

  absl::StatusOr<Content> Load() override;
  void PutProcess(const ProcessEntry& process) override;
  void PutSpec(const ProcessEntry& process) override;
  void DeleteProcess(const std::string& id) override;
  void PutSession(const SessionEntry& session) override;
  void DeleteSession(const std::string& id) override;
  void PutRequest(const LoggedRequest& request) override;
  void DeleteRequest(const std::string& owner, const std::string& request_id) override;
  void PutHorizon(const RequestHorizon& horizon) override;
  void DeleteHorizon(const std::string& owner, const std::string& session_id) override;
  void PutRevision(int64_t high_water_mark) override;
  bool IsDirty() const override { return !open_.empty(); }
  // A crash step before and one after it became durable.
  absl::Status Commit() override;

  // The next commits fail with these.
  void FailNext(absl::Status status) { failures_.push_back(std::move(status)); }
  // The agent is gone, and with it the open transaction and what was to fail.
  void DropTransaction() {
    open_.clear();
    failures_.clear();
  }

  // As an agent without a log left it.
  void DropRequests() { requests_.clear(); }

  const std::map<std::string, ProcessEntry>& processes() const { return processes_; }
  const std::map<std::string, SessionEntry>& sessions() const { return sessions_; }
  const std::map<Key, LoggedRequest>& requests() const { return requests_; }
  const std::map<Key, absl::Time>& horizons() const { return horizons_; }
  int64_t revision() const { return revision_; }
  int commits() const { return commits_; }

 private:
  CrashPoint* const crash_;
  std::vector<std::function<void()>> open_;
  std::deque<absl::Status> failures_;
  int commits_ = 0;

  // Durable.
  std::map<std::string, ProcessEntry> processes_;
  std::map<std::string, SessionEntry> sessions_;
  std::map<Key, LoggedRequest> requests_;  // by owner and request_id
  std::map<Key, absl::Time> horizons_;     // by owner and session_id
  int64_t revision_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_FAKE_STORE_H_
