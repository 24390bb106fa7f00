// What a `start` has under way: processes that would outlive it, and are ended again if it is interrupted before it
// can say that they are there.
//
// Ownership:     the caller's; outlives Run().
// Thread-safety: Run() once, on one thread; the rest on any.
// Blocking:      Run() until every host has answered, and what is ended again is seen to be gone; the rest never
//                blocks.
#ifndef SHOAL_CLIENT_CLI_STARTING_H_
#define SHOAL_CLIENT_CLI_STARTING_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "shoal/host.h"
#include "shoal/job.h"

namespace shoal::cli {

// What is to be started on one host.
struct Share {
  std::shared_ptr<Host> host;
  v1::SpawnBatchRequest request;
};

class Starting {
 public:
  using Answer = absl::StatusOr<v1::SpawnBatchResponse>;

  explicit Starting(std::vector<Share> shares);

  // By share.
  std::vector<Answer> Run();

  // Ends what was started, and what is found to have been started later. False: Run() is over, so that what was
  // started goes on.
  bool Interrupt(int signal);
  // The first signal that came before Run() was over; 0: none did.
  int interrupted_by() const;

  // What was started, or may have been, and is not known to be gone. `host` is the index of the share.
  std::vector<HostLeft> Left() const;

 private:
  struct Entry {
    bool is_answered = false;
    bool is_ended = false;  // the answer to the Terminate
    bool is_certain = false;
    std::vector<std::string> ids;  // started, and not known to be gone
  };

  void OnAnswer(size_t share, const Answer& answer);
  void End(size_t share, std::vector<std::string> ids);
  void OnEnded(size_t share, const absl::StatusOr<v1::TerminateResponse>& answer);
  bool IsOver() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  std::vector<Share> shares_;
  mutable Mutex mu_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mu_);
  int interrupted_by_ ABSL_GUARDED_BY(mu_) = 0;
  bool is_over_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_STARTING_H_
