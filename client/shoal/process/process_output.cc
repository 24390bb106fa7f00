#include "shoal/process/process_output.h"

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "shoal/child/function_call.h"
#include "shoal/host/host_rep.h"
#include "shoal/host/output_positions.h"
#include "shoal/host/shared_output.h"

namespace shoal::internal {

absl::StatusOr<std::string> ReadAll(Host& host, const v1::Process& process, v1::StreamKind stream) {
  v1::ReadOutputRequest request;
  request.mutable_selector()->add_terms(process.id());
  request.add_streams(stream);
  std::string text;
  absl::Status lost;
  absl::Status end;
  Notification over;
  OutputObserver observer;
  observer.on_frame = [&](const v1::ReadOutputResponse& frame) {
    if (frame.has_data()) text.append(frame.data());
    if (frame.has_gap()) {
      lost.Update(absl::DataLossError(absl::StrCat("output of ", process.name(),
                                                   ": the bytes from ", frame.gap().from(), " to ",
                                                   frame.gap().to(), " are no longer kept")));
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
      host.ReadOutput(std::move(request), std::move(observer), options);
  over.WaitForNotification();
  SHOAL_RETURN_IF_ERROR(end);
  SHOAL_RETURN_IF_ERROR(lost);
  return text;
}

ProcessOutput::ProcessOutput(std::string name, decltype(ProcessOptions::on_output) on_output,
                             bool forwards, std::shared_ptr<ProcessNews> news)
    : name_(std::move(name)),
      news_(std::move(news)),
      on_output_(std::move(on_output)),
      source_(forwards ? std::make_shared<OutputForwarder::Source>() : nullptr) {}

std::unique_ptr<ProcessOutput> ProcessOutput::Subscribe(Host& host, const v1::Process& process,
                                                        const ProcessOptions& options,
                                                        bool is_function,
                                                        std::shared_ptr<ProcessNews> news,
                                                        bool acknowledges) {
  bool is_told = options.on_output != nullptr;
  bool forwards = !is_told && options.forward_output.value_or(is_function);
  if (!is_told && !forwards && !is_function) return nullptr;

  std::unique_ptr<ProcessOutput> output(
      new ProcessOutput(process.name(), options.on_output, forwards, std::move(news)));
  output->news_->SetOutputPending(true);
  OutputObserver observer;
  // The subscription is destroyed, and with that waits for these, before what they use.
  observer.on_frame = [self = output.get()](const v1::ReadOutputResponse& frame) {
    return self->OnFrame(frame);
  };
  observer.on_connection = [self = output.get()](const absl::Status& status) {
    self->OnConnection(status);
  };
  observer.on_end = [self = output.get()](const absl::Status& status) { self->OnEnd(status); };
  if (options.detached) {
    v1::ReadOutputRequest request;
    request.mutable_selector()->add_terms(process.id());
    request.set_follow(true);
    if (is_told || forwards) {
      request.add_streams(v1::STREAM_KIND_STDOUT);
      request.add_streams(v1::STREAM_KIND_STDERR);
    }
    if (is_function) request.add_streams(v1::STREAM_KIND_RESULT);
    ReadOutputOptions how;
    if (acknowledges) how.acknowledge_bytes = AcknowledgeBytesFor(process.spec().output());
    output->subscription_ = host.ReadOutput(std::move(request), std::move(observer), how);
  } else {
    // What is not wanted of a function is read all the same, and thrown away: else it would wait at
    // the cap of its output for a reader that never comes.
    SharedOutput& shared = forwards ? *host.rep()->forwarded_output : *host.rep()->told_output;
    output->subscription_ = shared.Read(process, std::move(observer), kAcknowledgeBytes);
  }
  if (forwards) output->source_->Attach(output->subscription_.get());
  return output;
}

ProcessOutput::~ProcessOutput() {
  if (source_ != nullptr) source_->Attach(nullptr);
  subscription_ = nullptr;
  // OnEnd() has been called, but what it asked the forwarder for may be under way.
  over_.WaitForNotification();
}

Flow ProcessOutput::OnFrame(const v1::ReadOutputResponse& frame) {
  if (frame.stream() == v1::STREAM_KIND_RESULT) {
    OnResult(frame);
  } else if (frame.has_data() && on_output_ != nullptr) {
    Tell(frame);
  } else if (source_ != nullptr) {
    return Forward(frame);
  }
  return Flow::kGoOn;
}

void ProcessOutput::Tell(const v1::ReadOutputResponse& frame) {
  {
    MutexLock lock(&mu_);
    if (is_muted_) return;
    teller_ = std::this_thread::get_id();
  }
  absl::Status thrown;
  try {
    on_output_(frame.stream(), frame.offset(), frame.data());
  } catch (const std::exception& exception) {
    thrown = absl::InternalError(absl::StrCat("on_output of ", name_, ": ", exception.what()));
  } catch (...) {
    thrown = absl::InternalError(absl::StrCat("on_output of ", name_, " threw an exception"));
  }
  MutexLock lock(&mu_);
  teller_.reset();
  if (thrown.ok()) return;
  undelivered_ = std::move(thrown);
  is_muted_ = true;
}

// A value that nobody can ask for is memory lost. That there was one, and an error, is told at the
// end of the program.
void ProcessOutput::DropResult() {
  if (!is_abandoned_ || !has_come_) return;
  std::optional<absl::StatusOr<std::string>> result = ParseResult(std::exchange(result_, {}));
  if (!result.has_value()) return;
  // Another string, since one that becomes shorter keeps its memory.
  const absl::Status status = result->status();
  result_ = SerializeResult(status.ok() ? absl::StatusOr<std::string>("") : status);
}

void ProcessOutput::Abandon() {
  MutexLock lock(&mu_);
  is_muted_ = true;
  is_abandoned_ = true;
  DropResult();
  auto is_silent = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !teller_.has_value() || *teller_ == std::this_thread::get_id();
  };
  mu_.Await(is_silent);
}

// What is missing is said where it is missed.
Flow ProcessOutput::Forward(const v1::ReadOutputResponse& frame) {
  OutputForwarder& forwarder = OutputForwarder::Get();
  if (frame.has_data()) return forwarder.Push(source_, frame.stream(), frame.data());
  const char* stream = frame.stream() == v1::STREAM_KIND_STDERR ? "stderr" : "stdout";
  if (frame.has_gap()) {
    forwarder.Note(source_,
                   absl::StrCat("shoal: ", name_, ": ", frame.gap().to() - frame.gap().from(),
                                " bytes of its ", stream, " were dropped"));
  }
  if (frame.end().truncated()) {
    forwarder.Note(source_, absl::StrCat("shoal: ", name_, ": the end of its ", stream,
                                         " was lost with its shim"));
  }
  return Flow::kGoOn;
}

void ProcessOutput::OnResult(const v1::ReadOutputResponse& frame) {
  MutexLock lock(&mu_);
  if (frame.has_data()) result_.append(frame.data());
  if (frame.has_gap()) {
    lost_.Update(
        absl::DataLossError(absl::StrCat("its result: the bytes from ", frame.gap().from(), " to ",
                                         frame.gap().to(), " are no longer kept")));
  }
}

void ProcessOutput::OnConnection(const absl::Status& status) {
  news_->SetOutputPending(status.ok());
}

void ProcessOutput::OnEnd(const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    broken_ = status;
    lost_.Update(status);
    has_come_ = true;
    DropResult();
  }
  if (source_ == nullptr) return OnPassedOn(absl::OkStatus());
  OutputForwarder::Get().End(source_, [this](const absl::Status& written) { OnPassedOn(written); });
}

void ProcessOutput::OnPassedOn(const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    if (!status.ok()) {
      undelivered_.Update(
          absl::Status(status.code(), absl::StrCat("output of ", name_, ": ", status.message())));
    }
  }
  const std::shared_ptr<ProcessNews> news = news_;  // this may be gone once it is over
  over_.Notify();
  news->SetOutputPending(false);
}

absl::Status ProcessOutput::status() const {
  MutexLock lock(&mu_);
  return broken_;
}

absl::Status ProcessOutput::undelivered() const {
  MutexLock lock(&mu_);
  return undelivered_;
}

std::optional<absl::StatusOr<std::string>> ProcessOutput::TakeResult() {
  MutexLock lock(&mu_);
  if (!lost_.ok()) return lost_;
  return ParseResult(std::exchange(result_, {}));
}

}  // namespace shoal::internal
