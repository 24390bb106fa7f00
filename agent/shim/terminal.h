// The terminal of one process: a pair, of which the shim holds both sides.
//
// The process's side is held until the process has ended, so that a program that closes its terminal
// and opens it again finds it.
//
// Ownership:     owns its two descriptors; those that it gives out are duplicates of the shim's side.
// Thread-safety: single-threaded process only.
// Blocking:      never blocks.
// Errors:        errno of the call that failed; ENOSPC: there is no terminal left.
#ifndef SHOAL_AGENT_SHIM_TERMINAL_H_
#define SHOAL_AGENT_SHIM_TERMINAL_H_

#include "agent/record/record_layout.h"

namespace shoal::shim {

class Terminal {
 public:
  Terminal() = default;
  ~Terminal() { Close(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Makes a pair of the size that is wanted. 0, or why not.
  int Open(const record::AgentHalf& wish);
  // Or takes one that is there.
  int Take(int shim_side, int process_side, const record::AgentHalf& wish);

  bool is_open() const { return shim_side_ >= 0; }
  int process_side() const { return process_side_; }
  // Another descriptor of the shim's side, non-blocking; -1 with errno.
  int Duplicate() const;

  // Gives it the size that is wanted, once for each serial; the process is told so (SIGWINCH) where it has that size
  // already. True if the serial was new.
  bool Resize(const record::AgentHalf& wish, record::ShimHalf* half);
  // What ends the input of this terminal: the end-of-file character; nothing where it is not in
  // canonical mode.
  bool FindEnd(char* end_of_file) const;
  // Whether a line in canonical mode ends with this byte.
  bool IsLineEnd(unsigned char byte) const;
  // The process has ended: descendants alone hold its side now.
  void LetGo();
  // Hangs it up.
  void Close();

 private:
  int SetUp(const record::AgentHalf& wish);

  int shim_side_ = -1;
  int process_side_ = -1;
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_TERMINAL_H_
