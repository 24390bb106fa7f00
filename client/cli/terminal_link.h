// Our terminal and that of a process that it is for: raw mode here, and the size of ours there.
//
// Ownership:     the caller's; shares the host.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        Take(): as RawTerminal.
#ifndef SHOAL_CLIENT_CLI_TERMINAL_LINK_H_
#define SHOAL_CLIENT_CLI_TERMINAL_LINK_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cli/raw_terminal.h"
#include "common/mutex.h"
#include "shoal/host.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

class TerminalLink {
 public:
  // Raw mode, if our stdin is a terminal.
  absl::Status Take(RawTerminal::Mode mode = RawTerminal::Mode::kRaw);
  // The modes that it had; and raw again, if it was taken.
  void GiveBack();
  void TakeAgain();
  // For good: Ctrl-C is a signal again.
  void Leave();

  // Has the terminal of this process the size of ours from now on. Of several programs at one terminal the one that
  // came, or was resized, last decides; what one of them sends again later does not.
  void SetProcess(std::shared_ptr<Host> host, const v1::Process& process);
  // The same for one that we have started, with the size of ours: nothing is told unless that has changed meanwhile,
  // for what is told has a program paint its screen.
  void SetStarted(std::shared_ptr<Host> host, const v1::Process& process);
  // Ours may have another.
  void TellSize();

 private:
  void Set(std::shared_ptr<Host> host, const v1::Process& process);

  Mutex mu_;
  std::unique_ptr<RawTerminal> raw_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Host> host_ ABSL_GUARDED_BY(mu_);  // null: no process yet
  std::string process_id_ ABSL_GUARDED_BY(mu_);
  absl::Time began_ ABSL_GUARDED_BY(mu_);  // the process, by the clock of its host
  // The serial of the last change; shared with answers, which may come when this has gone. Changed under mu_.
  const std::shared_ptr<std::atomic<uint32_t>> newest_ = std::make_shared<std::atomic<uint32_t>>(0);
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_TERMINAL_LINK_H_
