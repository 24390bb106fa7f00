// The command line as a whole: reads the words of one, and runs the subcommand that they name.
//
// Ownership:     a run's job and connections stay until the next command or the end of the program.
// Thread-safety: main thread only.
// Blocking:      as long as the command does.
// Errors:        as the exit status; the sentence is on stderr. 1 if stdout could not be written, 141 if its
//                reader has left, whatever became of the command.
#ifndef SHOAL_CLIENT_CLI_COMMAND_LINE_H_
#define SHOAL_CLIENT_CLI_COMMAND_LINE_H_

#include <string>
#include <vector>

namespace shoal::cli {

// `arguments` without the program's own name.
int RunCommandLine(std::vector<std::string> arguments);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_COMMAND_LINE_H_
