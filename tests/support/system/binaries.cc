#include "tests/support/system/binaries.h"

#include <cstdlib>
#include <filesystem>

namespace shoal::testing {

std::string BinaryPath(const std::string& name) {
  const char* directory = getenv("SHOAL_BIN_DIR");
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe");
  return (directory ? std::filesystem::path(directory) : own.parent_path()) / name;
}

}  // namespace shoal::testing
