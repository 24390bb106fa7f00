// Whether somebody sends something on stdin, which processes do not get.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks, and reads nothing.
#ifndef SHOAL_CLIENT_CLI_WAITING_INPUT_H_
#define SHOAL_CLIENT_CLI_WAITING_INPUT_H_

namespace shoal::cli {

// A pipe, socket or file on stdin has bytes that were not read. What is typed at a terminal does not
// count: the shell reads it next.
bool IsInputWaiting();

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_WAITING_INPUT_H_
