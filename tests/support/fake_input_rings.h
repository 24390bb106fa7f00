// Rings in memory. What is written is there at once, and told by the scheduler.
//
// Thread-safety: one thread.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_INPUT_RINGS_H_
#define SHOAL_TESTS_SUPPORT_FAKE_INPUT_RINGS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/core/ports/input_rings.h"
#include "agent/core/ports/scheduler.h"

namespace shoal::agent {

class FakeInputRings final : public InputRings {
 public:
  explicit FakeInputRings(Scheduler* scheduler) : scheduler_(scheduler) {}

  void Write(const std::string& id, int64_t window, InputPiece piece,
             absl::AnyInvocable<void(absl::Status)> done) override {
    std::string& ring = rings[id];
    ring.resize(static_cast<size_t>(window));
    for (size_t i = 0; i < piece.size; ++i) {
      const int64_t at = (piece.offset + static_cast<int64_t>(i)) % window;
      ring[static_cast<size_t>(at)] = (*piece.data)[piece.from + i];
    }
    ++writes;
    scheduler_->After(absl::ZeroDuration(), [status = next, done = std::move(done)]() mutable {
      done(std::move(status));
    });
  }
  void Forget(const std::string& id) override { forgotten.insert(id); }

  // Bytes [from, to) of the input, as the ring has them.
  std::string Read(const std::string& id, int64_t from, int64_t to) {
    const std::string& ring = rings[id];
    std::string read;
    for (int64_t at = from; at < to; ++at)
      read.push_back(ring[static_cast<size_t>(at) % ring.size()]);
    return read;
  }

  std::map<std::string, std::string> rings;
  std::set<std::string> forgotten;
  absl::Status next;  // what the next writes come to
  int writes = 0;

 private:
  Scheduler* const scheduler_;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_FAKE_INPUT_RINGS_H_
