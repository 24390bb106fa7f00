// Where the programs under test are: beside the test itself, or in $SHOAL_BIN_DIR.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_BINARIES_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_BINARIES_H_

#include <string>

namespace shoal::testing {

std::string BinaryPath(const std::string& name);

inline std::string ShoaldPath() { return BinaryPath("shoald"); }
inline std::string ShimPath() { return BinaryPath("shoal-shim"); }
inline std::string ShoalPath() { return BinaryPath("shoal"); }
// tests/support/system/child.cc: one program with a verb for each way to behave.
inline std::string ChildPath() { return BinaryPath("shoal_test_child"); }

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_BINARIES_H_
