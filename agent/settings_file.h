// The TOML file of shoald: its keys are the flags without their dashes, at the top level. What it says counts
// where the command line says nothing.
//
// Ownership:     none.
// Thread-safety: single-threaded process only.
// Blocking:      ReadToml on the file system.
// Errors:        INVALID_ARGUMENT "FILE:LINE: why": a section, a key that is no flag, a value that its flag
//                does not take.
#ifndef SHOAL_AGENT_SETTINGS_FILE_H_
#define SHOAL_AGENT_SETTINGS_FILE_H_

#include <CLI/App.hpp>

#include "absl/status/status.h"
#include "common/toml_file.h"

namespace shoal::agent {

// REQUIRES: `app` has parsed the command line.
absl::Status ApplySettingsFile(const TomlFile& file, CLI::App* app);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SETTINGS_FILE_H_
