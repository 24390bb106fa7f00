#include "agent/spec/spec.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/strip.h"

namespace shoal::agent {

std::shared_ptr<const Spec> WithoutEnvValues(const Spec& spec) {
  constexpr char kEquals = '=';
  if (absl::c_none_of(spec.env, [](const std::string& entry) {
        return entry.find(kEquals) != std::string::npos;
      })) {
    return nullptr;
  }
  auto names = std::make_shared<Spec>(spec);
  for (std::string& entry : names->env) entry.resize(std::min(entry.size(), entry.find(kEquals)));
  return names;
}

bool RunsShippedProgram(absl::string_view program, const std::vector<SpecFile>& files) {
  return absl::ConsumePrefix(&program, "./") &&
         absl::c_any_of(files, [program](const SpecFile& file) { return file.path == program; });
}

}  // namespace shoal::agent
