// What is written to the stdin of processes that were started with an input stream
// (ProcessSpec.input.stream, ProcessOptions.input).
//
// Bytes have absolute offsets and are kept by the host until the process takes them: what was written
// is there once, whatever becomes of connection, agent and this program meanwhile.
#ifndef SHOAL_CLIENT_SHOAL_INPUT_H_
#define SHOAL_CLIENT_SHOAL_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "shoal/host.h"
#include "shoal/v1/process.pb.h"

namespace shoal {

// How long Input::Hold() lasts.
inline constexpr absl::Duration kInputHold = absl::Minutes(1);

// Where the input of a job, or of Input::WriteFrom(), comes from.
//
// Thread-safety: Read() on one thread; Stop() and OnUnread() on any.
class InputSource {
 public:
  virtual ~InputSource() = default;
  // Blocks until there are bytes, at most `most`; empty: the end, or Stop() was called.
  virtual absl::StatusOr<std::string> Read(size_t most) = 0;
  // A Read() under way, and each later one, returns at once.
  virtual void Stop() = 0;
  // No process reads any more: who writes to the source may be told.
  virtual void OnUnread() {}
};

// The input of one process. It begins where the input is when it is first used, so that another
// program may have written before; two that write at the same time are told so.
//
// Ownership:     a value; shares its Host.
// Thread-safety: one thread at a time.
// Blocking:      every call waits for the host; Write() as long as the process takes nothing and the
//                window is full.
// Errors:        FAILED_PRECONDITION: the process has closed its input or has ended, another writer
//                writes, it has ended before, or the process has no input. DEADLINE_EXCEEDED,
//                UNAVAILABLE: go on with what is behind offset(). Else as the proto says.
class Input {
 public:
  // `process`: name or id.
  Input(std::shared_ptr<Host> host, std::string process);

  // Returns when the host keeps all of it. A few bytes go by one call; more by a stream, ahead of what is kept.
  absl::Status Write(absl::string_view data, absl::Duration timeout = absl::InfiniteDuration());
  // Writes what the source gives until that ends, which the process does not see: Close() tells it. If the process
  // reads no more, the source is stopped, and told.
  absl::Status WriteFrom(InputSource& source);
  // The process sees the end behind what was written. Closing twice is OK.
  absl::Status Close(absl::Duration timeout = absl::InfiniteDuration());
  // Waits until the process has read everything that was written.
  absl::Status AwaitTaken(absl::Duration timeout = absl::InfiniteDuration());

  // From now on for a minute no other writer may write; call it again before that is over.
  // FAILED_PRECONDITION: another one holds it, unless `steal`, which takes it from it.
  absl::Status Hold(bool steal = false);
  absl::Status Release(absl::Duration timeout = absl::Seconds(30));

  absl::StatusOr<v1::InputPosition> Position(absl::Duration timeout = absl::Seconds(30));
  // One past the newest byte that this has written, or found there; 0 before the first call.
  int64_t offset() const { return offset_.value_or(0); }
  // As agents know this one: for a call of one's own.
  const std::string& writer() const { return writer_; }

 private:
  class Feed;

  absl::Status Begin(absl::Duration timeout);
  absl::Status Stream(absl::string_view data, absl::Duration timeout);
  absl::Status TellLate(int64_t wanted) const;
  absl::Status SetHold(absl::Duration span, bool steal, absl::Duration timeout);
  absl::Status Send(absl::string_view data, bool end, v1::WriteInputRequest::Until until,
                    absl::Duration timeout);

  std::shared_ptr<Host> host_;
  std::string process_;
  std::string writer_;
  std::optional<int64_t> offset_;  // absent: not known yet
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_INPUT_H_
