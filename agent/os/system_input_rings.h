// The rings of input in the output directory: a few bytes, as of a keystroke, are written at once, more on a thread of
// their own.
//
// Ownership:     created by main; `loop` and `directory` outlive it.
// Thread-safety: loop thread only.
// Blocking:      for writes of a page to the cache of the disk; the destructor waits for what is being written.
// Errors:        Write's `done`: NOT_FOUND: there is no ring, or what pwrite(2) said.
#ifndef SHOAL_AGENT_OS_SYSTEM_INPUT_RINGS_H_
#define SHOAL_AGENT_OS_SYSTEM_INPUT_RINGS_H_

#include <memory>
#include <string>

#include "agent/core/ports/input_rings.h"
#include "agent/loop/event_loop.h"
#include "agent/os/helper_thread.h"

namespace shoal::agent {

class SystemInputRings final : public InputRings {
 public:
  // `directory` is the output directory.
  SystemInputRings(EventLoop* loop, int directory);
  ~SystemInputRings() override;

  void Write(const std::string& id, int64_t window, InputPiece piece,
             absl::AnyInvocable<void(absl::Status)> done) override;
  void Forget(const std::string& id) override;

 private:
  class Files;

  EventLoop* const loop_;
  const std::unique_ptr<Files> files_;
  HelperThread thread_;  // last: ends before the files do
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_SYSTEM_INPUT_RINGS_H_
