// What a started process writes, as this program takes it: to a callback, to our own stdout and
// stderr, and its result.
//
// Ownership:     shared by the ChildProcess, as long as the process may be joined, and those who
//                join it.
// Thread-safety: thread-safe.
// Blocking:      the constructor and the getters never block; the destructor and Mute() wait for a
//                callback that is under way.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_OUTPUT_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_OUTPUT_H_

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "shoal/host.h"
#include "shoal/output_forwarder.h"
#include "shoal/process_options.h"

namespace shoal::internal {

// Everything written to `stream` until now, as Process::ReadOutput() says. Blocking: until it is
// read, or the host was not reached for 30 s.
absl::StatusOr<std::string> ReadAll(Host& host, const v1::Process& process, v1::StreamKind stream);

class ProcessOutput {
 public:
  // Null: nobody here wants anything of it.
  static std::unique_ptr<ProcessOutput> Subscribe(Host& host, const v1::Process& process,
                                                  const ProcessOptions& options, bool is_function);
  ~ProcessOutput();

  // No further call of on_output; waits for one that is under way, unless it is the caller.
  void Mute();

  // False: `deadline` passed before everything had come and was passed on.
  bool AwaitEnd(absl::Time deadline) { return over_.WaitForNotificationWithDeadline(deadline); }

  // Why not all of it came; OK: it did, or the agent says what it lacks. REQUIRES: AwaitEnd() was
  // true.
  absl::Status status() const;
  // The result; nothing: it wrote none. REQUIRES: AwaitEnd() was true.
  std::optional<absl::StatusOr<std::string>> Result() const;

 private:
  ProcessOutput(std::string name, decltype(ProcessOptions::on_output) on_output, bool forwards);
  Flow OnFrame(const v1::ReadOutputResponse& frame);
  void Tell(const v1::ReadOutputResponse& frame);
  Flow Forward(const v1::ReadOutputResponse& frame);
  void OnResult(const v1::ReadOutputResponse& frame);
  void OnEnd(const absl::Status& status);

  const std::string name_;
  const decltype(ProcessOptions::on_output) on_output_;
  const std::shared_ptr<OutputForwarder::Source> source_;  // null: nothing is forwarded
  absl::Notification over_;
  mutable absl::Mutex mu_;
  bool is_muted_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<std::thread::id> teller_ ABSL_GUARDED_BY(mu_);  // who is inside on_output
  std::string result_ ABSL_GUARDED_BY(mu_);
  absl::Status broken_ ABSL_GUARDED_BY(mu_);    // how the stream ended
  absl::Status lost_ ABSL_GUARDED_BY(mu_);      // why the result cannot be known
  std::unique_ptr<Subscription> subscription_;  // last: its end uses the others
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_OUTPUT_H_
