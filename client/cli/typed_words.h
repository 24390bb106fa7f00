// The words of a command line that are not quite ours: what other tools have accustomed people to is taken as it is
// meant, and a word that nothing is called by is told with the one that was probably meant.
//
// Thread-safety: main thread only.
#ifndef SHOAL_CLIENT_CLI_TYPED_WORDS_H_
#define SHOAL_CLIENT_CLI_TYPED_WORDS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/string_view.h"

namespace shoal::cli {

// Where the command stands; words.size() without one.
size_t FindCommand(const std::vector<std::string>& words);

// "help VERB" becomes "VERB --help", "help help" "--help", "version" "--version", and "signal -9" "signal 9".
std::vector<std::string> AsMeant(std::vector<std::string> words);

// "--tag=" becomes "--tag" and "", since the parser would take the next word for its value. The words of the program
// behind `run`, `start` and `exec` stay as they are.
std::vector<std::string> WithEmptyValues(const CLI::App& app, std::vector<std::string> words);

// "shoal agent stop", by what was parsed.
std::string PathOf(const CLI::App& app);

// "there is no command "strat"; did you mean "start"?", or of an option or an argument; empty if every word
// is known. `app` has parsed them.
std::string TellUnknown(const CLI::App& app);

// The same of one word that `command` was given for an option of its own.
std::string TellUnknownOption(const CLI::App& command, absl::string_view word);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_TYPED_WORDS_H_
