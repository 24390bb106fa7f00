#include "shoal/process_output.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "shoal/function_call.h"
#include "shoal/output_positions.h"

namespace shoal::internal {

absl::StatusOr<std::string> ReadAll(Host& host, const v1::Process& process, v1::StreamKind stream) {
  v1::ReadOutputRequest request;
  request.mutable_selector()->add_terms(process.id());
  request.add_streams(stream);
  std::string text;
  absl::Status lost;
  absl::Status end;
  absl::Notification over;
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
                             bool forwards)
    : name_(std::move(name)),
      on_output_(std::move(on_output)),
      source_(forwards ? std::make_shared<OutputForwarder::Source>() : nullptr) {}

std::unique_ptr<ProcessOutput> ProcessOutput::Subscribe(Host& host, const v1::Process& process,
                                                        const ProcessOptions& options,
                                                        bool is_function) {
  bool is_told = options.on_output != nullptr;
  bool forwards = !is_told && options.forward_output.value_or(is_function);
  if (!is_told && !forwards && !is_function) return nullptr;

  std::unique_ptr<ProcessOutput> output(
      new ProcessOutput(process.name(), options.on_output, forwards));
  v1::ReadOutputRequest request;
  request.mutable_selector()->add_terms(process.id());
  request.set_follow(true);
  // What nobody wants of a function is read all the same, and thrown away: else it would wait at
  // the cap of its output for a reader who never comes.
  if (is_told || forwards || !options.detached) {
    request.add_streams(v1::STREAM_KIND_STDOUT);
    request.add_streams(v1::STREAM_KIND_STDERR);
  }
  if (is_function) request.add_streams(v1::STREAM_KIND_RESULT);
  OutputObserver observer;
  // The subscription is destroyed, and with that waits for these, before what they use.
  observer.on_frame = [self = output.get()](const v1::ReadOutputResponse& frame) {
    return self->OnFrame(frame);
  };
  observer.on_end = [self = output.get()](const absl::Status& status) { self->OnEnd(status); };
  ReadOutputOptions read;
  if (!options.detached) read.acknowledge_bytes = kAcknowledgeBytes;
  output->subscription_ = host.ReadOutput(std::move(request), std::move(observer), read);
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
    absl::MutexLock lock(&mu_);
    if (is_muted_) return;
    teller_ = std::this_thread::get_id();
  }
  on_output_(frame.stream(), frame.offset(), frame.data());
  absl::MutexLock lock(&mu_);
  teller_.reset();
}

void ProcessOutput::Mute() {
  absl::MutexLock lock(&mu_);
  is_muted_ = true;
  auto is_silent = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !teller_.has_value() || *teller_ == std::this_thread::get_id();
  };
  mu_.Await(absl::Condition(&is_silent));
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
  absl::MutexLock lock(&mu_);
  if (frame.has_data()) result_.append(frame.data());
  if (frame.has_gap()) {
    lost_.Update(
        absl::DataLossError(absl::StrCat("its result: the bytes from ", frame.gap().from(), " to ",
                                         frame.gap().to(), " are no longer kept")));
  }
}

void ProcessOutput::OnEnd(const absl::Status& status) {
  {
    absl::MutexLock lock(&mu_);
    broken_ = status;
    lost_.Update(status);
  }
  if (source_ == nullptr) return over_.Notify();
  OutputForwarder::Get().End(source_, [this] { over_.Notify(); });
}

absl::Status ProcessOutput::status() const {
  absl::MutexLock lock(&mu_);
  return broken_;
}

std::optional<absl::StatusOr<std::string>> ProcessOutput::Result() const {
  absl::MutexLock lock(&mu_);
  if (!lost_.ok()) return lost_;
  return ParseResult(result_);
}

}  // namespace shoal::internal
