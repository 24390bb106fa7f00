#include "agent/spec/template_spec.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/spec/spec_conversion.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {

std::shared_ptr<const Spec> TemplateSpecOf(const Spec& spec, const std::vector<std::string>& argv) {
  const std::string told = absl::StrCat(fork_protocol::kTemplateVariable, "=");
  v1::ProcessSpec proto;
  proto.mutable_argv()->Assign(argv.begin(), argv.end());
  for (const std::string& variable : spec.env) {
    if (!absl::StartsWith(variable, told)) proto.add_env(variable);
  }
  proto.add_env(absl::StrCat(told, "1"));
  proto.set_cwd(spec.cwd);
  for (const SpecFile& file : spec.files) {
    v1::ShippedFile* added = proto.add_files();
    added->set_path(file.path);
    if (!file.sha256.empty()) added->set_sha256(file.sha256);
    added->set_executable(file.executable);
    added->set_library(file.library);
  }
  if (spec.start_method != StartMethod::kForkserver) {
    proto.mutable_labels()->insert(spec.labels.begin(), spec.labels.end());
  }
  // Cannot fail: it has no span of its own.
  return *BuildSpec(std::move(proto), /*has_session=*/false);
}

}  // namespace shoal::agent
