// What became of a process, in one paragraph for a person.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_CLI_STORY_H_
#define SHOAL_CLIENT_CLI_STORY_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/cli/output_gaps.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

// The identity that started it, each signal sent and its sender, how and when it ended, when its
// tree was seen empty, the survivors, what became of its output. Says only what `process` says;
// `now` decides where a date is needed. In lines of at most `width` columns; 0: in one. `gaps`: those of its output, if its
// agent has told them.
std::string TellStory(const shoal::v1::Process& process, absl::Time now, size_t width = 0,
                      const std::vector<StreamGap>& gaps = {});

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_STORY_H_
