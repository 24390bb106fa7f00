// Moves committed pages from the write-ahead log into the database file, on a thread of its own: a
// checkpoint waits for the disk, and the loop thread must not.
//
// Ownership:     the store creates it and ends it before its own connection closes.
// Thread-safety: thread-safe.
// Blocking:      the destructor waits for a checkpoint that is under way.
#ifndef SHOAL_AGENT_STORE_CHECKPOINTER_H_
#define SHOAL_AGENT_STORE_CHECKPOINTER_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/store/sqlite.h"
#include "common/mutex.h"

namespace shoal::agent {

class Checkpointer {
 public:
  static absl::StatusOr<std::unique_ptr<Checkpointer>> Start(const std::string& path);
  ~Checkpointer();

  // The log has `pages` pages after a commit. Asks for a checkpoint once per kPages new ones.
  void OnCommitted(int pages);

  // An I/O error of an earlier checkpoint. It stays: a disk that has failed to sync may have thrown
  // the pages away, and a second try that succeeds would prove nothing (fsync(2)).
  absl::Status Health() const;

  static constexpr int kPages = 1000;

 private:
  explicit Checkpointer(std::unique_ptr<Database> database);
  void Run();

  // Helper thread only.
  std::unique_ptr<Database> database_;

  // Thread of the commits only.
  int last_pages_ = 0;
  int next_pages_ = kPages;

  mutable Mutex mu_;
  bool wanted_ ABSL_GUARDED_BY(mu_) = false;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status health_ ABSL_GUARDED_BY(mu_);

  std::thread thread_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_STORE_CHECKPOINTER_H_
