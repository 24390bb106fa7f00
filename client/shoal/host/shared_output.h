// Follows the output of many processes of one host by few streams, and tells each process's own
// observer.
//
//   1. Read() gives a process a stream of its own. Of eight streams of one size seven are
//      cancelled                                                          Merge
//   2. a cancelled stream hands its processes over to the eighth          HandOver
//   3. which asks anew for all of them, from where each reader is         Prepare
//   4. a process leaves when all its streams have ended                   OnFrame
//   5. a stream that fails for one of several is taken apart: each half has a stream, which is not
//      merged until something comes of it. So the one comes to have a stream and the error of its
//      own, and the others a stream for each halving                      TakeApart
//
// So when Read() returns, and after each end of a stream, merges are under way that leave at most
// seven streams of 1, of up to 8 and of up to 64 processes, and those of more, up to 512; beside
// those that were taken apart.
// A stream names its processes: what is written by others is not sent, and where a broken or
// merged one goes on is where each reader has come, as for a reader of one process.
//
// Ownership:     the Host's Rep; shared with the streams until their last callback, and with each
//                Subscription that Read() returns.
// Thread-safety: thread-safe. Callbacks of the observers of one stream come one at a time.
// Blocking:      never blocks but for the destructor of a Subscription, which waits for a callback
//                of its observer that is under way.
// Back-pressure: an observer that pauses, or whose callback takes long, holds up all that share
//                its stream, until it resumes. Nothing is lost by that: what was not told is not
//                acknowledged, and stays with the agent. Observers that pause, since they pass on
//                to a terminal that may stop, are therefore kept from the others: they have a
//                SharedOutput of their own.
#ifndef SHOAL_CLIENT_SHOAL_HOST_SHARED_OUTPUT_H_
#define SHOAL_CLIENT_SHOAL_HOST_SHARED_OUTPUT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/mutex.h"
#include "shoal/call.h"
#include "shoal/host.h"
#include "shoal/link/link.h"

namespace shoal {

class SharedOutput final : public std::enable_shared_from_this<SharedOutput> {
 public:
  explicit SharedOutput(Link* link) : link_(link) {}

  // Every stream of the process, from its first byte to the ends of all. `acknowledge_bytes`: as
  // ReadOutputOptions says. The Subscription's Cancel() may call on_end on this thread.
  std::unique_ptr<Subscription> Read(const v1::Process& process, OutputObserver observer,
                                     int64_t acknowledge_bytes);

 private:
  class Reading;
  struct Member;
  struct Carrier;
  using Members = std::map<std::string, std::shared_ptr<Member>>;
  // To be done once mu_ is released.
  struct Work;

  std::shared_ptr<Carrier> AddCarrier(Members members) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Renew(const std::shared_ptr<Carrier>& carrier, Work* work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Merge() ABSL_LOCKS_EXCLUDED(mu_);
  void HandOver(Carrier* carrier, Work* work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeApart(const std::shared_ptr<Carrier>& carrier, const absl::Status& status, Work* work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Leave(Member* member) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Remove(const Carrier* carrier) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void Prepare(Carrier* carrier, v1::ReadOutputRequest* request);
  Flow OnFrame(Carrier* carrier, v1::ReadOutputResponse&& frame);
  void OnConnection(Carrier* carrier, const absl::Status& status);
  void OnEnd(const std::shared_ptr<Carrier>& carrier, const absl::Status& status);
  void End(Member* member, const absl::Status& status);
  void Finish(Member* member);

  Link* const link_;
  Mutex mu_;  // before those of the streams
  std::vector<std::shared_ptr<Carrier>> carriers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_SHARED_OUTPUT_H_
