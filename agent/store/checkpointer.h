// Moves committed pages from the write-ahead log into the database file, on a thread of its own: a
// checkpoint waits for the disk, and the loop thread is not to.
//
// A PASSIVE checkpoint never waits for a writer, and so never ends the log of one that goes on
// writing. From kTruncatePages on, and once nothing was committed for kRest, a TRUNCATE checkpoint
// follows: commits wait for it, which is short, since most pages are in the file by then. A log of
// kFullPages makes commits wait, too, as long as the disk gets on (kLongestWait at a time).
//
// Ownership:     the store creates it and ends it before its own connection closes.
// Thread-safety: thread-safe.
// Blocking:      AwaitRoom as said above; the destructor waits for a checkpoint that is under way.
#ifndef SHOAL_AGENT_STORE_CHECKPOINTER_H_
#define SHOAL_AGENT_STORE_CHECKPOINTER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/store/sqlite.h"
#include "common/mutex.h"

namespace shoal::agent {

class Checkpointer {
 public:
  // `on_rest` is called on the thread of the checkpoints when the log of a load was truncated at
  // rest: the time to give back what the load has taken. May be empty.
  static absl::StatusOr<std::unique_ptr<Checkpointer>> Start(const std::string& path,
                                                             std::function<void()> on_rest = {});
  ~Checkpointer();

  // Before a transaction begins.
  void AwaitRoom();
  // The log has `pages` pages after a commit. Asks for a checkpoint once per kPages new ones.
  void OnCommitted(int pages);

  // An I/O error of an earlier checkpoint. It stays: a disk that has failed to sync may have thrown
  // the pages away, and a second try that succeeds would prove nothing (fsync(2)).
  absl::Status Health() const;

  // Of 4 KiB each.
  static constexpr int kPages = 1000;
  static constexpr int kRestPages = 250;  // a log that never had more is left at rest as it is
  static constexpr int kTruncatePages = 2000;
  static constexpr int kFullPages = 3000;
  static constexpr absl::Duration kRest = absl::Seconds(1);
  static constexpr absl::Duration kLongestWait = absl::Seconds(1);

 private:
  Checkpointer(std::unique_ptr<Database> database, std::function<void()> on_rest);
  void Run();
  // False: stop.
  bool AwaitWork(bool* is_wanted);
  // The pages of the log.
  int Checkpoint(int mode);
  void Truncate();

  const std::function<void()> on_rest_;

  // Helper thread only.
  std::unique_ptr<Database> database_;
  bool is_watching_ = false;  // for the rest after which the log is truncated
  int64_t seen_commits_ = 0;

  // Thread of the commits only.
  int last_pages_ = 0;
  int next_pages_ = kPages;

  std::atomic<int> pages_{0};  // of the log
  std::atomic<int> peak_{0};  // the same since it was truncated: the file does not shrink by itself
  std::atomic<int64_t> commits_{0};
  std::atomic<bool> is_truncating_{false};  // set with mu_ held
  std::atomic<bool> has_failed_{false};     // the same; health_ is not OK

  mutable Mutex mu_;
  bool is_wanted_ ABSL_GUARDED_BY(mu_) = false;
  bool is_large_ ABSL_GUARDED_BY(mu_) = false;  // to be truncated at rest
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status health_ ABSL_GUARDED_BY(mu_);

  std::thread thread_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_STORE_CHECKPOINTER_H_
