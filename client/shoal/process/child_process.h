// A process that this program starts: what a Process is behind its public face.
//
// Ownership:     shared by the Process and, once started and until joined, by the Program.
// Thread-safety: thread-safe.
// Blocking:      and errors: as process.h says.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_CHILD_PROCESS_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_CHILD_PROCESS_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "common/mutex.h"
#include "shoal/attach_options.h"
#include "shoal/input.h"
#include "shoal/process/caretaker.h"
#include "shoal/process/child_spawn.h"
#include "shoal/process/child_spec.h"
#include "shoal/process/process_news.h"
#include "shoal/process/process_output.h"
#include "shoal/process/program.h"
#include "shoal/process_options.h"
#include "shoal/session.h"

namespace shoal::internal {

class ChildProcess : public Child, public std::enable_shared_from_this<ChildProcess> {
 public:
  // `number` is for its default name. `patience`: how long Join() puts up with a host that is not
  // reached once the process has ended.
  ChildProcess(ProcessOptions options, int number, absl::Duration patience = absl::Minutes(1))
      : number_(number), patience_(patience), options_(std::move(options)) {}

  // `name`: what it is called if the options do not say.
  absl::Status Start(const Work& work, const std::string& name);
  // Instead of Start(): it was started by another program.
  absl::Status Attach(std::shared_ptr<Host> host, const v1::Process& process, TakeoverRule takeover,
                      bool acknowledges);
  absl::Status Detach();
  absl::StatusOr<bool> Join(absl::Duration timeout);
  absl::Status Wait(absl::Duration timeout);
  absl::StatusOr<std::string> Result();
  // The same, without a copy of it. FAILED_PRECONDITION from then on.
  absl::StatusOr<std::string> TakeResult();
  absl::Status End(bool kill);
  absl::Status Interrupt();
  absl::StatusOr<bool> IsAlive();
  absl::Status Close();
  // The caller's Process is destroyed: the last call of on_output is over, and no caller asks for the result.
  void Abandon();
  absl::StatusOr<std::string> ReadOutput(v1::StreamKind stream);
  absl::StatusOr<Input> OpenInput() const;
  absl::StatusOr<int> Sentinel();
  absl::Status set_daemon(bool daemon);
  absl::Status set_name(absl::string_view name);
  // Empty: not given, and not known yet.
  std::string Name() const;
  bool daemon() const;
  bool detached() const { return options_.detached; }
  int number() const { return number_; }
  // The result of a Run() in this process.
  void KeepResult(absl::StatusOr<std::string> bytes);

  bool IsJoinedAtEnd() const override { return !daemon() && !options_.detached; }
  absl::Status EndAtEnd() override { return End(/*kill=*/false); }
  absl::Status JoinAtEnd() override;
  bool IsDone() const override;
  absl::Status Refresh() override;
  v1::Process Info() const override;

 private:
  enum class Phase { kNew, kStarting, kStarted, kClosed };

  absl::Status CheckMayStart() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Follow();
  bool IsWorthFollowing(const SharedState::Waiting& waiting) const;
  absl::Status AwaitEnd(absl::Duration timeout, bool* is_over);
  absl::StatusOr<bool> AwaitOutput(ProcessOutput& output, BootTime deadline);
  const absl::StatusOr<std::string>& Outcome(ProcessOutput& output)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // OK: the outcome is known.
  absl::Status CheckHasOutcome() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckStarted(absl::string_view wanted) const;
  absl::Status CheckNew(absl::string_view wanted) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<ProcessOutput> Output() const;
  std::string DisplayName() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  v1::Selector Select() const;
  bool IsOver() const;

  const int number_;
  const absl::Duration patience_;
  const std::shared_ptr<ProcessNews> news_ = std::make_shared<ProcessNews>();
  mutable Mutex mu_;
  Phase phase_ ABSL_GUARDED_BY(mu_) = Phase::kNew;
  std::string default_name_ ABSL_GUARDED_BY(mu_);  // once Start() was called
  // What came back of a function, or was given to KeepResult(); nothing: not known yet.
  std::optional<absl::StatusOr<std::string>> outcome_ ABSL_GUARDED_BY(mu_);
  bool is_without_result_ ABSL_GUARDED_BY(mu_) = false;  // and so its outcome is an error of ours
  bool is_result_taken_ ABSL_GUARDED_BY(mu_) = false;    // the outcome is OK, and empty now
  bool was_ended_here_ ABSL_GUARDED_BY(mu_) = false;     // End() was called while it ran
  bool is_abandoned_ ABSL_GUARDED_BY(mu_) = false;       // no Process is there to ask for it
  bool is_followed_ ABSL_GUARDED_BY(mu_) = false;        // news_ hears of it by itself
  // Shared with each Join() under way, which a Close() may overtake.
  std::shared_ptr<ProcessOutput> output_ ABSL_GUARDED_BY(mu_);

  // Written by the one Start() that is under way, and by the setters before. `detached` is
  // constant.
  ProcessOptions options_;
  bool is_function_ = false;
  ChildSpawn spawn_;
  // Of an attached process, by its TakeoverRule; written by Attach().
  std::unique_ptr<Session> session_;
  std::unique_ptr<Caretaker> caretaker_;
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_CHILD_PROCESS_H_
