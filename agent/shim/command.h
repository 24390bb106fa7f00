// What the shim executes: arguments, environment and working directory of its process.
//
// Ownership:     owns the memory that holds them, until Drop(). The room is one, for one command at a time.
// Thread-safety: single-threaded process only.
// Blocking:      reads memory.
// Errors:        error(), for the start to report.
#ifndef SHOAL_AGENT_SHIM_COMMAND_H_
#define SHOAL_AGENT_SHIM_COMMAND_H_

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "agent/record/record_layout.h"

namespace shoal::shim {

class Command {
 public:
  Command() = default;
  ~Command() { Drop(); }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Reads the payload at `fd`, and closes it.
  void ReadPayload(int fd);
  // Where the payload lies that comes with an order; its first `size` bytes are one.
  static char* PayloadRoom();
  void TakePayload(size_t size);
  // As an agent of 0.1 tells it, behind the slot number in the shim's own command line. The
  // environment is the shim's.
  void TakeWords(char** words, bool has_cwd);
  // Gives the memory back: once the process was cloned, or has failed to be, the shim needs no
  // words of it any more.
  void Drop();

  // Why there is nothing to execute; 0: there is.
  int error() const { return error_; }
  char** argv() const { return argv_; }
  char** env() const { return env_; }
  const char* cwd() const { return cwd_; }      // nullptr: the shim's
  const char* input() const { return input_; }  // the file that is its stdin; nullptr: none

 private:
  int Read(int fd);
  int Parse(size_t size);
  char** Collect(const char* key, char** at);

  int error_ = EINVAL;
  char** argv_ = nullptr;
  char** env_ = environ;
  const char* cwd_ = nullptr;
  const char* input_ = nullptr;
  char* bytes_ = nullptr;   // the payload, and behind it the pointers into it
  size_t size_ = 0;         // of the payload
  size_t mapped_size_ = 0;  // 0: it is not mapped, but in the room
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_COMMAND_H_
