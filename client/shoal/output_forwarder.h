// Writes the output of processes to this program's own stdout and stderr, whole lines at a time, in
// the order in which they come.
//
// It has a thread of its own, since whoever reads our stdout may stop: then the sources are paused,
// each with a bounded amount waiting here, and nothing else in the library waits for it.
//
// Ownership:     the forwarder is one for the program, never destroyed. A source is shared by the
//                process whose output it is and the forwarder.
// Thread-safety: thread-safe; calls for one source come one at a time.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_SHOAL_OUTPUT_FORWARDER_H_
#define SHOAL_CLIENT_SHOAL_OUTPUT_FORWARDER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
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

    absl::Mutex mu_;
    Subscription* subscription_ ABSL_GUARDED_BY(mu_) = nullptr;
    size_t waiting_bytes_ ABSL_GUARDED_BY(mu_) = 0;
    bool is_paused_ ABSL_GUARDED_BY(mu_) = false;
  };

  static OutputForwarder& Get();

  // kPause: enough is waiting; the subscription is resumed when it is not any more.
  Flow Push(const std::shared_ptr<Source>& source, v1::StreamKind stream, absl::string_view data);
  // A line of our own about it, for stderr; stands between its lines.
  void Note(const std::shared_ptr<Source>& source, absl::string_view line);
  // The last call: what is left of the last lines is written, then `written` is called.
  void End(const std::shared_ptr<Source>& source, absl::AnyInvocable<void()> written);

 private:
  struct Chunk {
    std::shared_ptr<Source> source;
    v1::StreamKind stream = v1::STREAM_KIND_UNSPECIFIED;
    std::string text;
    absl::AnyInvocable<void()> written;
  };

  OutputForwarder();
  void Enqueue(Chunk chunk);
  [[noreturn]] void Run();
  static void Write(const Chunk& chunk);

  absl::Mutex mu_;
  std::vector<Chunk> chunks_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_OUTPUT_FORWARDER_H_
