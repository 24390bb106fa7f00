// What to run: the agent's form of a shoal.v1.ProcessSpec.
//
// Ownership:     plain data. A Spec is shared by the ranks of a batch and by what still tells of
//                them.
// Thread-safety: constant once built.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_SPEC_SPEC_H_
#define SHOAL_AGENT_SPEC_SPEC_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/record/record_layout.h"
#include "common/end_times.h"

namespace shoal::agent {

enum class Lifetime { kSession, kDetached };
enum class StartMethod { kSpawn, kForkserver, kFork };

using Labels = std::map<std::string, std::string>;

// A file that is put beside a process before it starts.
struct SpecFile {
  std::string path = {};    // relative, without "." and ".."
  std::string sha256 = {};  // 32 bytes; empty: the content came with the request
  bool executable = false;
  bool library = false;  // its directory goes in front of LD_LIBRARY_PATH
};

// Contents that came with a request, parallel to Spec::files; empty for blobs.
using InlineFiles = std::vector<std::string>;

// Checked (see agent/spec/spec_conversion.h): no NULs, within limits, defaults filled in.
struct Spec {
  std::vector<std::string> argv;
  // KEY=VALUE as given; the agent adds its own base environment. KEY alone once nothing is started
  // from it any more.
  std::vector<std::string> env;
  std::string cwd;   // absolute; empty: the directory of `files`
  std::string name;  // as given; may be empty
  Lifetime lifetime = Lifetime::kSession;
  bool daemon = false;
  bool keep_descendants = false;
  bool merge_stderr = false;
  bool drop_oldest = false;
  bool result_stream = false;
  bool forbid_children = false;
  int64_t input_window = 0;  // bytes of the ring; 0: descriptor 0 is input_file
  std::string input_file;    // absolute; empty: the ring, or /dev/null
  // Of its terminal; 0: it has none.
  int terminal_rows = 0;
  int terminal_columns = 0;
  std::string term;  // TERM of its terminal
  absl::Duration grace = kDefaultGrace;
  std::optional<absl::Duration> time_limit;
  int64_t cap_bytes = record::kDefaultCapBytes;
  Labels labels;
  StartMethod start_method = StartMethod::kSpawn;
  std::string fork_of;  // with kFork: name or id
  std::optional<absl::Duration> fork_wait;
  // The process beside which it runs: as given, and once admitted its id. Empty: none.
  std::string beside;
  std::vector<SpecFile> files;
  // The serialized shoal.v1.ProcessSpec without `env` and the contents of files: what a reply tells
  // as a rule. See agent/spec/stored_spec.h for the whole.
  std::string wire;

  bool HasTerminal() const { return terminal_rows > 0; }
  // The process writes to this stream by a pipe of its own, or by its terminal.
  bool HasStream(int stream) const {
    return record::HasStream((merge_stderr ? record::kMergeStderr : 0u) |
                                 (result_stream ? record::kResultStream : 0u) |
                                 (HasTerminal() ? record::kTerminal : 0u),
                             stream);
  }
  // Where that is which the process writes to its stderr.
  record::Stream StderrStream() const {
    return HasStream(record::kStderr) ? record::kStderr : record::kStdout;
  }
};

// The same with the names of its environment alone, KEY; null if there are no values.
std::shared_ptr<const Spec> WithoutEnvValues(const Spec& spec);

// Whether `program`, an argv[0], is "./" and the path of one of `files`.
bool RunsShippedProgram(absl::string_view program, const std::vector<SpecFile>& files);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_SPEC_H_
