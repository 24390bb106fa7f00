// The checksum of records and database rows.
//
// Thread-safety: plain function. Included by the shim: C headers only.
#ifndef SHOAL_AGENT_RECORD_CHECKSUM_H_
#define SHOAL_AGENT_RECORD_CHECKSUM_H_

#include <stddef.h>
#include <stdint.h>

namespace shoal::record {

// FNV-1a; finds torn and damaged halves, is no defence against an attacker.
inline uint32_t ChecksumOf(const void* bytes, size_t size) {
  const unsigned char* p = static_cast<const unsigned char*>(bytes);
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < size; ++i) hash = (hash ^ p[i]) * 16777619u;
  return hash;
}

}  // namespace shoal::record

#endif  // SHOAL_AGENT_RECORD_CHECKSUM_H_
