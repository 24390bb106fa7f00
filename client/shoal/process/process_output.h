// What a started process writes, as this program takes it: to a callback, to our own stdout and
// stderr, and its result.
//
// Ownership:     shared by the ChildProcess, as long as the process may be joined, and the callers
//                that join it.
// Thread-safety: thread-safe.
// Blocking:      the constructor and the getters never block; the destructor and Abandon() wait for
//                a callback that is under way.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_PROCESS_OUTPUT_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_PROCESS_OUTPUT_H_

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "common/mutex.h"
#include "common/notification.h"
#include "shoal/host.h"
#include "shoal/process/output_forwarder.h"
#include "shoal/process/process_news.h"
#include "shoal/process_options.h"

namespace shoal::internal {

// Everything written to `stream` until now, as Process::ReadOutput() says. Blocking: until it is
// read, or the host was not reached for 30 s.
absl::StatusOr<std::string> ReadAll(Host& host, const v1::Process& process, v1::StreamKind stream);

class ProcessOutput {
 public:
  // `acknowledges`: of a detached or attached process, that its host may drop what has come. Null: neither `options` nor a function's result need any of its output. `news` hears whether
  // some is pending.
  static std::unique_ptr<ProcessOutput> Subscribe(Host& host, const v1::Process& process,
                                                  const ProcessOptions& options, bool is_function,
                                                  std::shared_ptr<ProcessNews> news,
                                                  bool acknowledges = false);
  ~ProcessOutput();

  // No further call of on_output; waits for one that is under way, unless it is the caller. Of the
  // result no more is kept than whether there was one, or its error.
  void Abandon();

  // False: `deadline` passed before everything had come and was passed on.
  bool AwaitEnd(BootTime deadline) {
    return over_.WaitForNotificationWithTimeout(deadline - BootTime::Now());
  }

  // Why not all of it came; OK: it did, or the agent says what it lacks. REQUIRES: AwaitEnd() was
  // true.
  absl::Status status() const;
  // What came, and could not be passed on: the exception that ended the calls of on_output, or the
  // error of our stdout. OK: all was. REQUIRES: AwaitEnd() was true.
  absl::Status undelivered() const;
  // The result, for the first one that asks; nothing: it wrote none, or it was taken. REQUIRES:
  // AwaitEnd() was true.
  std::optional<absl::StatusOr<std::string>> TakeResult();

 private:
  ProcessOutput(std::string name, decltype(ProcessOptions::on_output) on_output, bool forwards,
                std::shared_ptr<ProcessNews> news);
  Flow OnFrame(const v1::ReadOutputResponse& frame);
  void Tell(const v1::ReadOutputResponse& frame);
  Flow Forward(const v1::ReadOutputResponse& frame);
  void OnResult(const v1::ReadOutputResponse& frame);
  void OnConnection(const absl::Status& status);
  void OnEnd(const absl::Status& status);
  void OnPassedOn(const absl::Status& status);
  void DropResult() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string name_;
  const std::shared_ptr<ProcessNews> news_;  // of the process, which may outlive this
  const decltype(ProcessOptions::on_output) on_output_;
  const std::shared_ptr<OutputForwarder::Source> source_;  // null: nothing is forwarded
  Notification over_;
  mutable Mutex mu_;
  bool is_muted_ ABSL_GUARDED_BY(mu_) = false;
  bool is_abandoned_ ABSL_GUARDED_BY(mu_) = false;
  bool has_come_ ABSL_GUARDED_BY(mu_) = false;                  // no frame comes any more
  std::optional<std::thread::id> teller_ ABSL_GUARDED_BY(mu_);  // the thread inside on_output
  std::string result_ ABSL_GUARDED_BY(mu_);
  absl::Status undelivered_ ABSL_GUARDED_BY(mu_);
  absl::Status broken_ ABSL_GUARDED_BY(mu_);    // how the stream ended
  absl::Status lost_ ABSL_GUARDED_BY(mu_);      // why the result cannot be known
  std::unique_ptr<Subscription> subscription_;  // last: its end uses the others
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_PROCESS_OUTPUT_H_
