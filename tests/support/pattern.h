// Bytes whose value follows from their offset, so that any piece of a flood can be checked by
// itself.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_TESTS_SUPPORT_PATTERN_H_
#define SHOAL_TESTS_SUPPORT_PATTERN_H_

#include <stdint.h>

namespace shoal::testing {

// Changes from byte to byte and from block to block; takes all 256 values, newline and NUL
// included.
inline unsigned char PatternByte(uint64_t offset) {
  uint64_t mixed = (offset / 8 + 1) * 0x9e3779b97f4a7c15u;
  return static_cast<unsigned char>(mixed >> (8 * (offset % 8)));
}

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_PATTERN_H_
