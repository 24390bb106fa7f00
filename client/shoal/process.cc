#include "shoal/process.h"

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/escape.h"
#include "common/status.h"
#include "shoal/duration.h"
#include "shoal/outcome.h"
#include "shoal/output_positions.h"
#include "shoal/program.h"

namespace shoal {
namespace {

constexpr int kSigKill = 9;
constexpr absl::Duration kForever = absl::InfiniteDuration();

v1::ProcessSpec SpecFrom(const ProcessOptions& options) {
  v1::ProcessSpec spec;
  for (const std::string& word : options.command) spec.add_argv(word);
  for (const std::string& entry : options.env) spec.add_env(entry);
  spec.set_cwd(options.cwd);
  spec.set_name(options.name);
  spec.set_lifetime(options.detached ? v1::LIFETIME_DETACHED : v1::LIFETIME_SESSION);
  spec.set_daemon(options.daemon);
  *spec.mutable_grace() = ToProto(options.grace);
  if (options.time_limit != kForever) *spec.mutable_time_limit() = ToProto(options.time_limit);
  spec.mutable_output()->set_merge_stderr(options.merge_stderr);
  for (const auto& [key, value] : options.labels) (*spec.mutable_labels())[key] = value;
  return spec;
}

absl::Status Check(const ProcessOptions& options) {
  if (options.command.empty()) return absl::InvalidArgumentError("command: it is empty");
  if (options.daemon && options.detached) {
    return absl::InvalidArgumentError(
        "daemon and detached: a process either ends with its program or outlives it");
  }
  if (options.host != nullptr && options.slot.host != nullptr &&
      options.host != options.slot.host) {
    return absl::InvalidArgumentError("host and slot: they name different hosts");
  }
  return absl::OkStatus();
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

class Process::Rep : public Child, public std::enable_shared_from_this<Process::Rep> {
 public:
  explicit Rep(ProcessOptions options) : options_(std::move(options)) {}

  absl::Status Start();
  absl::StatusOr<bool> Join(absl::Duration timeout);
  absl::Status Refresh();
  absl::Status End(bool kill);
  absl::Status Close();
  absl::StatusOr<std::string> ReadOutput(v1::StreamKind stream);
  absl::Status set_daemon(bool daemon);
  absl::Status set_name(absl::string_view name);
  std::string Name() const;
  bool daemon() const;

  bool IsJoinedAtEnd() const override { return !daemon() && !options_.detached; }
  absl::Status EndAtEnd() override { return End(/*kill=*/false); }
  absl::Status JoinAtEnd() override { return Join(kForever).status(); }
  v1::Process Info() const override;

 private:
  enum class Phase { kNew, kStarting, kStarted, kClosed };

  absl::StatusOr<v1::Process> Spawn(const ProcessOptions& options);
  void Subscribe();
  absl::Status CheckStarted(absl::string_view wanted) const;
  absl::Status CheckNew(absl::string_view wanted) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string NameLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Learn(const v1::Process& process);
  v1::Selector Select() const;
  bool IsOver() const;

  mutable absl::Mutex mu_;
  Phase phase_ ABSL_GUARDED_BY(mu_) = Phase::kNew;
  v1::Process process_ ABSL_GUARDED_BY(mu_);

  // Written by the one Start() that is under way, and by the setters before.
  ProcessOptions options_;
  std::shared_ptr<Host> host_;
  absl::Notification output_over_;
  std::unique_ptr<Subscription> output_;  // last: its end uses the others
};

std::string Process::Rep::NameLocked() const {
  if (!process_.name().empty()) return process_.name();
  if (!options_.name.empty()) return options_.name;
  return options_.command.empty() ? "process" : QuoteForDisplay(options_.command[0]);
}

std::string Process::Rep::Name() const {
  absl::MutexLock lock(&mu_);
  return process_.name().empty() ? options_.name : process_.name();
}

bool Process::Rep::daemon() const {
  absl::MutexLock lock(&mu_);
  return options_.daemon;
}

v1::Process Process::Rep::Info() const {
  absl::MutexLock lock(&mu_);
  return process_;
}

void Process::Rep::Learn(const v1::Process& process) {
  absl::MutexLock lock(&mu_);
  if (process.revision() >= process_.revision()) process_ = process;
}

v1::Selector Process::Rep::Select() const {
  v1::Selector selector;
  selector.add_terms(Info().id());
  return selector;
}

bool Process::Rep::IsOver() const { return HasEnded(Info()); }

absl::Status Process::Rep::CheckNew(absl::string_view wanted) const {
  if (phase_ == Phase::kNew) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(wanted, " ", NameLocked(), ": it was ",
                                                    phase_ == Phase::kClosed ? "closed" : "started",
                                                    " before"));
}

absl::Status Process::Rep::CheckStarted(absl::string_view wanted) const {
  absl::MutexLock lock(&mu_);
  if (phase_ == Phase::kStarted) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(wanted, " ", NameLocked(), ": it ",
                   phase_ == Phase::kClosed ? "is closed" : "was not started; call Start() first"));
}

absl::Status Process::Rep::set_daemon(bool daemon) {
  absl::MutexLock lock(&mu_);
  SHOAL_RETURN_IF_ERROR(CheckNew("cannot make a daemon of"));
  options_.daemon = daemon;
  return absl::OkStatus();
}

absl::Status Process::Rep::set_name(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  SHOAL_RETURN_IF_ERROR(CheckNew("cannot rename"));
  options_.name = std::string(name);
  return absl::OkStatus();
}

absl::Status Process::Rep::Start() {
  ProcessOptions options;
  {
    absl::MutexLock lock(&mu_);
    SHOAL_RETURN_IF_ERROR(CheckNew("cannot start"));
    SHOAL_RETURN_IF_ERROR(Check(options_));
    phase_ = Phase::kStarting;
    options = options_;
  }
  absl::StatusOr<v1::Process> process = Spawn(options);
  {
    absl::MutexLock lock(&mu_);
    phase_ = process.ok() ? Phase::kStarted : Phase::kNew;  // what was refused may be tried again
    if (process.ok()) process_ = *process;
  }
  if (!process.ok()) return process.status();
  if (options.on_output) Subscribe();
  if (!options.detached) Program::Get().Add(shared_from_this());
  return absl::OkStatus();
}

absl::StatusOr<v1::Process> Process::Rep::Spawn(const ProcessOptions& options) {
  host_ = options.host != nullptr ? options.host : options.slot.host;
  if (host_ == nullptr) {
    SHOAL_ASSIGN_OR_RETURN(host_, Program::Get().LocalHost());
  }
  v1::SpawnRequest request;
  *request.mutable_spec() = SpecFrom(options);
  if (!options.detached) {
    SHOAL_ASSIGN_OR_RETURN(*request.mutable_session_id(), Program::Get().SessionOn(host_));
  }
  SHOAL_ASSIGN_OR_RETURN(v1::SpawnResponse response, host_->Spawn(std::move(request)));
  return std::move(*response.mutable_process());
}

void Process::Rep::Subscribe() {
  v1::ReadOutputRequest request;
  *request.mutable_selector() = Select();
  request.set_follow(true);
  OutputObserver observer;
  // `output_` is destroyed, and with that waits for these, before anything that they use.
  observer.on_frame = [this](const v1::ReadOutputResponse& frame) {
    if (frame.has_data()) options_.on_output(frame.stream(), frame.offset(), frame.data());
    return Flow::kGoOn;
  };
  observer.on_end = [this](const absl::Status&) { output_over_.Notify(); };
  ReadOutputOptions options;
  if (!options_.detached) options.acknowledge_bytes = kAcknowledgeBytes;
  output_ = host_->ReadOutput(std::move(request), std::move(observer), options);
}

absl::StatusOr<bool> Process::Rep::Join(absl::Duration timeout) {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot join"));
  absl::Time deadline = absl::Now() + timeout;
  if (!IsOver() || !Info().output_complete()) {
    v1::WaitRequest request;
    *request.mutable_selector() = Select();
    request.set_until(v1::WaitRequest::UNTIL_OUTPUT_COMPLETE);
    CallOptions options;
    options.timeout = std::max(timeout, absl::ZeroDuration());
    SHOAL_ASSIGN_OR_RETURN(v1::WaitResponse response, host_->Wait(std::move(request), options));
    for (const v1::Process& process : response.processes()) Learn(process);
    if (response.timed_out()) return false;
  }
  if (output_ != nullptr && !output_over_.WaitForNotificationWithDeadline(deadline)) return false;
  Program::Get().Remove(this);
  return true;
}

absl::Status Process::Rep::Refresh() {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot ask for"));
  if (IsOver()) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(v1::Process process, host_->Get(Info().id()));
  Learn(process);
  return absl::OkStatus();
}

absl::Status Process::Rep::End(bool kill) {
  SHOAL_RETURN_IF_ERROR(CheckStarted(kill ? "cannot kill" : "cannot terminate"));
  if (IsOver()) return absl::OkStatus();
  v1::TerminateRequest request;
  *request.mutable_selector() = Select();
  if (kill) {
    request.set_signal(kSigKill);
    *request.mutable_grace() = ToProto(absl::ZeroDuration());
  }
  *request.mutable_timeout() = ToProto(absl::ZeroDuration());
  absl::StatusOr<v1::TerminateResponse> response = host_->Terminate(std::move(request));
  if (response.ok()) {
    for (const v1::ProcessResult& result : response->results()) Learn(result.process());
  }
  absl::Status status = OnlyResult(response);
  // Not empty yet: the shim goes on by itself, and nobody asked to wait.
  return response.ok() && absl::IsDeadlineExceeded(status) ? absl::OkStatus() : status;
}

absl::Status Process::Rep::Close() {
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
  output_ = nullptr;
  {
    absl::MutexLock lock(&mu_);
    phase_ = Phase::kClosed;
  }
  Program::Get().Remove(this);
  return absl::OkStatus();
}

absl::StatusOr<std::string> Process::Rep::ReadOutput(v1::StreamKind stream) {
  SHOAL_RETURN_IF_ERROR(CheckStarted("cannot read the output of"));
  v1::ReadOutputRequest request;
  *request.mutable_selector() = Select();
  request.add_streams(stream);
  std::string text;
  absl::Status lost;
  absl::Status end;
  absl::Notification over;
  OutputObserver observer;
  observer.on_frame = [&](const v1::ReadOutputResponse& frame) {
    if (frame.has_data()) text.append(frame.data());
    if (frame.has_gap()) {
      lost.Update(absl::DataLossError(absl::StrCat("output of ", Name(), ": the bytes from ",
                                                   frame.gap().from(), " to ", frame.gap().to(),
                                                   " are no longer kept")));
    }
    return Flow::kGoOn;
  };
  observer.on_end = [&](const absl::Status& status) {
    end = status;
    over.Notify();
  };
  ReadOutputOptions options;
  options.patience = absl::Seconds(30);
  std::unique_ptr<Subscription> reader =
      host_->ReadOutput(std::move(request), std::move(observer), options);
  over.WaitForNotification();
  SHOAL_RETURN_IF_ERROR(end);
  SHOAL_RETURN_IF_ERROR(lost);
  return text;
}

Process::Process(ProcessOptions options) : rep_(std::make_shared<Rep>(std::move(options))) {}
Process::~Process() = default;

absl::Status Process::Start() { return rep_->Start(); }
absl::StatusOr<bool> Process::Join(absl::Duration timeout) { return rep_->Join(timeout); }

bool Process::IsAlive() { return rep_->Refresh().ok() && !HasEnded(rep_->Info()); }

std::optional<int> Process::ExitCode() {
  rep_->Refresh().IgnoreError();  // nothing, if it cannot be known
  return PythonExitCode(rep_->Info());
}

int Process::Pid() const { return rep_->Info().pid(); }
std::string Process::Id() const { return rep_->Info().id(); }
std::string Process::name() const { return rep_->Name(); }
bool Process::daemon() const { return rep_->daemon(); }
absl::Status Process::set_daemon(bool daemon) { return rep_->set_daemon(daemon); }
absl::Status Process::set_name(absl::string_view name) { return rep_->set_name(name); }
absl::Status Process::Terminate() { return rep_->End(/*kill=*/false); }
absl::Status Process::Kill() { return rep_->End(/*kill=*/true); }
absl::Status Process::Close() { return rep_->Close(); }
absl::StatusOr<std::string> Process::ReadOutput(v1::StreamKind stream) {
  return rep_->ReadOutput(stream);
}
v1::Process Process::info() const { return rep_->Info(); }

absl::Status EndProgram() { return Program::Get().End(); }

std::vector<v1::Process> ActiveChildren() {
  std::vector<v1::Process> active;
  for (const std::shared_ptr<Child>& child : Program::Get().Children()) {
    v1::Process process = child->Info();
    if (!HasEnded(process)) active.push_back(std::move(process));
  }
  return active;
}

}  // namespace shoal
