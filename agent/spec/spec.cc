#include "agent/spec/spec.h"

#include "absl/algorithm/container.h"
#include "absl/strings/strip.h"

namespace shoal::agent {

bool RunsShippedProgram(absl::string_view program, const std::vector<SpecFile>& files) {
  return absl::ConsumePrefix(&program, "./") &&
         absl::c_any_of(files, [program](const SpecFile& file) { return file.path == program; });
}

}  // namespace shoal::agent
