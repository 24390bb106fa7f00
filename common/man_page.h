// A manual page, as roff, of the texts that `--help` of a command shows.
//
// Ownership:     values.
// Thread-safety: thread-safe, as the CLI::App is that they read.
// Blocking:      on the file system.
// Errors:        UNKNOWN: the file cannot be written.
#ifndef SHOAL_COMMON_MAN_PAGE_H_
#define SHOAL_COMMON_MAN_PAGE_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"

namespace shoal {

struct ManPageHead {
  std::string name;     // of the page: "shoal-run"
  std::string command;  // as typed: "shoal run"
  int section = 1;
  std::string date;                   // 2026-12-01
  std::string version;                // "shoal 0.2.0"
  std::vector<std::string> see_also;  // "shoald(8)"
};

std::string ManPage(const CLI::App& command, const ManPageHead& head);

// As NAME.SECTION in `directory`.
absl::Status WriteManPage(const CLI::App& command, const ManPageHead& head,
                          const std::string& directory);

}  // namespace shoal

#endif  // SHOAL_COMMON_MAN_PAGE_H_
