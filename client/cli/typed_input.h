// What comes from our stdin, on its way to the input of a process, however long its host is away.
//
//   1. the input is held against other writers                        Hold, InputHold
//   2. a thread reads, up to the detach keys                          ReadAll
//   3. another one sends what was read, and the end if it is to       WriteAll
//   4. the rest has a moment to get through                           End
//
// Or it is only looked at for the keys: Watch, ReadAll, End.
//
// Ownership:     the caller's; shares the host. If End() returns false it has to live until the
//                program ends: a thread may still wait for a host that is away.
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

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/detach_keys.h"
#include "client/cli/input_hold.h"
#include "client/cli/stdin_source.h"
#include "common/mutex.h"
#include "common/notification.h"
#include "shoal/host.h"
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
  // False: a part of what was typed was not sent; a thread goes on with it. REQUIRES: Begin() or Watch().
  bool End() ABSL_LOCKS_EXCLUDED(mu_);

  // One past the newest byte that the host has. REQUIRES: End() was true.
  int64_t offset() const { return input_.offset(); }

 private:
  void ReadAll();
  void Keep(absl::string_view typed) ABSL_LOCKS_EXCLUDED(mu_);
  void EndTyping() ABSL_LOCKS_EXCLUDED(mu_);
  void WriteAll() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Write(absl::string_view typed);
  absl::Status Close();

  const std::shared_ptr<Host> host_;
  const std::string process_id_;
  DetachKeys keys_;
  const TypedInputObserver observer_;
  StdinSource source_;
  Input input_;  // of the thread that writes, once there is one
  bool passes_end_ = false;
  std::unique_ptr<InputHold> hold_;  // null: we only watch
  std::thread reading_, writing_;
  std::atomic<bool> is_stopped_ = false;
  Notification over_;
  Notification written_;  // the thread that writes has ended, and leaves input_ alone
  Mutex mu_;
  std::string typed_ ABSL_GUARDED_BY(mu_);            // and not yet sent
  bool is_typing_over_ ABSL_GUARDED_BY(mu_) = false;  // nothing comes behind it
  bool is_at_end_ ABSL_GUARDED_BY(mu_) = false;       // since our stdin has ended
  bool is_lost_ ABSL_GUARDED_BY(mu_) = false;         // what is typed goes nowhere
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_TYPED_INPUT_H_
