// A process that this program starts: what a Process is behind its public face.
//
// Ownership:     shared by the Process and, once started and until joined, by the Program.
// Thread-safety: thread-safe.
// Blocking:      and errors: as process.h says.
#ifndef SHOAL_CLIENT_SHOAL_CHILD_PROCESS_H_
#define SHOAL_CLIENT_SHOAL_CHILD_PROCESS_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "shoal/child_spec.h"
#include "shoal/process_news.h"
#include "shoal/process_options.h"
#include "shoal/process_output.h"
#include "shoal/program.h"
#include "shoal/sentinel.h"

namespace shoal::internal {

class ChildProcess : public Child, public std::enable_shared_from_this<ChildProcess> {
 public:
  // `number` is for its default name. `patience`: how long Join() puts up with a host that is not
  // reached once the process has ended.
  ChildProcess(ProcessOptions options, int number, absl::Duration patience = absl::Minutes(1))
      : number_(number), patience_(patience), options_(std::move(options)) {}

  // `name`: what it is called if the options do not say.
  absl::Status Start(Work work, const std::string& name);
  absl::StatusOr<bool> Join(absl::Duration timeout);
  absl::StatusOr<std::string> Result() const;
  absl::Status End(bool kill);
  absl::Status Interrupt();
  absl::Status Close();
  // The last call of on_output is over.
  void Mute();
  absl::StatusOr<std::string> ReadOutput(v1::StreamKind stream);
  absl::StatusOr<int> Sentinel();
  absl::Status set_daemon(bool daemon);
  absl::Status set_name(absl::string_view name);
  // Empty: not given, and not known yet.
  std::string Name() const;
  bool daemon() const;
  bool detached() const { return options_.detached; }
  int number() const { return number_; }
  // The result of a Run() in this process.
  void KeepResult(std::string bytes);

  bool IsJoinedAtEnd() const override { return !daemon() && !options_.detached; }
  absl::Status EndAtEnd() override { return End(/*kill=*/false); }
  absl::Status JoinAtEnd() override { return Join(absl::InfiniteDuration()).status(); }
  absl::Status Refresh() override;
  v1::Process Info() const override;

 private:
  enum class Phase { kNew, kStarting, kStarted, kClosed };

  absl::Status CheckMayStart() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<v1::Process> Spawn(const ProcessOptions& options);
  absl::Status AwaitEnd(absl::Duration timeout, bool* is_over);
  absl::StatusOr<bool> AwaitOutput(ProcessOutput& output, absl::Time deadline);
  absl::Status CheckStarted(absl::string_view wanted) const;
  absl::Status CheckNew(absl::string_view wanted) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<ProcessOutput> Output() const;
  std::string DisplayName() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  v1::Selector Select() const;
  bool IsOver() const;

  const int number_;
  const absl::Duration patience_;
  const std::shared_ptr<ProcessNews> news_ = std::make_shared<ProcessNews>();
  mutable absl::Mutex mu_;
  Phase phase_ ABSL_GUARDED_BY(mu_) = Phase::kNew;
  std::string default_name_ ABSL_GUARDED_BY(mu_);  // once Start() was called
  std::optional<std::string> kept_result_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<internal::Sentinel> sentinel_ ABSL_GUARDED_BY(mu_);
  // Shared with each Join() under way, which a Close() may overtake.
  std::shared_ptr<ProcessOutput> output_ ABSL_GUARDED_BY(mu_);

  // Written by the one Start() that is under way, and by the setters before. `detached` is
  // constant.
  ProcessOptions options_;
  Work work_;
  std::shared_ptr<Host> host_;
  std::string request_id_;  // of a spawn that may have been carried out; empty: there is none
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_CHILD_PROCESS_H_
