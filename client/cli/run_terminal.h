// What `run -t` has besides another run: our terminal in raw mode, that of the process in its size, the hold of the
// input, and the keys that leave the process running.
//
//   Listen, Take → the process has started: OnStarted → its end, or the keys, once: on_keys → LetGo
//
// Without Listen() our stdin is not its input, and there are no keys.
//
// Ownership:     the caller's; shares the host. Outlives the source that it gives out.
// Thread-safety: OnSignal functions on any thread; the rest on one.
// Blocking:      LetGo() for a second at most; the rest never blocks.
// Errors:        Take(): as RawTerminal.
#ifndef SHOAL_CLIENT_CLI_RUN_TERMINAL_H_
#define SHOAL_CLIENT_CLI_RUN_TERMINAL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "client/cli/detach_keys.h"
#include "client/cli/input_hold.h"
#include "client/cli/stdin_source.h"
#include "client/cli/terminal_link.h"
#include "shoal/host.h"
#include "shoal/input.h"

namespace shoal::cli {

class RunTerminal {
 public:
  // `on_keys` on the thread that reads.
  RunTerminal(DetachKeys keys, std::function<void()> on_keys);

  // What is typed, without the keys, of which only a terminal has any.
  std::shared_ptr<InputSource> Listen(std::shared_ptr<StdinSource> typed);
  // As agents are to know the one that writes what is typed.
  const std::string& writer() const { return writer_; }
  // Raw mode, again each time that we come to the foreground.
  absl::Status Take();
  // It has our size from now on, and its input is ours.
  void OnStarted(std::shared_ptr<Host> host, const v1::Process& process);
  // The keys were typed.
  bool is_left() const { return is_left_; }
  // Others may write to it. How far its input is kept; nothing: it has none of ours, or its host does not answer.
  std::optional<int64_t> LetGo();

  TerminalLink& link() { return link_; }

 private:
  void OnKeys();

  const DetachKeys keys_;
  const std::function<void()> on_keys_;
  const std::string writer_;
  TerminalLink link_;
  std::shared_ptr<StdinSource> typed_;  // null: our stdin is not read
  std::shared_ptr<Host> host_;          // null: not started
  std::string process_id_;
  std::unique_ptr<InputHold> hold_;
  std::atomic<bool> is_left_ = false;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_RUN_TERMINAL_H_
