#include "client/cli/attachment.h"

#include <unistd.h>

#include <csignal>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/leaving.h"
#include "client/cli/raw_terminal.h"
#include "client/cli/standard_output.h"
#include "client/cli/stdin_source.h"
#include "client/cli/units.h"
#include "client/cli/waiting_input.h"
#include "client/cli/wording.h"
#include "common/notification.h"
#include "common/status.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

constexpr size_t kQueueBytes = size_t{1} << 20;

}  // namespace

Attachment::Attachment(AttachmentOptions options, DetachKeys keys, Found found,
                       Invocation& invocation, Interrupts& interrupts)
    : options_(std::move(options)),
      found_(std::move(found)),
      is_input_given_(IsInputGiven(STDIN_FILENO)),
      invocation_(invocation),
      interrupts_(interrupts),
      queue_(1, kQueueBytes),
      input_(found_.host, found_.process.id(), std::move(keys), MakeObserver()),
      session_(found_.host, found_.process.session_id()) {}

TypedInputObserver Attachment::MakeObserver() {
  TypedInputObserver observer;
  observer.on_keys = [this] {
    News news;
    news.is_detached = true;
    queue_.Push(std::move(news));
  };
  observer.on_end = [this] {
    News news;
    news.is_input_over = true;
    queue_.Push(std::move(news));
  };
  observer.on_lost = [this](const absl::Status& reason) {
    News news;
    news.input = reason;
    queue_.Push(std::move(news));
  };
  return observer;
}

// One that only watches leaves the session to itself.
absl::Status Attachment::BeginSession() {
  if (options_.read_only) return absl::OkStatus();
  return session_.Begin(options_.takeover, [this](const absl::Status& status) {
    News news;
    news.session = status;
    news.has_session = true;
    queue_.Push(std::move(news));
  });
}

bool Attachment::watches() const {
  return !writes() && !options_.detach_keys.empty() && isatty(STDIN_FILENO) == 1;
}

absl::Status Attachment::Begin() {
  SHOAL_RETURN_IF_ERROR(BeginSession());
  MaybeTellNoInput();
  if (!writes() && !watches()) return absl::OkStatus();
  if (watches()) {
    SHOAL_RETURN_IF_ERROR(terminal_.Take(has_terminal() ? RawTerminal::Mode::kWatching
                                                        : RawTerminal::Mode::kWatchingLines));
    input_.SetOnForeground([this] { terminal_.TakeAgain(); });
    return absl::OkStatus();
  }
  SHOAL_RETURN_IF_ERROR(input_.Hold(options_.steal));
  if (!has_terminal()) return absl::OkStatus();
  SHOAL_RETURN_IF_ERROR(terminal_.Take());
  SHOAL_RETURN_IF_ERROR(ShowBefore());
  input_.SetOnForeground([this] { terminal_.TakeAgain(); });
  terminal_.SetProcess(found_.host, found_.process);
  return absl::OkStatus();
}

// Before the program hears of our size: it paints its screen then, of which the last lines alone were shown.
absl::Status Attachment::ShowBefore() {
  for (const v1::StreamPosition& position : found_.process.output()) {
    if (position.stream() == v1::STREAM_KIND_STDOUT) shown_ = position.end_offset();
  }
  is_before_shown_ = true;
  if (options_.tail == 0) return absl::OkStatus();
  v1::ReadOutputRequest request;
  request.mutable_selector()->add_terms(found_.process.id());
  request.set_tail_lines(options_.tail);
  std::vector<v1::ReadOutputResponse> frames;
  absl::Status end;
  Notification over;
  OutputObserver observer;
  observer.on_frame = [&frames](v1::ReadOutputResponse&& frame) {
    frames.push_back(std::move(frame));
    return Flow::kGoOn;
  };
  observer.on_end = [&end, &over](const absl::Status& status) {
    end = status;
    over.Notify();
  };
  const std::unique_ptr<Subscription> output =
      found_.host->ReadOutput(std::move(request), std::move(observer));
  over.WaitForNotification();
  SHOAL_RETURN_IF_ERROR(end);
  for (const v1::ReadOutputResponse& frame : frames) Show(frame);
  return absl::OkStatus();
}

void Attachment::Subscribe() {
  v1::ReadOutputRequest request;
  request.mutable_selector()->add_terms(found_.process.id());
  request.set_follow(true);
  if (is_before_shown_) {
    v1::OutputPosition* const from = request.add_resume();
    from->set_id(found_.process.id());
    from->set_stream(v1::STREAM_KIND_STDOUT);
    from->set_offset(shown_);
  } else {
    request.set_tail_lines(options_.tail);
  }
  OutputObserver observer;
  observer.on_frame = [this](v1::ReadOutputResponse&& frame) {
    const size_t bytes = frame.ByteSizeLong();
    News news;
    news.frame = std::move(frame);
    return queue_.Push(0, bytes, std::move(news));
  };
  observer.on_connection = [this](const absl::Status& status) {
    News news;
    news.connection = status;
    news.has_connection = true;
    queue_.Push(std::move(news));
  };
  observer.on_end = [this](const absl::Status& status) {
    News news;
    news.is_end = true;
    news.end = status;
    queue_.End(std::move(news));
  };
  output_ = found_.host->ReadOutput(std::move(request), std::move(observer));
}

void Attachment::OnSignal(int number) {
  if (number == SIGWINCH) return terminal_.TellSize();
  if (number == SIGTSTP) {
    terminal_.GiveBack();
    Interrupts::StopHere();
  }
  if (number == SIGTSTP || number == SIGCONT) return input_.LookAgain();
  if (!Interrupts::MeansAnEnd(number)) return;
  if (end_signal_.exchange(number) != 0) DieBySignal(number);
  input_.Stop();
  News news;
  news.is_detached = true;
  queue_.Push(std::move(news));
}

// At once where somebody may type, else when there is something that goes nowhere.
void Attachment::MaybeTellNoInput() {
  if (is_no_input_told_ || options_.read_only || found_.process.has_input()) return;
  if (isatty(STDIN_FILENO) != 1 && !IsInputWaiting()) return;
  is_no_input_told_ = true;
  invocation_.Note(absl::StrCat(
      found_.process.name(),
      " has no input: it was started with its stdin at /dev/null; nothing is passed on",
      watches() ? absl::StrCat(", and ", options_.detach_keys, " leaves it") : "", "."));
}

// Raw mode has no other way out than the keys.
void Attachment::TellLostInput(const absl::Status& reason) {
  std::string way_out;
  if (options_.detach_keys.empty()) {
    terminal_.Leave();
  } else if (RawTerminal::IsTaken()) {
    way_out = absl::StrCat("; ", options_.detach_keys, " leaves it");
  }
  invocation_.TellLoss(absl::StrCat(reason.message(), "; nothing more is passed on", way_out, "."));
}

void Attachment::TellInputOver() {
  const std::string& name = found_.process.name();
  invocation_.Note(options_.eof
                       ? absl::StrCat("stdin has ended, and with it the input of ", name, ".")
                       : absl::StrCat("stdin has ended; the input of ", name,
                                      " stays open, --eof would end it."));
}

bool Attachment::Show(const v1::ReadOutputResponse& frame) {
  const bool is_error = frame.stream() == v1::STREAM_KIND_STDERR;
  if (frame.has_data()) {
    if (!is_error) shown_ = frame.offset() + static_cast<int64_t>(frame.data().size());
    return is_error ? ForwardError(frame.data()) : WriteOutput(frame.data());
  }
  if (frame.has_gap()) {
    invocation_.TellLoss(absl::StrCat("bytes ", frame.gap().from(), " to ", frame.gap().to(),
                                      " of ", is_error ? "stderr" : "stdout", " were dropped."));
  }
  return true;
}

bool Attachment::Take(News& news) {
  if (news.frame.has_value()) return Show(*news.frame);
  if (news.has_connection) {
    invocation_.Note(news.connection.ok()
                         ? "connected again."
                         : absl::StrCat("the connection broke (", BareReason(news.connection),
                                        "); trying again."));
    return true;
  }
  if (news.has_session) {
    invocation_.Note(news.session.ok()
                         ? "the client of its session is gone; this one keeps it alive now."
                         : absl::StrCat(news.session.message(), "."));
    return true;
  }
  if (news.is_end) {
    output_end_ = news.end;
    return false;
  }
  if (news.is_detached) {
    is_detached_ = true;
    return false;
  }
  // What it prints is still shown.
  if (news.is_input_over) TellInputOver();
  if (!news.input.ok()) TellLostInput(news.input);
  return true;
}

int Attachment::Run() {
  if (absl::Status begun = Begin(); !begun.ok()) return invocation_.Fail(begun);
  interrupts_.Deliver([this](int number) { OnSignal(number); });
  Subscribe();
  if (writes()) input_.Begin(options_.eof);
  if (watches()) input_.Watch();
  bool goes_on = true;
  while (goes_on) {
    std::vector<EventQueue<News>::Entry> batch = queue_.Take();
    if (batch.empty()) break;
    for (auto& entry : batch) {
      goes_on = goes_on && Take(entry.item);
      if (queue_.Taken(entry)) output_->Resume();
    }
  }
  return Finish(EndThreads());
}

// Our terminal first, whatever the host does. False: a part of what was typed was not sent.
bool Attachment::EndThreads() {
  interrupts_.Over();
  terminal_.Leave();
  const bool is_all_written = (!writes() && !watches()) || input_.End();
  output_->Cancel();
  output_.reset();
  return is_all_written;
}

int Attachment::Finish(bool is_all_written) {
  MaybeTellNoInput();
  if (is_detached_ || OutputHasNoReader()) {
    std::optional<int64_t> input_at;
    if (is_all_written && writes()) input_at = input_.offset();
    const std::string fate = session_.Leave(found_.process, options_.keep);
    session_.End();
    WriteError(absl::StrCat(TellDetached(found_.process, is_all_written, input_at, shown_), fate));
    if (end_signal_ != 0) EndBySignal(end_signal_);
    return end_signal_ == 0 ? 0 : 128 + end_signal_;
  }
  session_.End();
  if (!output_end_.ok()) return invocation_.Fail(output_end_);
  absl::StatusOr<v1::Process> process = found_.host->Get(found_.process.id());
  if (!process.ok()) return invocation_.Fail(process.status());
  return ShellExitStatus(*process);
}

}  // namespace shoal::cli
