// Keeps other writers from the input of a process, however little is written: renews what Input::Hold() or a first Ask()
// has taken, until it goes. What another program has taken is not taken back.
//
// Ownership:     the caller's; shares the host. The hold itself ends by Input::Release(), or a minute later.
// Thread-safety: thread-safe; End() on one thread.
// Blocking:      End() and the destructor until its thread has ended; the rest never blocks.
// Errors:        a host that does not answer is asked again with the next renewal.
#ifndef SHOAL_CLIENT_CLI_INPUT_HOLD_H_
#define SHOAL_CLIENT_CLI_INPUT_HOLD_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "common/notification.h"
#include "shoal/host.h"

namespace shoal::cli {

class InputHold {
 public:
  // `writer`: as agents know the one that writes.
  InputHold(std::shared_ptr<Host> host, std::string process_id, std::string writer);
  ~InputHold() { End(); }
  InputHold(const InputHold&) = delete;
  InputHold& operator=(const InputHold&) = delete;

  // Takes or renews it now.
  void Ask();
  // Is not renewed any more.
  void LetGo() { *is_ours_ = false; }
  // The same, and no thread is left.
  void End();

 private:
  void Renew();

  const std::shared_ptr<Host> host_;
  const std::string process_id_;
  const std::string writer_;
  // The host counts us as the one that writes. Shared with calls that are under way.
  const std::shared_ptr<std::atomic<bool>> is_ours_ = std::make_shared<std::atomic<bool>>(true);
  Notification over_;
  std::thread thread_;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_INPUT_HOLD_H_
