// Where an audit goes in tests: kept in memory, and refused or held up when told to.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_AUDIT_SINK_H_
#define SHOAL_TESTS_SUPPORT_FAKE_AUDIT_SINK_H_

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "agent/log/audit_sink.h"
#include "common/mutex.h"

namespace shoal::agent {

class FakeAuditSink final : public AuditSink {
 public:
  const std::string& name() const override { return name_; }

  absl::Status Write(const std::vector<std::string>& lines, size_t* written) override {
    MutexLock lock(&mu_);
    ++writes_;
    mu_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !held_; });
    *written = 0;
    if (!failure_.ok()) return failure_;
    for (const std::string& line : lines) lines_.push_back(line);
    *written = lines.size();
    return absl::OkStatus();
  }

  // From now on each write ends so.
  void Fail(absl::Status failure) {
    MutexLock lock(&mu_);
    failure_ = std::move(failure);
  }
  // Writes do not return until it is let go.
  void Hold(bool held) {
    MutexLock lock(&mu_);
    held_ = held;
  }
  void AwaitWrites(int count) {
    MutexLock lock(&mu_);
    mu_.Await([this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return writes_ >= count; });
  }
  int writes() {
    MutexLock lock(&mu_);
    return writes_;
  }
  std::vector<std::string> lines() {
    MutexLock lock(&mu_);
    return lines_;
  }

 private:
  const std::string name_ = "/test/audit.log";
  Mutex mu_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  bool held_ ABSL_GUARDED_BY(mu_) = false;
  int writes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_FAKE_AUDIT_SINK_H_
