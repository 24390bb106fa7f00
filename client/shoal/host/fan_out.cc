#include "shoal/fan_out.h"

#include "common/blocking_counter.h"

namespace shoal::internal {

void AwaitAll(size_t count,
              const std::function<void(size_t, std::function<void()> on_answered)>& start) {
  BlockingCounter pending(static_cast<int>(count));
  for (size_t i = 0; i < count; ++i) start(i, [&pending] { pending.DecrementCount(); });
  pending.Wait();
}

}  // namespace shoal::internal
