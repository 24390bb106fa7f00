#include "shoal/process/child_process.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/boot_time.h"
#include "common/escape.h"
#include "common/status.h"
#include "shoal/duration.h"
#include "shoal/host/host_rep.h"
#include "shoal/host/shared_state.h"
#include "shoal/link/owner.h"
#include "shoal/outcome.h"
#include "shoal/process/empty_tree.h"
#include "shoal/process_info.h"

namespace shoal::internal {
namespace {

// The error of the only result of a bulk call about one process.
template <typename Response>
absl::Status OnlyResult(const absl::StatusOr<Response>& response) {
  if (!response.ok()) return response.status();
  for (const v1::ProcessResult& result : response->results()) {
    if (result.has_error()) {
      return absl::Status(static_cast<absl::StatusCode>(result.error().code()),
                          result.error().message());
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string ChildProcess::DisplayName() const {
  if (std::string name = news_->Get().name(); !name.empty()) return name;
  if (!options_.name.empty()) return options_.name;
  if (!options_.command.empty()) return QuoteForDisplay(options_.command[0]);
  return default_name_.empty() ? DefaultName("Process", number_) : default_name_;
}

std::string ChildProcess::Name() const {
  MutexLock lock(&mu_);
  std::string name = news_->Get().name();
  return name.empty() ? options_.name : name;
}

bool ChildProcess::daemon() const {
  MutexLock lock(&mu_);
  return IsDaemon(options_);
}

v1::Process ChildProcess::Info() const { return news_->Get(); }

v1::Selector ChildProcess::Select() const {
  v1::Selector selector;
  selector.add_terms(Info().id());
  return selector;
}

std::shared_ptr<ProcessOutput> ChildProcess::Output() const {
  MutexLock lock(&mu_);
  return output_;
}

bool ChildProcess::IsOver() const { return HasEnded(Info()); }

absl::Status ChildProcess::CheckNew(absl::string_view wanted) const {
  if (phase_ == Phase::kNew) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(wanted, " ", DisplayName(), ": it was ",
                                                    phase_ == Phase::kClosed ? "closed" : "started",
                                                    " before"));
}

absl::Status ChildProcess::CheckStarted(absl::string_view wanted) const {
  SHOAL_RETURN_IF_ERROR(CheckNotForked());
  MutexLock lock(&mu_);
  if (phase_ == Phase::kStarted) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(wanted, " ", DisplayName(), ": it ",
                   phase_ == Phase::kClosed ? "is closed" : "was not started; call Start() first"));
}

absl::Status ChildProcess::CheckMayStart() const {
  SHOAL_RETURN_IF_ERROR(CheckNew("cannot start"));
  if (!CurrentProcess().daemon()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("cannot start ", DisplayName(), ": ",
                                                    CurrentProcess().name(),
                                                    " is daemonic, and daemonic processes are not "
                                                    "allowed to have children"));
}

absl::Status ChildProcess::set_daemon(bool daemon) {
  MutexLock lock(&mu_);
  SHOAL_RETURN_IF_ERROR(CheckNew("cannot make a daemon of"));
  options_.daemon = daemon;
  return absl::OkStatus();
}

absl::Status ChildProcess::set_name(absl::string_view name) {
  MutexLock lock(&mu_);
  SHOAL_RETURN_IF_ERROR(CheckNew("cannot rename"));
  options_.name = std::string(name);
  return absl::OkStatus();
}

absl::Status ChildProcess::Start(const Work& work, const std::string& name) {
  SHOAL_RETURN_IF_ERROR(CheckNotForked());
  ProcessOptions options;
  {
    MutexLock lock(&mu_);
    default_name_ = name;
    SHOAL_RETURN_IF_ERROR(CheckMayStart());
    SHOAL_RETURN_IF_ERROR(CheckOptions(options_, work));
    phase_ = Phase::kStarting;
    outcome_.reset();
    is_result_taken_ = false;
    options = options_;
  }
  if (options.name.empty()) options.name = name;
  is_function_ = work.is_function();
  absl::StatusOr<v1::Process> process = spawn_.Start(options, work);
  std::shared_ptr<ProcessOutput> output;
  if (process.ok()) {
    output = ProcessOutput::Subscribe(*spawn_.host(), *process, options, is_function_, news_);
  }
  {
    MutexLock lock(&mu_);
    output_ = std::move(output);
    phase_ = process.ok() ? Phase::kStarted : Phase::kNew;  // what was refused may be tried again
    if (process.ok()) news_->Learn(*process);
  }
  if (!process.ok()) return process.status();
  if (!options.detached) Program::Get().Add(shared_from_this());
  return absl::OkStatus();
}

absl::Status ChildProcess::Attach(std::shared_ptr<Host> host, const v1::Process& process,
                                  TakeoverRule takeover, bool acknowledges) {
  SHOAL_RETURN_IF_ERROR(CheckNotForked());
  const std::string& session_id = process.session_id();
  if (!session_id.empty() && takeover == TakeoverRule::kAtOnce) {
    absl::StatusOr<std::unique_ptr<Session>> taken = Session::TakeOver(host, session_id);
    if (!taken.ok() && !absl::IsNotFound(taken.status())) return taken.status();
    if (taken.ok()) session_ = *std::move(taken);
  } else if (!session_id.empty() && takeover == TakeoverRule::kWhenUnrenewed) {
    caretaker_ = std::make_unique<Caretaker>(host, session_id, [](const absl::Status&) {});
  }
  spawn_.Attach(std::move(host));
  std::shared_ptr<ProcessOutput> output = ProcessOutput::Subscribe(
      *spawn_.host(), process, options_, /*is_function=*/false, news_, acknowledges);
  MutexLock lock(&mu_);
  output_ = std::move(output);
  phase_ = Phase::kStarted;
  news_->Learn(process);
  return absl::OkStatus();
}

absl::Status ChildProcess::Detach() {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot detach"));
  v1::UpdateRequest request;
  *request.mutable_selector() = Select();
  request.set_lifetime(v1::LIFETIME_DETACHED);
  const absl::StatusOr<v1::UpdateResponse> response = spawn_.host()->Update(std::move(request));
  if (response.ok()) {
    for (const v1::ProcessResult& result : response->results()) news_->Learn(result.process());
  }
  return OnlyResult(response);
}

// What is heard of it by itself from now on goes to news_.
void ChildProcess::Follow() {
  {
    MutexLock lock(&mu_);
    if (std::exchange(is_followed_, true)) return;
  }
  spawn_.host()->rep()->shared_state->Follow(Info(), news_);
}

// One process is joined fastest by a call of its own, if no stream is there.
bool ChildProcess::IsWorthFollowing(const SharedState::Waiting& waiting) const {
  const std::string session = Info().session_id();
  if (session.empty()) return false;
  return waiting.are_many() || spawn_.host()->rep()->shared_state->IsOpen(session);
}

absl::Status ChildProcess::AwaitEnd(absl::Duration timeout, bool* is_over) {
  *is_over = IsOver() && Info().output_complete();
  if (*is_over) return absl::OkStatus();
  const BootTime deadline = BootTime::Now() + timeout;
  const SharedState::Waiting waiting(spawn_.host()->rep()->shared_state.get());
  if (timeout > absl::ZeroDuration() && IsWorthFollowing(waiting)) {
    Follow();
    *is_over = news_->AwaitEnd(timeout);
    if (*is_over) return absl::OkStatus();
  }
  // Whatever was not heard, the agent has the last word, or the call the reason why it has not.
  v1::WaitRequest request;
  *request.mutable_selector() = Select();
  request.set_until(v1::WaitRequest::UNTIL_OUTPUT_COMPLETE);
  CallOptions options;
  options.timeout = std::max(deadline - BootTime::Now(), absl::ZeroDuration());
  SHOAL_ASSIGN_OR_RETURN(v1::WaitResponse response,
                         spawn_.host()->Wait(std::move(request), options));
  for (const v1::Process& process : response.processes()) news_->Learn(process);
  *is_over = !response.timed_out();
  return absl::OkStatus();
}

// The reader of the output has infinite patience, since a process may run for as long as its host
// is cut off. What has ended has only frames to come that are there: a host that is not reached now
// and then is given up.
absl::StatusOr<bool> ChildProcess::AwaitOutput(ProcessOutput& output, BootTime deadline) {
  CallOptions options;
  options.timeout = patience_ / 2;
  while (!output.AwaitEnd(std::min(deadline, BootTime::Now() + patience_ / 2))) {
    if (BootTime::Now() >= deadline) return false;
    options.timeout = std::min(options.timeout, deadline - BootTime::Now());
    absl::Status reached = spawn_.host()->Get(Info().id(), /*live_usage=*/false, options).status();
    if (!reached.ok() && BootTime::Now() >= deadline) return false;
    SHOAL_RETURN_IF_ERROR(reached);
  }
  return true;
}

absl::StatusOr<bool> ChildProcess::Join(absl::Duration timeout) {
  SHOAL_RETURN_IF_ERROR(CheckNotForked());
  std::shared_ptr<ProcessOutput> output = Output();  // before it may be closed
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot join"));
  BootTime deadline = BootTime::Now() + timeout;
  bool is_over = false;
  SHOAL_RETURN_IF_ERROR(AwaitEnd(timeout, &is_over));
  if (is_over && output != nullptr) {
    SHOAL_ASSIGN_OR_RETURN(is_over, AwaitOutput(*output, deadline));
  }
  if (!is_over) return false;
  Program::Get().Remove(this);
  if (output != nullptr) SHOAL_RETURN_IF_ERROR(output->undelivered());
  if (!is_function_) {
    // Closed meanwhile, it was given up on purpose.
    if (output != nullptr && Output() != nullptr) SHOAL_RETURN_IF_ERROR(output->status());
    return true;
  }
  MutexLock lock(&mu_);
  SHOAL_RETURN_IF_ERROR(Outcome(*output).status());
  return true;
}

// What is known of the end of a function, each time it is asked for.
const absl::StatusOr<std::string>& ChildProcess::Outcome(ProcessOutput& output) {
  if (!outcome_.has_value()) outcome_ = output.TakeResult();
  if (!outcome_.has_value()) {
    outcome_ = absl::FailedPreconditionError(absl::StrCat("no result of ", DisplayName(), ": it ",
                                                          DescribeOutcome(news_->Get()),
                                                          " before there was one"));
    is_without_result_ = true;
  }
  return *outcome_;
}

absl::Status ChildProcess::Wait(absl::Duration timeout) {
  SHOAL_ASSIGN_OR_RETURN(bool is_over, Join(timeout));
  const v1::Process process = Info();
  if (is_over && Succeeded(process)) return absl::OkStatus();
  MutexLock lock(&mu_);
  if (!is_over) return absl::DeadlineExceededError(absl::StrCat(DisplayName(), " has not ended"));
  return absl::InternalError(absl::StrCat(DisplayName(), " ", DescribeOutcome(process)));
}

// That what was ended here has no success is no news.
absl::Status ChildProcess::JoinAtEnd() {
  absl::Status joined = Join(absl::InfiniteDuration()).status();
  {
    MutexLock lock(&mu_);
    if (was_ended_here_) return is_without_result_ ? absl::OkStatus() : joined;
  }
  return joined.ok() ? Wait(absl::InfiniteDuration()) : joined;
}

void ChildProcess::KeepResult(absl::StatusOr<std::string> bytes) {
  MutexLock lock(&mu_);
  outcome_ = std::move(bytes);
}

absl::StatusOr<std::string> ChildProcess::Result() {
  MutexLock lock(&mu_);
  SHOAL_RETURN_IF_ERROR(CheckHasOutcome());
  return *outcome_;
}

absl::StatusOr<std::string> ChildProcess::TakeResult() {
  MutexLock lock(&mu_);
  SHOAL_RETURN_IF_ERROR(CheckHasOutcome());
  if (!outcome_->ok()) return outcome_->status();
  is_result_taken_ = true;
  return std::exchange(**outcome_, {});
}

absl::Status ChildProcess::CheckHasOutcome() {
  if (is_result_taken_) {
    return absl::FailedPreconditionError(
        absl::StrCat("no result of ", DisplayName(), ": it was taken before"));
  }
  if (outcome_.has_value()) return absl::OkStatus();
  if (phase_ != Phase::kStarted) {
    return absl::FailedPreconditionError(
        absl::StrCat("no result of ", DisplayName(), ": it ",
                     phase_ == Phase::kClosed ? "is closed" : "was not started"));
  }
  if (!is_function_) {
    return absl::FailedPreconditionError(
        absl::StrCat("no result of ", DisplayName(), ": it runs a command"));
  }
  if (!HasEnded(news_->Get()) || !output_->AwaitEnd(BootTime())) {
    return absl::FailedPreconditionError(
        absl::StrCat("no result of ", DisplayName(), ": it was not joined"));
  }
  Outcome(*output_);
  return absl::OkStatus();
}

absl::Status ChildProcess::Refresh() {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot ask for"));
  if (IsOver()) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(v1::Process process, spawn_.host()->Get(Info().id()));
  news_->Learn(process);
  return absl::OkStatus();
}

absl::StatusOr<bool> ChildProcess::IsAlive() {
  {
    MutexLock lock(&mu_);
    if (phase_ == Phase::kNew) return false;
  }
  SHOAL_RETURN_IF_ERROR(Refresh());
  return !IsOver();
}

absl::Status ChildProcess::End(bool kill) {
  SHOAL_RETURN_IF_ERROR(CheckStarted(kill ? "cannot kill" : "cannot terminate"));
  if (IsOver()) return absl::OkStatus();
  {
    MutexLock lock(&mu_);
    was_ended_here_ = true;
  }
  v1::TerminateRequest request;
  *request.mutable_selector() = Select();
  if (kill) {
    request.set_signal(SIGKILL);
    *request.mutable_grace() = ToProto(absl::ZeroDuration());
  }
  *request.mutable_timeout() = ToProto(absl::ZeroDuration());
  absl::StatusOr<v1::TerminateResponse> response = spawn_.host()->Terminate(std::move(request));
  if (response.ok()) {
    for (const v1::ProcessResult& result : response->results()) news_->Learn(result.process());
  }
  absl::Status status = OnlyResult(response);
  // Not empty yet: the shim goes on by itself, and the caller did not ask to wait.
  return response.ok() && absl::IsDeadlineExceeded(status) ? absl::OkStatus() : status;
}

absl::Status ChildProcess::Interrupt() {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot interrupt"));
  if (IsOver()) return absl::OkStatus();
  v1::SignalRequest request;
  *request.mutable_selector() = Select();
  request.set_signal(SIGINT);
  absl::Status status = OnlyResult(spawn_.host()->Signal(std::move(request)));
  // It may have ended on its way.
  if (!status.ok() && Refresh().ok() && IsOver()) return absl::OkStatus();
  return status;
}

absl::StatusOr<Input> ChildProcess::OpenInput() const {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot write to"));
  if (options_.input) return Input(spawn_.host(), Info().id());
  MutexLock lock(&mu_);
  return absl::FailedPreconditionError(absl::StrCat(
      "cannot write to ", DisplayName(), ": it was started without ProcessOptions.input"));
}

absl::Status ChildProcess::Close() {
  SHOAL_RETURN_IF_ERROR(CheckNotForked());
  {
    MutexLock lock(&mu_);
    if (phase_ == Phase::kNew) phase_ = Phase::kClosed;
    if (phase_ == Phase::kClosed) return absl::OkStatus();
  }
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot close"));
  Refresh().IgnoreError();  // what is not known to have ended is taken to run
  if (!IsOver()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot close ", Name(), ": it still runs; join it, or terminate it, first"));
  }
  // What is not empty by then has descendants, as the refusal says.
  if (!Info().tree_empty()) AwaitEmptyTree(*spawn_.host(), Info().id(), kSeenEmptyTime);
  v1::DeleteRequest request;
  *request.mutable_selector() = Select();
  absl::Status deleted = OnlyResult(spawn_.host()->Delete(std::move(request)));
  if (!deleted.ok() && !absl::IsNotFound(deleted)) return deleted;
  std::shared_ptr<ProcessOutput> output;  // destroyed without the mutex
  {
    MutexLock lock(&mu_);
    phase_ = Phase::kClosed;
    output = std::move(output_);
  }
  Program::Get().Remove(this);
  return absl::OkStatus();
}

void ChildProcess::Abandon() {
  bool is_started = false;
  std::shared_ptr<ProcessOutput> output;
  {
    MutexLock lock(&mu_);
    is_abandoned_ = true;
    is_started = phase_ == Phase::kStarted;
    output = output_;
  }
  if (output != nullptr) output->Abandon();
  // The program lets go of it when it hears of its end.
  if (is_started && !options_.detached && !news_->HasEndedWithOutput()) Follow();
}

bool ChildProcess::IsDone() const {
  {
    MutexLock lock(&mu_);
    if (!is_abandoned_) return false;
  }
  const std::shared_ptr<ProcessOutput> output = Output();
  return news_->HasEndedWithOutput() && (output == nullptr || output->AwaitEnd(BootTime()));
}

absl::StatusOr<std::string> ChildProcess::ReadOutput(v1::StreamKind stream) {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot read the output of"));
  return ReadAll(*spawn_.host(), Info(), stream);
}

absl::StatusOr<int> ChildProcess::Sentinel() {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot wait for"));
  SHOAL_ASSIGN_OR_RETURN(int sentinel, news_->Sentinel());
  if (!IsOver()) Follow();
  return sentinel;
}

}  // namespace shoal::internal
