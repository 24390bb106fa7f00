// Our terminal at a process that runs: what it prints comes here, what is typed goes there.
//
//   1. its input is held, the end of its output is shown, our terminal is raw, its    Begin
//      terminal gets the size of ours, upon which it paints its screen
//   2. its output is followed, from there on                                          Subscribe
//   3. what is typed is passed on, up to the detach keys                              TypedInput
//   4. its session is kept alive once its client no longer does that                  AttachedSession
//   5. it has ended, or goes on without us: our terminal is as before                 Run
//
// Ownership:     the caller's; shares the host. Lives until the program ends, as TypedInput says.
// Thread-safety: Run() once, on one thread.
// Blocking:      Run() until the process has ended with its output, or was left.
// Errors:        told on stderr, and in the exit status.
#ifndef SHOAL_CLIENT_CLI_ATTACHMENT_H_
#define SHOAL_CLIENT_CLI_ATTACHMENT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "client/cli/attached_session.h"
#include "client/cli/detach_keys.h"
#include "client/cli/interrupts.h"
#include "client/cli/invocation.h"
#include "client/cli/lookup.h"
#include "client/cli/terminal_link.h"
#include "client/cli/typed_input.h"
#include "shoal/host.h"
#include "shoal/host/event_queue.h"

namespace shoal::cli {

struct AttachmentOptions {
  std::string detach_keys = "ctrl-p,ctrl-q";
  bool steal = false;
  bool read_only = false;
  bool eof = false;       // the end of our stdin is that of its input
  bool keep = false;      // at the end it is made DETACHED
  bool takeover = false;  // of its session, though its client may live
  int tail = 10;          // lines of earlier output that are shown at the beginning
};

class Attachment {
 public:
  // `keys` are those of `options`.
  Attachment(AttachmentOptions options, DetachKeys keys, Found found, Invocation& invocation,
             Interrupts& interrupts);

  // The exit status.
  int Run();

 private:
  // From the threads that hear of it to that of Run().
  struct News {
    std::optional<v1::ReadOutputResponse> frame;
    absl::Status connection;  // with has_connection
    bool has_connection = false;
    bool is_end = false;  // of the output
    absl::Status end;
    bool is_detached = false;    // by the keys, or a signal
    absl::Status input;          // why nothing more is passed on
    bool is_input_over = false;  // all of our stdin was passed on
    absl::Status session;        // with has_session: OK: it is ours now; else why it is not
    bool has_session = false;
  };

  bool has_terminal() const { return found_.process.has_terminal(); }
  bool writes() const {
    return is_input_given_ && !options_.read_only && found_.process.has_input();
  }
  // What is typed is searched for the detach keys, and goes to no process.
  bool watches() const;
  TypedInputObserver MakeObserver();

  absl::Status Begin();
  absl::Status BeginSession();
  absl::Status ShowBefore();
  void MaybeTellNoInput();
  void Subscribe();
  void OnSignal(int number);
  // False: nothing more is to be shown.
  bool Take(News& news);
  bool Show(const v1::ReadOutputResponse& frame);
  void TellLostInput(const absl::Status& reason);
  void TellInputOver();
  bool EndThreads();
  int Finish(bool is_all_written);

  const AttachmentOptions options_;
  const Found found_;
  const bool is_input_given_;
  bool is_no_input_told_ = false;
  Invocation& invocation_;
  Interrupts& interrupts_;
  TerminalLink terminal_;
  EventQueue<News> queue_;
  TypedInput input_;
  AttachedSession session_;
  std::unique_ptr<Subscription> output_;
  bool is_before_shown_ = false;  // what was there up to shown_
  int64_t shown_ = 0;             // one past the newest byte of its stdout that was shown
  bool is_detached_ = false;
  absl::Status output_end_;
  std::atomic<int> end_signal_ = 0;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_ATTACHMENT_H_
