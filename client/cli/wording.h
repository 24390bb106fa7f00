// Processes in words: for a column and for a sentence.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_CLI_WORDING_H_
#define SHOAL_CLIENT_CLI_WORDING_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "shoal/v1/process.pb.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::cli {

// For a column: "running", "exited(3)", "killed(SIGTERM)", "failed", "lost", "unmanaged".
std::string StateWord(const shoal::v1::Process& process);

// What fits behind "rank 3 on node1 failed first: " and "web ": "exit code 3", "ended by SIGTERM", "exit code 0 at its time limit of 5 s",
// "killed by the kernel, out of memory (peak 4.0 GiB)", "did not start: …", "its exit is unknown:
// …".
std::string DescribeEnd(const shoal::v1::Process& process);

// The same without the occasion: "exit code 0".
std::string DescribeExit(const shoal::v1::Process& process);

// Whom SIGKILL was for, which was sent when the grace of a requested end was over.
enum class Killed {
  kNothing,  // or SIGKILL is what was asked for
  kProcess,
  kRest,  // the process had ended by then; what it had started had not
};
Killed WhoWasKilled(const shoal::v1::Process& process);

// " (it did not react to SIGTERM)", for behind its end; empty if SIGKILL was not needed.
std::string DescribeKill(const shoal::v1::Process& process);

// "2 processes outlived it, sh (1233) and sleep (1234): SIGTERM 5 s after its exit, …", or what
// they may expect. REQUIRES: process.has_descendants()
std::string DescribeDescendants(const shoal::v1::Process& process);

// What a program says that leaves it running: "shoal: detached; web (7KQ2MD) runs on, …", with its line break, and one
// before it where the screen is a terminal's. `input_at`, `output_at`: one past the newest byte that was passed on, and
// that was shown; none: it was not known, or not written.
std::string TellDetached(const shoal::v1::Process& process, bool is_all_passed,
                         std::optional<int64_t> input_at, int64_t output_at);

// "stdout", "stderr" or "result".
absl::string_view NameOfStream(shoal::v1::StreamKind stream);

// "10 bytes of stdout from byte 3 on were dropped", or were read before, or are missing.
std::string DescribeGap(shoal::v1::StreamKind stream, const shoal::v1::Gap& gap);

// What a status says, without the `host "a" cannot be reached: ` in it: for a line that names the host already,
// maybe otherwise.
std::string BareReason(const absl::Status& status);

// "its agent has not answered for 10 s; waiting for it"; without a silence "its agent answers again".
std::string DescribeSilence(absl::Duration silence);

// "uid 1000" for "uid:1000"; other identities as they are.
std::string DescribeIdentity(absl::string_view identity);

// Whom the end of another process has ended with it: "web (7KQ2MD), beside which it ran"; else empty.
std::string EndOfOther(absl::string_view requested_by);

// From execve, or the request if it came to none, to the end; zero while it lives.
absl::Duration RunTime(const shoal::v1::Process& process);

// The program and its arguments, quoted as a shell needs them and at most `max_bytes` long.
std::string CommandLine(const shoal::v1::Process& process, size_t max_bytes);

// Time of a protobuf timestamp; InfinitePast when absent.
absl::Time ToTime(bool present, const google::protobuf::Timestamp& timestamp);
absl::Duration ToSpan(const google::protobuf::Duration& duration);
google::protobuf::Duration FromSpan(absl::Duration span);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_WORDING_H_
