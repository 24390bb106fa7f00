// `shoal attach`: our terminal at a process that runs: what it prints comes here, what is typed goes there.
//
//   1. the process is found; its terminal gets the size of ours      FindOneProcess, TellSize
//   2. its output is followed, from a little before its end           Subscribe
//   3. a thread reads what is typed, up to the detach keys, another    PassOn
//      one sends it, however long the host is away                     WriteTyped
//   4. it has ended, or goes on without us: our terminal is as before  Run
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/detach_keys.h"
#include "client/cli/interrupts.h"
#include "client/cli/leaving.h"
#include "client/cli/one_process.h"
#include "client/cli/raw_terminal.h"
#include "client/cli/standard_output.h"
#include "client/cli/stdin_source.h"
#include "client/cli/terminal_link.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/notification.h"
#include "common/status.h"
#include "shoal/duration.h"
#include "shoal/host/event_queue.h"
#include "shoal/input.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

constexpr size_t kQueueBytes = size_t{1} << 20;
constexpr size_t kPieceBytes = size_t{64} << 10;
constexpr size_t kMostTyped = size_t{8} << 20;  // read and not yet sent; beyond it nothing is read
constexpr absl::Duration kTimeToWrite = absl::Seconds(1);
constexpr int kLinesBefore = 10;  // of output that are shown at the beginning

struct Arguments {
  SelectorArguments selector;
  std::string detach_keys = "ctrl-p,ctrl-q";
  bool steal = false;
  bool read_only = false;
  int tail = kLinesBefore;
};

struct News {
  std::optional<v1::ReadOutputResponse> frame;
  absl::Status connection;  // with has_connection
  bool has_connection = false;
  bool is_end = false;  // of the output
  absl::Status end;
  bool is_detached = false;  // by the keys, or a signal
  absl::Status input;        // why nothing more is passed on
};

class Attachment {
 public:
  Attachment(const Arguments& arguments, DetachKeys keys, Found found, Invocation& invocation,
             Interrupts& interrupts)
      : arguments_(arguments),
        keys_(std::move(keys)),
        found_(std::move(found)),
        invocation_(invocation),
        interrupts_(interrupts),
        source_(STDIN_FILENO),
        input_(found_.host, found_.process.id()),
        queue_(1, kQueueBytes) {}

  int Run();

 private:
  bool has_terminal() const { return found_.process.has_terminal(); }
  bool writes() const {
    return is_input_given_ && !arguments_.read_only && found_.process.has_input();
  }

  absl::Status Begin();
  void Subscribe();
  void PassOn();
  void Keep(absl::string_view typed) ABSL_LOCKS_EXCLUDED(typed_mu_);
  void EndTyping() ABSL_LOCKS_EXCLUDED(typed_mu_);
  void WriteTyped() ABSL_LOCKS_EXCLUDED(typed_mu_);
  absl::Status Write(absl::string_view typed);
  void KeepHold();
  void OnSignal(int number);
  bool Take(News& news);
  void TellLostInput(const absl::Status& reason);
  bool EndThreads();
  int Finish(bool is_all_written);

  const Arguments& arguments_;
  DetachKeys keys_;
  const Found found_;
  const bool is_input_given_ = IsInputGiven(STDIN_FILENO);
  Invocation& invocation_;
  Interrupts& interrupts_;
  TerminalLink terminal_;
  StdinSource source_;
  Input input_;
  EventQueue<News> queue_;
  std::unique_ptr<Subscription> output_;
  std::thread typing_, writing_, holding_;
  Notification over_;
  Notification written_;  // the thread that writes has ended, and leaves input_ alone
  // The host counts us as the one that writes.
  const std::shared_ptr<std::atomic<bool>> holds_ = std::make_shared<std::atomic<bool>>(true);
  Mutex typed_mu_;
  std::string typed_ ABSL_GUARDED_BY(typed_mu_);            // and not yet sent
  bool is_typing_over_ ABSL_GUARDED_BY(typed_mu_) = false;  // nothing comes behind it
  bool is_input_lost_ ABSL_GUARDED_BY(typed_mu_) = false;   // what is typed goes nowhere
  int64_t shown_ = 0;  // one past the newest byte of its stdout that was shown
  bool is_detached_ = false;
  absl::Status output_end_;
  std::atomic<int> end_signal_ = 0;
};

absl::Status Attachment::Begin() {
  if (!writes()) return absl::OkStatus();
  SHOAL_RETURN_IF_ERROR(input_.Hold(arguments_.steal));
  if (!has_terminal()) return absl::OkStatus();
  SHOAL_RETURN_IF_ERROR(terminal_.Take());
  source_.SetOnForeground([this] { terminal_.TakeAgain(); });
  terminal_.SetProcess(found_.host, found_.process);
  return absl::OkStatus();
}

// On a thread of its own: the input stays ours while nothing is typed. One that another program has taken is not taken
// back.
void Attachment::KeepHold() {
  while (!over_.WaitForNotificationWithTimeout(kInputHold / 3)) {
    v1::WriteInputRequest request;
    request.set_selector(found_.process.id());
    request.set_writer(input_.writer());
    *request.mutable_hold() = ToProto(kInputHold);
    if (!*holds_) return;
    found_.host->WriteInput(std::move(request), {},
                            [holds = holds_](const absl::StatusOr<v1::WriteInputResponse>& answer) {
                              if (absl::IsFailedPrecondition(answer.status())) *holds = false;
                            });
  }
}

void Attachment::Subscribe() {
  v1::ReadOutputRequest request;
  request.mutable_selector()->add_terms(found_.process.id());
  request.set_follow(true);
  request.set_tail_lines(arguments_.tail);
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

// However long the host is away.
absl::Status Attachment::Write(absl::string_view typed) {
  while (true) {
    const int64_t begin = input_.offset();
    const absl::Status written = input_.Write(typed, kTimeToWrite);
    const bool may_come = absl::IsUnavailable(written) || absl::IsDeadlineExceeded(written);
    if (!may_come || over_.HasBeenNotified()) return written;
    typed.remove_prefix(static_cast<size_t>(input_.offset() - begin));
  }
}

void Attachment::Keep(absl::string_view typed) {
  MutexLock lock(&typed_mu_);
  const auto has_room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(typed_mu_) {
    return typed_.size() < kMostTyped || is_typing_over_ || is_input_lost_;
  };
  typed_mu_.Await(has_room);
  if (!is_input_lost_) absl::StrAppend(&typed_, typed);
}

void Attachment::EndTyping() {
  MutexLock lock(&typed_mu_);
  is_typing_over_ = true;
}

// On a thread of its own: from our stdin, so that the keys are seen whatever becomes of the rest.
void Attachment::PassOn() {
  News news;
  while (!news.is_detached) {
    absl::StatusOr<std::string> typed = source_.Read(kPieceBytes);
    if (!typed.ok() || typed->empty()) {
      news.input = typed.status();
      break;
    }
    std::string passed;
    news.is_detached = keys_.Feed(*typed, &passed);
    Keep(passed);
  }
  EndTyping();
  queue_.Push(std::move(news));
}

// On a thread of its own.
void Attachment::WriteTyped() {
  absl::Status written;
  while (written.ok()) {
    std::string piece;
    {
      MutexLock lock(&typed_mu_);
      const auto has_news = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(typed_mu_) {
        return !typed_.empty() || is_typing_over_;
      };
      typed_mu_.Await(has_news);
      piece = std::exchange(typed_, "");
    }
    if (piece.empty()) break;
    written = Write(piece);
  }
  *holds_ = false;
  if (!written.ok() && !over_.HasBeenNotified()) {
    MutexLock lock(&typed_mu_);
    is_input_lost_ = true;
    News news;
    news.input = written;
    queue_.Push(std::move(news));
  }
  if (written.ok()) input_.Release(kTimeToWrite).IgnoreError();  // else it ends by itself
  written_.Notify();
}

void Attachment::OnSignal(int number) {
  if (number == SIGWINCH) return terminal_.TellSize();
  if (number == SIGTSTP) {
    terminal_.GiveBack();
    Interrupts::StopHere();
  }
  if (number == SIGTSTP || number == SIGCONT) return source_.LookAgain();
  if (!Interrupts::MeansAnEnd(number)) return;
  if (end_signal_.exchange(number) != 0) DieBySignal(number);
  source_.Stop();
  News news;
  news.is_detached = true;
  queue_.Push(std::move(news));
}

// Raw mode has no other way out than the keys.
void Attachment::TellLostInput(const absl::Status& reason) {
  std::string way_out;
  if (arguments_.detach_keys.empty()) {
    terminal_.Leave();
  } else if (RawTerminal::IsTaken()) {
    way_out = absl::StrCat("; ", arguments_.detach_keys, " leaves it");
  }
  invocation_.Note(absl::StrCat(reason.message(), "; nothing more is passed on", way_out, "."));
}

// False: nothing more is to be shown.
bool Attachment::Take(News& news) {
  if (news.frame.has_value()) {
    const v1::ReadOutputResponse& frame = *news.frame;
    const bool is_error = frame.stream() == v1::STREAM_KIND_STDERR;
    if (frame.has_data()) {
      if (!is_error) shown_ = frame.offset() + static_cast<int64_t>(frame.data().size());
      return is_error ? ForwardError(frame.data()) : WriteOutput(frame.data());
    }
    if (frame.has_gap()) {
      invocation_.Note(absl::StrCat("bytes ", frame.gap().from(), " to ", frame.gap().to(), " of ",
                                    is_error ? "stderr" : "stdout", " were dropped."));
    }
    return true;
  }
  if (news.has_connection) {
    invocation_.Note(news.connection.ok()
                         ? "connected again."
                         : absl::StrCat("the connection broke (", news.connection.message(),
                                        "); trying again."));
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
  if (!news.input.ok()) TellLostInput(news.input);
  return true;
}

int Attachment::Run() {
  if (absl::Status begun = Begin(); !begun.ok()) return invocation_.Fail(begun);
  interrupts_.Deliver([this](int number) { OnSignal(number); });
  Subscribe();
  if (writes()) {
    holding_ = std::thread([this] { KeepHold(); });
    typing_ = std::thread([this] { PassOn(); });
    writing_ = std::thread([this] { WriteTyped(); });
  }
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

// Our terminal first, whatever the host does. False: a part of what was typed was not sent; its thread
// goes on until the program ends.
bool Attachment::EndThreads() {
  interrupts_.Over();
  terminal_.Leave();
  EndTyping();
  source_.Stop();
  if (typing_.joinable()) typing_.join();
  const bool is_all_written = !writes() || written_.WaitForNotificationWithTimeout(kTimeToWrite);
  over_.Notify();
  output_->Cancel();
  if (holding_.joinable()) holding_.join();
  if (writes() && is_all_written) writing_.join();
  if (!is_all_written) writing_.detach();
  output_.reset();
  return is_all_written;
}

int Attachment::Finish(bool is_all_written) {
  const std::string& name = found_.process.name();
  const std::string id = found_.process.id().substr(0, kShortIdLength);
  if (is_detached_ || OutputHasNoReader()) {
    std::string text = absl::StrCat(found_.process.has_terminal() ? "\r\n" : "",
                                    "shoal: detached; ", name, " (", id, ") runs on");
    if (!is_all_written) absl::StrAppend(&text, ", not all that was typed was passed on");
    if (is_all_written && writes()) absl::StrAppend(&text, ", input at byte ", input_.offset());
    WriteError(absl::StrCat(text, ", output at byte ", shown_, ".\n"));
    if (end_signal_ != 0) EndBySignal(end_signal_);
    return end_signal_ == 0 ? 0 : 128 + end_signal_;
  }
  if (!output_end_.ok()) return invocation_.Fail(output_end_);
  absl::StatusOr<v1::Process> process = found_.host->Get(found_.process.id());
  if (!process.ok()) return invocation_.Fail(process.status());
  return ShellExitStatus(*process);
}

int RunAttach(const Arguments& arguments, Invocation& invocation) {
  absl::StatusOr<DetachKeys> keys = DetachKeys::Parse(arguments.detach_keys);
  if (!keys.ok()) return invocation.Fail(keys.status());
  absl::StatusOr<Selection> selection = RequireSelection(arguments.selector, "attach to");
  if (!selection.ok()) return invocation.Fail(selection.status());
  Interrupts interrupts(Interrupts::Take::kMessages);
  absl::StatusOr<Found> found = FindOneProcess(*selection, "attach", invocation);
  if (!found.ok()) return invocation.Fail(found.status());
  // Lives until the program ends: a thread may still wait for a host that is away.
  static auto* const attachments = new std::vector<std::unique_ptr<Attachment>>;
  attachments->push_back(std::make_unique<Attachment>(arguments, *std::move(keys),
                                                      *std::move(found), invocation, interrupts));
  return attachments->back()->Run();
}

}  // namespace

void AddAttach(Parser& parser) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      AddCommand(parser, "attach",
                 "Talk to a process: what it prints comes here, what is typed goes to its input",
                 "  shoal start -t --name py -- python3\n"
                 "  shoal attach py                         ctrl-p ctrl-q leaves it running");
  command
      ->add_option("--detach-keys", arguments->detach_keys,
                   "Keys that leave the process running, such as ctrl-p,ctrl-q; \"\" for none")
      ->capture_default_str()
      ->type_name("KEYS");
  auto* steal = command->add_flag("--steal", arguments->steal,
                                  "Take its input from another writer that holds it");
  command->add_flag("--read-only", arguments->read_only, "Only watch")->excludes(steal);
  command->add_option("--tail", arguments->tail, "Lines of earlier output to begin with")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunAttach(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
