// What comes from our stdin, on its way to the input of a process, however long its host is away.
//
//   1. the input is held against other writers                        Hold, InputHold
//   2. a thread reads, and puts it into the feed, up to the keys      ReadAll, InputFeed
//   3. our stdin has ended: once all is kept others may write         PassEnd
//   4. what was typed before the keys has a moment to get through     End
//
// Or it is only looked at for the keys: Watch, ReadAll, End.
//
// Ownership:     the caller's; shares the host.
// Thread-safety: Hold, Begin and End on one thread; the rest on any.
// Blocking:      Hold() until the host has answered, End() for a second at most.
// Errors:        those of Input::Hold(); what is not passed on any more goes to the observer.
#ifndef SHOAL_CLIENT_CLI_TYPED_INPUT_H_
#define SHOAL_CLIENT_CLI_TYPED_INPUT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/detach_keys.h"
#include "client/cli/input_hold.h"
#include "client/cli/stdin_source.h"
#include "shoal/host.h"
#include "shoal/host/input_feed.h"
#include "shoal/input.h"

namespace shoal::cli {

// Called on threads of TypedInput.
struct TypedInputObserver {
  std::function<void()> on_keys;                     // the detach keys were typed
  std::function<void()> on_end;                      // all of it was passed on; nothing more comes
  std::function<void(const absl::Status&)> on_lost;  // nothing more is passed on
};

class TypedInput {
 public:
  TypedInput(std::shared_ptr<Host> host, std::string process_id, DetachKeys keys,
             TypedInputObserver observer);

  // FAILED_PRECONDITION: another writer holds it, unless `steal`.
  absl::Status Hold(bool steal);
  // Called before our terminal is read, each time that we have come to its foreground. Before Begin().
  void SetOnForeground(std::function<void()> on_foreground);
  // REQUIRES: Hold() was OK. `passes_end`: that of ours is that of the process's.
  void Begin(bool passes_end);
  // Passes nothing on.
  void Watch();
  // Nothing more is read.
  void Stop() {
    is_stopped_ = true;
    source_.Stop();
  }
  // We may be in the foreground by now: after SIGCONT.
  void LookAgain() { source_.LookAgain(); }
  // False: a part of what was typed was not passed on. REQUIRES: Begin() or Watch().
  bool End();

  // One past the newest byte that the host has. REQUIRES: End() was true, after Begin().
  int64_t offset() const { return input_.offset() + feed_->passed(); }

 private:
  void ReadAll();
  void Put(std::string typed);
  void PassEnd();
  void LetGo();

  const std::shared_ptr<Host> host_;
  const std::string process_id_;
  DetachKeys keys_;
  const TypedInputObserver observer_;
  StdinSource source_;
  Input input_;  // until there is a feed, which goes on behind it
  bool passes_end_ = false;
  std::unique_ptr<InputHold> hold_;  // null: we only watch, as of the feed
  std::shared_ptr<InputFeed> feed_;
  std::thread reading_;
  bool is_let_go_ = false;  // of the thread that reads, then of End()
  std::atomic<bool> is_stopped_ = false;
  std::atomic<bool> is_lost_ = false;      // what is typed goes nowhere
  std::atomic<bool> is_left_out_ = false;  // some of it did
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_TYPED_INPUT_H_
