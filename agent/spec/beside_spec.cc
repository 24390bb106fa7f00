#include "agent/spec/beside_spec.h"

#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "shoal/v1/process.pb.h"

namespace shoal::agent {
namespace {

absl::string_view KeyOf(absl::string_view entry) { return entry.substr(0, entry.find('=')); }

}  // namespace

std::shared_ptr<const Spec> BesideSpec(const Spec& spec, const std::string& id, const Spec& other) {
  auto made = std::make_shared<Spec>(spec);
  made->beside = id;
  if (spec.cwd.empty() && spec.files.empty()) made->cwd = other.cwd;
  absl::flat_hash_set<absl::string_view> own;
  for (const std::string& entry : spec.env) own.insert(KeyOf(entry));
  std::vector<std::string> env;
  for (const std::string& entry : other.env) {
    if (!own.contains(KeyOf(entry))) env.push_back(entry);
  }
  env.insert(env.end(), spec.env.begin(), spec.env.end());
  made->env = std::move(env);
  v1::ProcessSpec proto;
  proto.ParseFromString(spec.wire);
  proto.set_beside(id);
  proto.set_cwd(made->cwd);
  made->wire = proto.SerializeAsString();
  return made;
}

}  // namespace shoal::agent
