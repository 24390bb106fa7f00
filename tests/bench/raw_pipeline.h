// The parts of the pipelines that Shoal's streams are measured against: the same moves of the same bytes,
// pipe, file and socket, without gRPC, records and threads that serve others.
//
// Thread-safety: of GrowingFile: one thread fills it, another one sends it.
// Errors:        end the program.
#ifndef SHOAL_TESTS_BENCH_RAW_PIPELINE_H_
#define SHOAL_TESTS_BENCH_RAW_PIPELINE_H_

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "common/unique_fd.h"

namespace shoal::bench {

// Of each read and write of a pipeline.
inline constexpr size_t kPieceBytes = 256 << 10;

// Ends the program with `what` and the error unless `holds`.
void Require(bool holds, const char* what);

// A program and the end of the pipe at its stdout.
struct Piped {
  pid_t pid = 0;
  UniqueFd pipe;
};

// Its stdout is the write end of the pipe whose read end is returned.
Piped StartWriter(const std::vector<std::string>& words);
struct Ends {
  UniqueFd read;
  UniqueFd write;
};
// Of a pipe; two Unix sockets that are connected.
Ends Pipe();
Ends SocketPair();

// Until the end; how many bytes there were.
size_t ReadAll(int fd);
void CopyAll(int from, int to);
// The same without a copy: one of the two is a pipe.
void SpliceAll(int from, int to);

// A file that one thread appends to, and another reads as it grows.
class GrowingFile {
 public:
  explicit GrowingFile(const std::string& path);

  // From a pipe, without a copy, until its end.
  void FillFrom(int source);
  // All of it, to a pipe or a socket.
  void SendTo(int target);

 private:
  bool HasMoreThan(off_t offset);

  const UniqueFd fd_;
  Mutex mu_;
  off_t length_ ABSL_GUARDED_BY(mu_) = 0;
  bool complete_ ABSL_GUARDED_BY(mu_) = false;
};

// MB/s of each round, and the ratio of the two.
struct Rates {
  std::vector<double> raw, shoal, ratio;
};

// Moves `size` bytes by the raw pipeline and by `shoal`, in turn; each returns how many came. Ends the
// program if one lost something.
Rates MeasureRates(size_t size, int rounds, const std::function<size_t()>& raw,
                   const std::function<size_t()>& shoal);
// The medians as a row.
void PrintRates(absl::string_view what, const Rates& rates, absl::string_view to_reach);

}  // namespace shoal::bench

#endif  // SHOAL_TESTS_BENCH_RAW_PIPELINE_H_
