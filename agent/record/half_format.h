// How a half of a record is sealed, and read across versions.
//
// Thread-safety: plain functions.
// Errors:        Unpack says what is there; nothing is guessed of a half that it cannot read.
//
// The rules:
//   1. Whatever its version, a half begins with Prefix. A reader of version V reads it if
//      oldest_reader <= V: it takes the fields that it knows, 0 for those that an older writer did
//      not have, and passes over those that a newer one has appended.
//   2. A half that it cannot read is known by its prefix alone (Reading::kPrefixOnly).
//   3. A half is changed in the format it has: version, size and oldest_reader stay, and so do the
//      fields that the changing program does not know. So a shim finds the version that it was
//      started with, whichever agent writes.
//   4. A shim of a newer version than its agent half speaks that half's version if it is 2 (below),
//      else its own, which appends only.
//   5. Version 2 (Shoal 0.1) had a shorter prefix: size and oldest_reader were not there, nor the
//      boot id in the shim's half. Its fields behind that are those of version 3 in their order.
//
// Included by the shim, which has no standard library: C headers only.
#ifndef SHOAL_AGENT_RECORD_HALF_FORMAT_H_
#define SHOAL_AGENT_RECORD_HALF_FORMAT_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "agent/record/checksum.h"
#include "agent/record/record_layout.h"

namespace shoal::record {

inline constexpr uint32_t kVersion2 = 2;

// Where a half lies in its slot, and how version 2 had it. `kBody2` is the offset of its first
// field behind the prefix, `kSize2` its size.
template <typename Half>
struct FormatOf;
template <>
struct FormatOf<AgentHalf> {
  static constexpr size_t kOffset = kAgentHalfOffset;
  static constexpr size_t kAreaBytes = kAgentAreaBytes;
  static constexpr size_t kBody2 = 48;
  static constexpr size_t kSize2 = 168;
};
template <>
struct FormatOf<ShimHalf> {
  static constexpr size_t kOffset = kShimHalfOffset;
  static constexpr size_t kAreaBytes = kShimAreaBytes;
  static constexpr size_t kBody2 = 32;
  static constexpr size_t kSize2 = 264;
};

// The bytes of a slot that belong to one half.
template <typename Half>
struct Area {
  unsigned char bytes[FormatOf<Half>::kAreaBytes];
};

enum class Reading {
  kEmpty,
  kIntact,
  kPrefixOnly,  // of a version that this program cannot read
  kDamaged,
};

// Of a half's first `size` bytes, with the checksum field taken as 0.
inline uint32_t HalfChecksum(const unsigned char* half, size_t size) {
  unsigned char copy[kSlotBytes];
  memcpy(copy, half, size);
  memset(copy + offsetof(Prefix, checksum), 0, sizeof(uint32_t));
  return ChecksumOf(copy, size);
}

// Makes a half one of this program's format, to be sealed by Pack.
template <typename Half>
void SetFormat(Half* half) {
  half->prefix.magic = kRecordMagic;
  half->prefix.version = kRecordVersion;
  half->prefix.size = sizeof(Half);
  half->prefix.oldest_reader = kOldestReader;
}

// Makes it one of version 2.
template <typename Half>
void SetFormat2(Half* half) {
  half->prefix.magic = kRecordMagic;
  half->prefix.version = kVersion2;
  half->prefix.size = FormatOf<Half>::kSize2;
  half->prefix.oldest_reader = kVersion2;
}

// Reads `area` into `half`. kPrefixOnly: only half->prefix is filled in; else nothing unless
// kIntact.
template <typename Half>
Reading Unpack(const Area<Half>& area, Half* half) {
  using Format = FormatOf<Half>;
  static constexpr Area<Half> kZero = {};
  Prefix prefix;
  memcpy(&prefix, area.bytes, sizeof(prefix));
  const bool is_2 = prefix.version == kVersion2;
  const size_t size = is_2 ? Format::kSize2 : prefix.size;
  if (prefix.magic != kRecordMagic || prefix.version < kVersion2 || size < sizeof(Prefix) ||
      size > sizeof(area) || HalfChecksum(area.bytes, size) != prefix.checksum) {
    return memcmp(&area, &kZero, sizeof(area)) == 0 ? Reading::kEmpty : Reading::kDamaged;
  }
  memset(half, 0, sizeof(*half));
  if (is_2) {
    memcpy(half, area.bytes, Format::kBody2);
    memcpy(reinterpret_cast<unsigned char*>(half) + sizeof(Prefix), area.bytes + Format::kBody2,
           Format::kSize2 - Format::kBody2);
    SetFormat2(half);
    return Reading::kIntact;
  }
  half->prefix = prefix;
  if (prefix.oldest_reader > kRecordVersion) return Reading::kPrefixOnly;
  memcpy(half, area.bytes, size < sizeof(Half) ? size : sizeof(Half));
  return Reading::kIntact;
}

// Puts `half` into `area` in the format that its prefix names, with the next sequence and a
// checksum; bytes of the area behind the fields that this program knows stay as they are. Returns
// the number of bytes to write.
template <typename Half>
size_t Pack(Half* half, Area<Half>* area) {
  using Format = FormatOf<Half>;
  Prefix& prefix = half->prefix;
  const bool is_2 = prefix.version == kVersion2;
  ++prefix.sequence;
  if (is_2) {
    memcpy(area->bytes, half, Format::kBody2);
    memcpy(area->bytes + Format::kBody2, reinterpret_cast<unsigned char*>(half) + sizeof(Prefix),
           Format::kSize2 - Format::kBody2);
  } else {
    memcpy(area->bytes, half, prefix.size < sizeof(Half) ? prefix.size : sizeof(Half));
  }
  const size_t size = is_2 ? Format::kSize2 : prefix.size;
  prefix.checksum = HalfChecksum(area->bytes, size);
  memcpy(area->bytes + offsetof(Prefix, checksum), &prefix.checksum, sizeof(prefix.checksum));
  return size;
}

}  // namespace shoal::record

#endif  // SHOAL_AGENT_RECORD_HALF_FORMAT_H_
