// Writes the output of processes to this program's own stdout and stderr, whole lines at a time, in
// the order in which they come.
//
// It has a thread of its own, since the reader of our stdout may stop: then the sources are paused,
// each with a bounded amount waiting here, and nothing else in the library waits for it. What our
// stdout does not take is told at the end of its source; what our stderr does not take is dropped.
//
// Ownership:     the forwarder is one for the program, never destroyed. A source is shared by the
//                process whose output it is and the forwarder.
// Thread-safety: thread-safe; calls for one source come one at a time.
// Blocking:      never blocks, but where no thread was to be had for it.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_OUTPUT_FORWARDER_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_OUTPUT_FORWARDER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "shoal/call.h"
#include "shoal/v1/process.pb.h"

namespace shoal::internal {

class OutputForwarder {
 public:
  // The output of one process.
  class Source {
   public:
    // The stream to resume after a pause; null before it is destroyed.
    void Attach(Subscription* subscription);

   private:
    friend class OutputForwarder;

    std::string begun_[2];  // lines without their newline, of stdout and stderr

    Mutex mu_;
    Subscription* subscription_ ABSL_GUARDED_BY(mu_) = nullptr;
    size_t waiting_bytes_ ABSL_GUARDED_BY(mu_) = 0;
    absl::Status failure_ ABSL_GUARDED_BY(mu_);  // the first of our stdout
    bool is_paused_ ABSL_GUARDED_BY(mu_) = false;
  };

  static OutputForwarder& Get();

  // kPause: enough is waiting; the subscription is resumed when it is not any more.
  Flow Push(const std::shared_ptr<Source>& source, v1::StreamKind stream, absl::string_view data);
  // A line of our own about it, for stderr; stands between its lines.
  void Note(const std::shared_ptr<Source>& source, absl::string_view line);
  using Written = absl::AnyInvocable<void(const absl::Status&)>;
  // The last call: what is left of the last lines is written, then `written` is called, with the
  // error that kept any of its output from our stdout.
  void End(const std::shared_ptr<Source>& source, Written written);

 private:
  struct Chunk {
    std::shared_ptr<Source> source;
    v1::StreamKind stream = v1::STREAM_KIND_UNSPECIFIED;
    std::string text;
    Written written;
  };

  OutputForwarder();
  void Enqueue(Chunk chunk);
  [[noreturn]] void Run();
  static void Write(Chunk& chunk);

  bool has_thread_ = false;  // const after construction; without one each writes for itself
  Mutex mu_;
  std::vector<Chunk> chunks_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_OUTPUT_FORWARDER_H_
