// The limit on open descriptors of this program, RLIMIT_NOFILE.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks.
#ifndef SHOAL_COMMON_DESCRIPTOR_LIMIT_H_
#define SHOAL_COMMON_DESCRIPTOR_LIMIT_H_

#include <sys/resource.h>

namespace shoal {

// Raises the soft limit to the hard one and returns the soft one as it was, since programs that are
// started inherit it; 0 if it could not be read.
rlim_t RaiseDescriptorLimit();

}  // namespace shoal

#endif  // SHOAL_COMMON_DESCRIPTOR_LIMIT_H_
