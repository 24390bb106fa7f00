#include "shoal/child_process.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/status.h"
#include "shoal/child_program.h"
#include "shoal/duration.h"
#include "shoal/outcome.h"
#include "shoal/process_info.h"

namespace shoal::internal {
namespace {

// How long Start() tries to reach a host that is gone.
constexpr absl::Duration kSpawnPatience = absl::Seconds(30);

// Whether a call that ended so may have been carried out, or be yet.
bool MayBeDone(const absl::Status& status) {
  return absl::IsDeadlineExceeded(status) || absl::IsUnavailable(status);
}

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
  absl::MutexLock lock(&mu_);
  std::string name = news_->Get().name();
  return name.empty() ? options_.name : name;
}

bool ChildProcess::daemon() const {
  absl::MutexLock lock(&mu_);
  return IsDaemon(options_);
}

v1::Process ChildProcess::Info() const { return news_->Get(); }

v1::Selector ChildProcess::Select() const {
  v1::Selector selector;
  selector.add_terms(Info().id());
  return selector;
}

std::shared_ptr<ProcessOutput> ChildProcess::Output() const {
  absl::MutexLock lock(&mu_);
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
  absl::MutexLock lock(&mu_);
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
  absl::MutexLock lock(&mu_);
  SHOAL_RETURN_IF_ERROR(CheckNew("cannot make a daemon of"));
  options_.daemon = daemon;
  return absl::OkStatus();
}

absl::Status ChildProcess::set_name(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  SHOAL_RETURN_IF_ERROR(CheckNew("cannot rename"));
  options_.name = std::string(name);
  return absl::OkStatus();
}

absl::Status ChildProcess::Start(Work work, const std::string& name) {
  ProcessOptions options;
  {
    absl::MutexLock lock(&mu_);
    default_name_ = name;
    SHOAL_RETURN_IF_ERROR(CheckMayStart());
    SHOAL_RETURN_IF_ERROR(CheckOptions(options_, work));
    phase_ = Phase::kStarting;
    kept_result_.reset();
    options = options_;
  }
  if (options.name.empty()) options.name = name;
  work_ = std::move(work);
  absl::StatusOr<v1::Process> process = Spawn(options);
  std::shared_ptr<ProcessOutput> output;
  if (process.ok()) {
    output = ProcessOutput::Subscribe(*host_, *process, options, work_.is_function());
  }
  {
    absl::MutexLock lock(&mu_);
    output_ = std::move(output);
    phase_ = process.ok() ? Phase::kStarted : Phase::kNew;  // what was refused may be tried again
    if (process.ok()) news_->Learn(*process);
  }
  if (!process.ok()) return process.status();
  if (!options.detached) Program::Get().Add(shared_from_this());
  return absl::OkStatus();
}

absl::StatusOr<v1::Process> ChildProcess::Spawn(const ProcessOptions& options) {
  host_ = options.host != nullptr ? options.host : options.slot.host;
  if (host_ == nullptr) {
    SHOAL_ASSIGN_OR_RETURN(host_, Program::Get().LocalHost());
  }
  v1::SpawnRequest request;
  *request.mutable_spec() = MakeSpec(options, work_);
  if (work_.is_function()) {
    SHOAL_RETURN_IF_ERROR(AddProgram(*host_, work_, request.mutable_spec()));
  }
  if (!options.detached) {
    SHOAL_ASSIGN_OR_RETURN(*request.mutable_session_id(), Program::Get().SessionOn(host_));
  }
  // The agent answers the same id with the process that it started for it, so that a second Start()
  // finds what the first one may have left behind.
  if (request_id_.empty()) request_id_ = NewRequestId();
  request.set_request_id(request_id_);
  CallOptions call;
  call.timeout = SpawnTimeoutOf(request.spec());
  call.patience = kSpawnPatience;
  absl::StatusOr<v1::SpawnResponse> response = host_->Spawn(std::move(request), call);
  if (!MayBeDone(response.status())) request_id_.clear();
  SHOAL_RETURN_IF_ERROR(response.status());
  return std::move(*response->mutable_process());
}

absl::Status ChildProcess::AwaitEnd(absl::Duration timeout, bool* is_over) {
  *is_over = IsOver() && Info().output_complete();
  if (*is_over) return absl::OkStatus();
  v1::WaitRequest request;
  *request.mutable_selector() = Select();
  request.set_until(v1::WaitRequest::UNTIL_OUTPUT_COMPLETE);
  CallOptions options;
  options.timeout = std::max(timeout, absl::ZeroDuration());
  SHOAL_ASSIGN_OR_RETURN(v1::WaitResponse response, host_->Wait(std::move(request), options));
  for (const v1::Process& process : response.processes()) news_->Learn(process);
  *is_over = !response.timed_out();
  return absl::OkStatus();
}

// The reader of the output has infinite patience, since a process may run for as long as its host
// is cut off. What has ended has only frames to come that are there: a host that is not reached now
// and then is given up.
absl::StatusOr<bool> ChildProcess::AwaitOutput(ProcessOutput& output, absl::Time deadline) {
  CallOptions options;
  options.timeout = patience_ / 2;
  while (!output.AwaitEnd(std::min(deadline, absl::Now() + patience_ / 2))) {
    if (absl::Now() >= deadline) return false;
    options.timeout = std::min(options.timeout, deadline - absl::Now());
    absl::Status reached = host_->Get(Info().id(), /*live_usage=*/false, options).status();
    if (!reached.ok() && absl::Now() >= deadline) return false;
    SHOAL_RETURN_IF_ERROR(reached);
  }
  return true;
}

absl::StatusOr<bool> ChildProcess::Join(absl::Duration timeout) {
  std::shared_ptr<ProcessOutput> output = Output();  // before it may be closed
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot join"));
  absl::Time deadline = absl::Now() + timeout;
  bool is_over = false;
  SHOAL_RETURN_IF_ERROR(AwaitEnd(timeout, &is_over));
  if (is_over && output != nullptr) {
    SHOAL_ASSIGN_OR_RETURN(is_over, AwaitOutput(*output, deadline));
  }
  if (!is_over) return false;
  Program::Get().Remove(this);
  if (!work_.is_function()) {
    // Closed meanwhile, it was given up on purpose.
    if (output != nullptr && Output() != nullptr) SHOAL_RETURN_IF_ERROR(output->status());
    return true;
  }
  if (std::optional<absl::StatusOr<std::string>> result = output->Result(); result.has_value()) {
    SHOAL_RETURN_IF_ERROR(result->status());
    KeepResult(**std::move(result));
  }
  return true;
}

void ChildProcess::KeepResult(std::string bytes) {
  absl::MutexLock lock(&mu_);
  kept_result_ = std::move(bytes);
}

absl::StatusOr<std::string> ChildProcess::Result() const {
  absl::MutexLock lock(&mu_);
  if (kept_result_.has_value()) return *kept_result_;
  if (phase_ != Phase::kStarted) {
    return absl::FailedPreconditionError(
        absl::StrCat("no result of ", DisplayName(), ": it ",
                     phase_ == Phase::kClosed ? "is closed" : "was not started"));
  }
  if (!work_.is_function()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no result of ", DisplayName(), ": it runs a command"));
  }
  const v1::Process process = news_->Get();
  if (!HasEnded(process) || !output_->AwaitEnd(absl::InfinitePast())) {
    return absl::FailedPreconditionError(
        absl::StrCat("no result of ", DisplayName(), ": it was not joined"));
  }
  std::optional<absl::StatusOr<std::string>> result = output_->Result();
  if (result.has_value()) return *std::move(result);
  return absl::FailedPreconditionError(absl::StrCat(
      "no result of ", DisplayName(), ": it ", DescribeOutcome(process), " before there was one"));
}

absl::Status ChildProcess::Refresh() {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot ask for"));
  if (IsOver()) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(v1::Process process, host_->Get(Info().id()));
  news_->Learn(process);
  return absl::OkStatus();
}

absl::Status ChildProcess::End(bool kill) {
  SHOAL_RETURN_IF_ERROR(CheckStarted(kill ? "cannot kill" : "cannot terminate"));
  if (IsOver()) return absl::OkStatus();
  v1::TerminateRequest request;
  *request.mutable_selector() = Select();
  if (kill) {
    request.set_signal(SIGKILL);
    *request.mutable_grace() = ToProto(absl::ZeroDuration());
  }
  *request.mutable_timeout() = ToProto(absl::ZeroDuration());
  absl::StatusOr<v1::TerminateResponse> response = host_->Terminate(std::move(request));
  if (response.ok()) {
    for (const v1::ProcessResult& result : response->results()) news_->Learn(result.process());
  }
  absl::Status status = OnlyResult(response);
  // Not empty yet: the shim goes on by itself, and nobody asked to wait.
  return response.ok() && absl::IsDeadlineExceeded(status) ? absl::OkStatus() : status;
}

absl::Status ChildProcess::Interrupt() {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot interrupt"));
  if (IsOver()) return absl::OkStatus();
  v1::SignalRequest request;
  *request.mutable_selector() = Select();
  request.set_signal(SIGINT);
  absl::Status status = OnlyResult(host_->Signal(std::move(request)));
  // It may have ended on its way.
  if (!status.ok() && Refresh().ok() && IsOver()) return absl::OkStatus();
  return status;
}

absl::Status ChildProcess::Close() {
  {
    absl::MutexLock lock(&mu_);
    if (phase_ == Phase::kNew) phase_ = Phase::kClosed;
    if (phase_ == Phase::kClosed) return absl::OkStatus();
  }
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot close"));
  Refresh().IgnoreError();  // what is not known to have ended is taken to run
  if (!IsOver()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot close ", Name(), ": it still runs; join it, or terminate it, first"));
  }
  v1::DeleteRequest request;
  *request.mutable_selector() = Select();
  absl::Status deleted = OnlyResult(host_->Delete(std::move(request)));
  if (!deleted.ok() && !absl::IsNotFound(deleted)) return deleted;
  std::shared_ptr<ProcessOutput> output;  // destroyed without the mutex
  {
    absl::MutexLock lock(&mu_);
    phase_ = Phase::kClosed;
    output = std::move(output_);
  }
  Program::Get().Remove(this);
  return absl::OkStatus();
}

void ChildProcess::Mute() {
  if (std::shared_ptr<ProcessOutput> output = Output()) output->Mute();
}

absl::StatusOr<std::string> ChildProcess::ReadOutput(v1::StreamKind stream) {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot read the output of"));
  return ReadAll(*host_, Info(), stream);
}

absl::StatusOr<int> ChildProcess::Sentinel() {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot wait for"));
  {
    absl::MutexLock lock(&mu_);
    if (sentinel_ != nullptr) return sentinel_->fd();
  }
  SHOAL_ASSIGN_OR_RETURN(
      std::unique_ptr<internal::Sentinel> sentinel,
      internal::Sentinel::Create(
          *host_, Select(), [news = news_](const v1::Process& process) { news->Learn(process); }));
  absl::MutexLock lock(&mu_);
  if (sentinel_ == nullptr) sentinel_ = std::move(sentinel);  // else another thread was faster
  return sentinel_->fd();
}

}  // namespace shoal::internal
