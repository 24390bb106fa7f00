// The audit: a bounded queue of lines, and the one thread that writes them in batches.
//
//  1. Write     a line of its own. Where there is no room for it, it is counted by its method, and
//               the count is written with the next line that can be.
//     WriteThen the same, and tells when it stands in the sink, or cannot.
//     Merge     lines that differ in nothing but their time and what they are about become one with
//               a count: the first is written at once, the others at the end of the window.
//  2. Main      takes what is there, gives it to the sink. What cannot be written waits here, and is
//               tried again every second.
//
// Ownership:     owns its sink and its thread. The destructor writes what it can, waits 1 s for it.
// Thread-safety: thread-safe. `on_trouble` and what WriteThen calls run on the thread of the audit,
//                without a lock held; a line for which there is no room is told to its caller at once.
// Blocking:      never blocks, but for Flush().
// Memory:        `queue_bytes` of lines, `max_merged` merged ones.
// Errors:        status(): why lines cannot be written now.
#ifndef SHOAL_AGENT_LOG_AUDIT_LOG_H_
#define SHOAL_AGENT_LOG_AUDIT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/log/audit_entry.h"
#include "agent/log/audit_sink.h"
#include "common/boot_time.h"
#include "common/mutex.h"

namespace shoal::agent {

struct AuditOptions {
  bool required = false;  // logged calls are carried out only once their decision stands there
  size_t queue_bytes = 8 << 20;
  size_t max_merged = 1000;
  absl::Duration window = absl::Seconds(10);
};

class AuditLog {
 public:
  using Written = absl::AnyInvocable<void(absl::Status)>;
  // One sentence for the log, when lines cannot be written, and when they can again (`is_over`).
  using OnTrouble = absl::AnyInvocable<void(const std::string&, bool is_over)>;

  AuditLog(AuditOptions options, std::unique_ptr<AuditSink> sink, OnTrouble on_trouble);
  ~AuditLog();

  bool is_required() const { return options_.required; }
  const std::string& name() const { return sink_->name(); }

  void Write(AuditEntry entry);
  void WriteThen(AuditEntry entry, Written written);
  // `times` calls that are alike.
  void Merge(AuditEntry entry, int64_t times = 1);
  // So many connections over TCP from this address were ended without a caller's asking: a failed
  // handshake, no call in time, a flood, a revoked certificate.
  void ConnectionsEnded(absl::string_view address, absl::string_view reason, int count = 1);

  // UNAVAILABLE: the last write failed, or does not return, or the queue is full.
  absl::Status status() const;
  // Of the sink; empty if there is none.
  std::string trouble() const;

  // True: everything that was there before is written.
  bool Flush(absl::Duration timeout);

 private:
  struct Item {
    std::string line;
    Written written;  // null: the call does not wait for its line
  };
  struct Merged {
    AuditEntry entry;  // the latest
    absl::Time first, last;
    int64_t count = 0;  // since the line that was written last
    BootTime due;
  };

  void WriteLine(AuditEntry entry, Written written);
  void Push(std::string line, Written written) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoomFor(const std::string& line) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PushDue(BootTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PushLost() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PushResumed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Wake();
  absl::Status StatusLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void Main();
  void Await();
  void TakeQueue();
  // Writes what waits; what cannot be written is kept but for the lines of WriteThen.
  void WriteWaiting();
  void Settle(size_t written, const absl::Status& status);
  void Tell(const absl::Status& status);

  const AuditOptions options_;
  const std::unique_ptr<AuditSink> sink_;
  OnTrouble on_trouble_;  // thread of the audit only

  // Thread of the audit only.
  std::deque<Item> waiting_;
  bool said_ = false;  // on_trouble_ was told of it

  mutable Mutex mu_;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;  // of queue_ and waiting_
  absl::flat_hash_map<std::string, Merged> merged_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int64_t> lost_ ABSL_GUARDED_BY(mu_);  // by method, not yet told
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  std::string trouble_ ABSL_GUARDED_BY(mu_);
  BootTime write_began_ ABSL_GUARDED_BY(mu_) = BootTime::InfiniteFuture();
  BootTime next_due_ ABSL_GUARDED_BY(mu_) = BootTime::InfiniteFuture();  // of merged_
  size_t held_ ABSL_GUARDED_BY(mu_) = 0;                                 // lines in waiting_
  bool stop_ ABSL_GUARDED_BY(mu_) = false;

  // Apart from mu_, whose every unlock would wake the thread.
  Mutex wake_mu_;
  bool awake_ ABSL_GUARDED_BY(wake_mu_) = false;

  std::thread thread_;  // last: the members above are there before it runs
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_LOG_AUDIT_LOG_H_
