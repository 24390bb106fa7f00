// Rows of the time index that tell what another program has cut away of a segment while it was written.
#ifndef SHOAL_AGENT_RECORD_CUT_ROWS_H_
#define SHOAL_AGENT_RECORD_CUT_ROWS_H_

#include <stdint.h>

namespace shoal::record {

// Two rows in a row, with these beside the number of the stream: what lies between their offsets was written and cut
// away. What is read there now is no output: zeros, up to where the shim has gone on.
inline constexpr uint64_t kCutFrom = 0x100;
inline constexpr uint64_t kCutTo = 0x200;

}  // namespace shoal::record

#endif  // SHOAL_AGENT_RECORD_CUT_ROWS_H_
