// How a command leaves that a signal ends, and what it says to it, whatever else is blocked.
//
// Thread-safety: thread-safe.
// Blocking:      SayAtOnce() for 200 ms at most; the rest never blocks.
// Errors:        none: what cannot be said is dropped.
#ifndef SHOAL_CLIENT_CLI_LEAVING_H_
#define SHOAL_CLIENT_CLI_LEAVING_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "shoal/job.h"

namespace shoal::cli {

// From the second signal on, the prompt is back within this and the time of SayAtOnce().
inline constexpr absl::Duration kTimeToLeave = absl::Milliseconds(750);

// Ends the program as the signal does, so that who started it sees that: a shell ends its loop.
[[noreturn]] void DieBySignal(int number);

// The command was ended by the signal: the program is to die of it once everything is written.
void EndBySignal(int number);
// 0: no signal ended it.
int SignalToDieOf();

// "shoal: TEXT" on stderr; given up if that is blocked.
void SayAtOnce(const std::string& text);

// What a second signal says of a job: what goes on, what was not seen to end and when it will be, `lapse` being the
// time without this command that ends it.
std::string TellLeaving(const std::vector<HostLeft>& left,
                        const std::vector<std::string>& host_names, absl::string_view lapse);

// What `run` says behind a first signal once every process has ended, and it only waits for the reader of its output.
std::string TellRest();

// What may go on of a `start` that ends before it has printed that.
std::string TellStarted(const std::vector<HostLeft>& left,
                        const std::vector<std::string>& host_names);

// Of a `stop` of "3 processes" whose answer is not waited for, and of an `input` that is cut short.
std::string TellStopLeft(absl::string_view processes);
std::string TellInputLeft(absl::string_view name);

// "4 on ant, up to 2 on beetle"; without what is detached.
std::string DescribeLeft(const std::vector<HostLeft>& left,
                         const std::vector<std::string>& host_names);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_LEAVING_H_
