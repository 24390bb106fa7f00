// What the fuzzers have in common: each is LLVMFuzzerTestOneInput(), called by libFuzzer with
// arbitrary bytes, and ends the program where a promise about them does not hold.
//
// Thread-safety: single-threaded process only.
#ifndef SHOAL_TESTS_FUZZ_FUZZ_H_
#define SHOAL_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shoal::fuzz {

inline void Require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", promise);
  std::abort();
}

// What is told about bad input goes to a terminal or a log: no byte of it may steer either.
inline void RequireReadable(const absl::Status& status) {
  for (char c : status.message()) {
    Require(c >= ' ' || c < 0, "an error message has no control characters");
    Require(c != '\x7f', "an error message has no control characters");
  }
}

inline absl::string_view ToText(const uint8_t* data, size_t size) {
  return absl::string_view(reinterpret_cast<const char*>(data), size);
}

}  // namespace shoal::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // SHOAL_TESTS_FUZZ_FUZZ_H_
