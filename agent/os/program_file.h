// Which file a spec runs, and which version of it is there now.
//
// Thread-safety: thread-safe.
// Blocking:      on the file system.
// Errors:        NOT_FOUND: execve would not find it either.
#ifndef SHOAL_AGENT_OS_PROGRAM_FILE_H_
#define SHOAL_AGENT_OS_PROGRAM_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/core/ports/programs.h"

namespace shoal::agent {

// The PATH of the process; `base_path` is that of processes whose spec has none.
std::string SearchPathOf(const Spec& spec, absl::string_view base_path);

// Where execvp finds argv[0]; empty if nowhere.
std::string LocateProgram(const Spec& spec, absl::string_view base_path);

// How many words of argv name the program: 1, but for an interpreter ("python3 -u run.py 7": 3),
// since it is the script that makes a template of use.
size_t ProgramWords(const std::vector<std::string>& argv);

// The program with its version by device, inode, size and time of change; of an interpreter that of
// its script, too.
absl::StatusOr<TemplateProgram> FindProgramFile(const Spec& spec, absl::string_view base_path);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_PROGRAM_FILE_H_
