// What of the output of processes is not kept, as their agents tell it.
//
// Thread-safety: thread-safe.
// Blocking:      up to 5 s.
// Errors:        none: of a host that does not answer, or has an agent of 0.1, nothing is known.
#ifndef SHOAL_CLIENT_CLI_OUTPUT_GAPS_H_
#define SHOAL_CLIENT_CLI_OUTPUT_GAPS_H_

#include <map>
#include <string>
#include <vector>

#include "client/cli/lookup.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::cli {

struct StreamGap {
  v1::StreamKind stream = v1::STREAM_KIND_UNSPECIFIED;
  v1::Gap gap;
};

// By id, each in order of offset.
std::map<std::string, std::vector<StreamGap>> FindGaps(const std::vector<Found>& found);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_OUTPUT_GAPS_H_
