#include "common/descriptor_limit.h"

namespace shoal {

rlim_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t soft = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // Lowering nothing, it cannot fail; if it did, we have less.
  return soft;
}

}  // namespace shoal
