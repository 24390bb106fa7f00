// How long an end takes unless the caller says otherwise; agent, library and command line wait by
// these.
//
// Thread-safety: constants.
#ifndef SHOAL_COMMON_END_TIMES_H_
#define SHOAL_COMMON_END_TIMES_H_

#include "absl/time/time.h"

namespace shoal {

// Between the first signal and SIGKILL: ProcessSpec.grace when it is absent.
inline constexpr absl::Duration kDefaultGrace = absl::Seconds(5);

// On top of the grace: how long a call that ends processes waits for the proof that their trees are
// empty.
inline constexpr absl::Duration kProofTime = absl::Seconds(10);

}  // namespace shoal

#endif  // SHOAL_COMMON_END_TIMES_H_
