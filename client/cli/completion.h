// What may stand where the cursor of a shell is: read from the declared commands, so that nothing is listed twice.
//
// Ownership:     a value; `command` points into the CLI::App.
// Thread-safety: main thread only.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_CLI_COMPLETION_H_
#define SHOAL_CLIENT_CLI_COMPLETION_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"

namespace shoal::cli {

struct Candidate {
  std::string word;
  std::string about;  // one line, may be empty
};

struct Completion {
  enum class Kind { kWords, kFiles, kDirectories, kCommand, kHosts, kProcesses, kSignals };

  Kind kind = Kind::kWords;
  std::string kept;    // of the word: what stays in front, such as "--hosts=" or "node1,"
  std::string prefix;  // of the word: what is to be gone on with
  std::vector<Candidate> candidates;  // kWords: those that begin with `prefix`
  size_t command_at = 0;              // kCommand: where the words of a command of the user begin
  const CLI::App* command = nullptr;  // of shoal, that the word belongs to
  std::map<std::string, std::string> values;  // of the options so far, by their long names
};

// `words` are those behind "shoal" up to the cursor, the one that it is at last, maybe empty.
Completion CompletionOf(const CLI::App& shoal, const std::vector<std::string>& words);

// Those that begin with `prefix`.
std::vector<Candidate> WithPrefix(std::vector<Candidate> candidates, const std::string& prefix);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_COMPLETION_H_
