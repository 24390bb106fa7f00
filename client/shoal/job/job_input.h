// The input of a job on its way from its source to the ranks that read it, each at its own speed.
//
//   Add, AddEmpty (once for each rank that runs) → BeginReading → a thread reads, calls write
//
// What the slowest reader has not got is held, up to kMostHeld; then the source waits. A rank that
// closes its input, or ends, is left out from then on; after the last one the source is told.
//
// Ownership:     shared with the calls, which may outlive the job.
// Thread-safety: thread-safe.
// Blocking:      Stop() until the thread has ended, AwaitPassed(); the rest never blocks.
// Errors:        to `on_lost`, on any thread: what did not get through to a rank that lives.
#ifndef SHOAL_CLIENT_SHOAL_JOB_JOB_INPUT_H_
#define SHOAL_CLIENT_SHOAL_JOB_JOB_INPUT_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "shoal/host.h"
#include "shoal/input.h"

namespace shoal {

class JobInput : public std::enable_shared_from_this<JobInput> {
 public:
  using OnLost = std::function<void(int rank, const absl::Status& reason)>;

  // `rank` -1: the source itself. `writer`: as agents know this one; empty: a new name.
  JobInput(std::shared_ptr<InputSource> source, OnLost on_lost, std::string writer);
  // REQUIRES: Stop(), if it has begun to read.
  ~JobInput() = default;

  // The process reads all of the source; or nothing, and sees the end at once.
  void Add(int rank, std::shared_ptr<Host> host, std::string process_id);
  void AddEmpty(int rank, std::shared_ptr<Host> host, std::string process_id);
  // Every rank that will be there is.
  void BeginReading();
  // What was read until now is kept by the hosts of all that read it; false: not within `timeout`.
  bool AwaitPassed(absl::Duration timeout);
  void Stop();

 private:
  struct Reader {
    int rank = 0;
    std::shared_ptr<Host> host;
    std::string process_id;
    bool is_empty = false;  // sees the end at once
    int64_t offset = 0;     // kept by the host
    bool is_asked = false;
    bool is_over = false;
  };
  using ReaderPtr = std::shared_ptr<Reader>;

  void AddReader(const ReaderPtr& reader);
  void ReadAll();
  void Put(std::string bytes, bool is_last);
  // No reader is left, and none will come.
  bool IsUnread() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // False: there is nothing to be sent now.
  bool Next(const Reader& reader, v1::WriteInputRequest* request) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteNext(const ReaderPtr& reader);
  void OnWritten(const ReaderPtr& reader, const absl::StatusOr<v1::WriteInputResponse>& answer);
  void DropHad() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Leave(const ReaderPtr& reader, const absl::Status& reason);

  const std::shared_ptr<InputSource> source_;
  const OnLost on_lost_;
  const std::string writer_;

  mutable Mutex mu_;
  std::vector<ReaderPtr> readers_ ABSL_GUARDED_BY(mu_);
  std::deque<std::string> held_ ABSL_GUARDED_BY(mu_);  // from begin_ on
  int64_t begin_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t end_ ABSL_GUARDED_BY(mu_) = 0;
  bool has_all_ ABSL_GUARDED_BY(mu_) = false;   // the source has ended, at end_
  bool is_whole_ ABSL_GUARDED_BY(mu_) = false;  // every reader that will be there is
  bool is_stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // of the thread that calls BeginReading() and Stop()
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_JOB_JOB_INPUT_H_
