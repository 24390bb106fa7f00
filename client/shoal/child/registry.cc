#include "shoal/registry.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"

namespace shoal::internal {
namespace {

std::string FirstOf(const std::pair<const std::string, Registry::Factory>& entry) {
  return entry.first;
}

}  // namespace

Registry& Registry::Get() {
  static auto* const kRegistry = new Registry;
  return *kRegistry;
}

absl::Status Registry::Add(absl::string_view name, Factory factory) {
  if (factories_.emplace(std::string(name), std::move(factory)).second) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat("SHOAL_REGISTER_…(", name,
                   "): the name is registered twice in this program, so a child could not tell "
                   "which of both to run; rename one, or put it into a namespace and register it "
                   "as SPACE::NAME"));
}

absl::Status Registry::AddFunction(absl::string_view name, FunctionKey key, Function function) {
  SHOAL_RETURN_IF_ERROR(Add(name, [key, function](ProcessOptions options) {
    std::string argument = std::move(options.argument);
    options.argument.clear();
    return std::make_unique<Process>(
        BoundFunction{key, function, std::move(argument), absl::OkStatus()}, std::move(options));
  }));
  functions_.emplace(key, std::string(name));
  return absl::OkStatus();
}

absl::Status Registry::AddClass(absl::string_view name, std::type_index type, Factory factory) {
  SHOAL_RETURN_IF_ERROR(Add(name, std::move(factory)));
  classes_.emplace(type, std::string(name));
  return absl::OkStatus();
}

std::string Registry::NameOf(FunctionKey key) const {
  auto found = functions_.find(key);
  return found == functions_.end() ? "" : found->second;
}

std::string Registry::NameOf(std::type_index type) const {
  auto found = classes_.find(type);
  return found == classes_.end() ? "" : found->second;
}

absl::StatusOr<std::unique_ptr<Process>> Registry::Make(absl::string_view name,
                                                        ProcessOptions options) const {
  auto found = factories_.find(std::string(name));
  if (found != factories_.end()) return found->second(std::move(options));
  return absl::NotFoundError(absl::StrCat(
      "this program has no function or process \"", name, "\"; registered are: ",
      factories_.empty() ? "none"
                         : absl::StrJoin(factories_, ", ", [](std::string* out, const auto& e) {
                             out->append(FirstOf(e));
                           })));
}

bool RegisterOrEnd(const absl::Status& status) {
  if (status.ok()) return true;
  std::fprintf(stderr, "shoal: %s\n", std::string(status.message()).c_str());
  std::_Exit(1);
}

}  // namespace shoal::internal
