// Which readers of output are given large frames: few at a time, so that thousands that stand still do not hold
// much memory. A large frame costs the same wake-ups as a small one, and has half of them for the same bytes.
//
// Ownership:     owned by the output thread; outlives its leases.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_OUTPUT_LARGE_FRAMES_H_
#define SHOAL_AGENT_OUTPUT_LARGE_FRAMES_H_

#include <atomic>
#include <cstdint>
#include <memory>

namespace shoal::agent {

inline constexpr int64_t kFrameBytes = 32 << 10;
inline constexpr int64_t kLargeFrameBytes = 64 << 10;

class LargeFrames {
 public:
  static constexpr int kMost = 64;

  class Lease {
   public:
    explicit Lease(std::atomic<int>* taken) : taken_(taken) {}
    ~Lease() { --*taken_; }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

   private:
    std::atomic<int>* const taken_;
  };

  // Null: so many readers have one.
  std::unique_ptr<Lease> Take() {
    if (++taken_ <= kMost) return std::make_unique<Lease>(&taken_);
    --taken_;
    return nullptr;
  }

 private:
  std::atomic<int> taken_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_LARGE_FRAMES_H_
