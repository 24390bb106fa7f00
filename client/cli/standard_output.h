// stdout and stderr of the command: the one place that writes to them.
//
// A write to stdout that fails is told on stderr at once, unless its reader has left, and becomes the exit
// status: 1, or 141 (as SIGPIPE would have it) without a reader. Nothing is written to stdout after it.
// stderr has only what the command says besides: what cannot be written there is dropped.
//
// Ownership:     of the process; each command begins with BeginOutput().
// Thread-safety: main thread only, but for WriteError().
// Blocking:      as long as stdout and stderr do.
// Errors:        as false: stdout is of no use any more.
#ifndef SHOAL_CLIENT_CLI_STANDARD_OUTPUT_H_
#define SHOAL_CLIENT_CLI_STANDARD_OUTPUT_H_

#include "absl/strings/string_view.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

// Whether what processes write to this stream goes to a terminal.
bool IsTerminal(v1::StreamKind stream);

// Help of --raw.
inline constexpr char kRawHelp[] =
    "Control characters of tagged lines as they come, on a terminal, too; else they are shown "
    "there";

// Forgets what became of earlier commands. SIGPIPE is ignored from now on.
void BeginOutput();

// To stdout, for what a command prints; kept until FlushOutput() or until there is much of it.
void Print(absl::string_view text);
bool FlushOutput();

// To stdout at once, behind what was printed before.
bool WriteOutput(absl::string_view bytes);
// To stderr; thread-safe.
void WriteError(absl::string_view bytes);
// The same for what a command says about itself beside its errors: nothing, once SetQuiet() was called (-q), since our
// stderr may be that of the processes, too.
void WriteNote(absl::string_view bytes);
void SetQuiet();
bool IsQuiet();
// What processes wrote to their stderr. False where stdout has lost its reader, too: `2>&1 | head`.
bool ForwardError(absl::string_view bytes);

// Whether stdout failed for want of a reader: its pipe has none, or its terminal has hung up.
bool OutputHasNoReader();

// Writes what is left. `status`, or that of stdout if it failed.
int FinishOutput(int status);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_STANDARD_OUTPUT_H_
