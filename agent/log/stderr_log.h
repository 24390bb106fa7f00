// The agent's log on stderr, which no thread waits for: a bounded queue, and a thread that writes.
//
// A message that repeats the one before it is counted; "repeated N times" follows when another one
// comes or 10 s have passed. Beyond the bound lines are dropped and counted, and the count is
// written once there is room.
//
// Ownership:     main's, until the program ends; spdlog's default logger shares the sink.
// Thread-safety: thread-safe.
// Blocking:      never blocks, but for Flush().
// Errors:        none: a stderr that is closed or full swallows the log.
#ifndef SHOAL_AGENT_LOG_STDERR_LOG_H_
#define SHOAL_AGENT_LOG_STDERR_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "common/mutex.h"

namespace shoal::agent {

class StderrLog {
 public:
  static constexpr size_t kQueueBytes = 1 << 20;

  explicit StderrLog(int fd, size_t queue_bytes = kQueueBytes)
      : fd_(fd), queue_bytes_(queue_bytes) {}
  // Waits for a write that is under way: main ends by _exit, which does not.
  ~StderrLog();

  // Lines wait until then, or for Flush().
  void StartThread();

  // `line` without its end; `prefix`, such as the time, makes no difference to a repetition.
  void Write(absl::string_view prefix, absl::string_view line);

  // Until everything is written or `timeout` has passed.
  void Flush(absl::Duration timeout);

 private:
  void Push(std::string line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PushRepeats() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Wake();
  void Main();
  // False: stderr takes nothing any more, or `deadline` has passed.
  bool WriteOut(absl::string_view bytes, BootTime deadline);

  const int fd_;
  const size_t queue_bytes_;

  Mutex mu_;
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
  std::string last_ ABSL_GUARDED_BY(mu_);  // the message that repeats are compared with
  std::string last_prefix_ ABSL_GUARDED_BY(mu_);
  int64_t repeats_ ABSL_GUARDED_BY(mu_) = 0;
  BootTime repeats_due_ ABSL_GUARDED_BY(mu_);
  bool is_writing_ ABSL_GUARDED_BY(mu_) = false;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;

  // Apart from mu_, whose every unlock would wake the thread.
  Mutex wake_mu_;
  bool awake_ ABSL_GUARDED_BY(wake_mu_) = false;

  std::optional<std::thread> thread_;
};

// Makes `log` what spdlog writes to, with the messages of `level` and above.
void SetDefaultLogger(std::shared_ptr<StderrLog> log, const std::string& level);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_LOG_STDERR_LOG_H_
