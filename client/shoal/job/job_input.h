// The input of a job on its way from its source to the ranks that read it, each at its own speed.
//
//   Add, AddEmpty (once for each rank that runs) → BeginReading → a thread reads, and puts it into the feed
//
// What the slowest reader has not got is held by the feed; when that is full the source waits. A rank that
// closes its input, or ends, is left out from then on; after the last one the source is told.
//
// Ownership:     the job's; the source is shared with calls, which may outlive it.
// Thread-safety: one thread; AwaitPassed() on any thread.
// Blocking:      Stop() until the thread has ended, AwaitPassed(); the rest never blocks.
// Errors:        to `on_lost`, on any thread: what did not get through to a rank that lives.
#ifndef SHOAL_CLIENT_SHOAL_JOB_JOB_INPUT_H_
#define SHOAL_CLIENT_SHOAL_JOB_JOB_INPUT_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "shoal/host.h"
#include "shoal/host/input_feed.h"
#include "shoal/input.h"

namespace shoal {

class JobInput {
 public:
  using OnLost = std::function<void(int rank, const absl::Status& reason)>;

  // `rank` -1: the source itself. `writer`: as agents know this one; empty: a new name.
  JobInput(std::shared_ptr<InputSource> source, OnLost on_lost, std::string writer);
  // REQUIRES: Stop().
  ~JobInput() = default;
  JobInput(const JobInput&) = delete;
  JobInput& operator=(const JobInput&) = delete;

  // The process reads all of the source; or nothing, and sees the end at once.
  void Add(int rank, std::shared_ptr<Host> host, std::string process_id);
  void AddEmpty(int rank, std::shared_ptr<Host> host, std::string process_id);
  // Every rank that will be there is. Behind Stop() nothing is read.
  void BeginReading();
  // What was read until now is kept by the hosts of all that read it; false: not within `timeout`.
  bool AwaitPassed(absl::Duration timeout) { return feed_->AwaitPassed(timeout); }
  void Stop();

 private:
  void ReadAll();

  const std::shared_ptr<InputSource> source_;
  const OnLost on_lost_;
  const std::shared_ptr<InputFeed> feed_;
  std::thread thread_;
  bool is_stopped_ = false;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_JOB_JOB_INPUT_H_
