// Why a process was not started, for a person and for a script.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_CLI_START_ERROR_H_
#define SHOAL_CLIENT_CLI_START_ERROR_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::cli {

struct StartError {
  // "cannot start ./sim on ant: exec: No such file or directory. Is it on that host?
  // `--ship ./sim` sends it along."
  std::string sentence;
  int exit_status =
      0;  // 127 no such program, 126 not to be executed, 75 the host is short of something, 125 not
          // started for another reason; else as for any error
};

// `shipped`: the files that stand beside the process, by their names there. `may_ship`: the command has `--ship`.
StartError ExplainStartError(const v1::RequestError& error, absl::string_view program,
                             absl::string_view host, const std::vector<std::string>& shipped = {},
                             bool may_ship = true);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_START_ERROR_H_
