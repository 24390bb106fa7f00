#include "agent/core/spawn_rules.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/core/access.h"
#include "agent/core/select_one.h"
#include "agent/core/unmanaged.h"
#include "common/status.h"

namespace shoal::agent {

absl::Status CheckQuotas(const Core& core, const std::string& owner,
                         const std::vector<const SpawnItem*>& items) {
  const Quotas& quotas = core.options.quotas;
  const Usage& usage = core.table.usage();
  const size_t count = items.size();
  int64_t input_bytes = 0;
  SpecSum specs;
  const Spec* last = nullptr;
  for (const SpawnItem* item : items) {
    const std::shared_ptr<const Spec>& spec = item->spec;
    input_bytes += spec->input_window;
    if (spec.get() != last) specs.Add(spec);
    last = spec.get();
  }
  if (count == 0) return absl::OkStatus();
  if (usage.LiveOf(owner) + count > quotas.live_processes) {
    return QuotaExceeded(owner, absl::StrCat("processes that are not over, and asks for ", count),
                         static_cast<int64_t>(usage.LiveOf(owner)),
                         static_cast<int64_t>(quotas.live_processes));
  }
  if (usage.LiveSpecBytesOf(owner) + specs.bytes() > quotas.live_spec_bytes) {
    return QuotaExceeded(
        owner, absl::StrCat("bytes of arguments and environments, and asks for ", specs.bytes()),
        usage.LiveSpecBytesOf(owner), quotas.live_spec_bytes);
  }
  if (input_bytes > 0 && usage.LiveInputOf(owner) + input_bytes > quotas.input_bytes) {
    return QuotaExceeded(owner, absl::StrCat("bytes of input windows, and asks for ", input_bytes),
                         usage.LiveInputOf(owner), quotas.input_bytes);
  }
  // A ring takes its room on the disk before the process starts.
  const int64_t on_disk = usage.OutputOf(owner) + usage.LiveInputOf(owner);
  if (on_disk + input_bytes <= quotas.disk_bytes) return absl::OkStatus();
  const std::string asked =
      input_bytes == 0 ? "" : absl::StrCat(", and asks for ", input_bytes, " for its input");
  return QuotaExceeded(owner, absl::StrCat("bytes of output and input on disk", asked), on_disk,
                       quotas.disk_bytes);
}

absl::StatusOr<std::string> ParentOf(const Core& core, const Permit& permit, const Spec& spec) {
  if (spec.start_method != StartMethod::kFork) return std::string();
  const absl::StatusOr<ProcessEntry*> selected = SelectOne(core.table, "fork_of", spec.fork_of);
  if (!selected.ok()) return selected.status();
  const ProcessEntry& parent = **selected;
  const absl::StatusOr<Permit> may =
      Authorize(permit.caller(), Verb::kSpawn, Target::Process(parent));
  if (!may.ok()) return may.status();
  if (parent.IsLive()) return parent.id;
  return absl::FailedPreconditionError(
      absl::StrCat("fork_of: ", Describe(parent), " has ended and cannot be forked"));
}

// Only one whose end will cover it: by its cgroup, while there is one, and by what is told to all beside it.
absl::StatusOr<const ProcessEntry*> BesideOf(const Core& core, const Permit& permit,
                                             const Spec& spec) {
  const ProcessEntry* const none = nullptr;
  if (spec.beside.empty()) return none;
  const absl::StatusOr<ProcessEntry*> selected = SelectOne(core.table, "beside", spec.beside);
  if (!selected.ok()) return selected.status();
  const ProcessEntry* const other = *selected;
  SHOAL_RETURN_IF_ERROR(Authorize(permit.caller(), Verb::kSpawn, Target::Process(*other)).status());
  SHOAL_RETURN_IF_ERROR(CheckManaged(core, *other));
  if (other->state != State::kRunning) {
    return absl::FailedPreconditionError(absl::StrCat(
        Describe(*other), other->IsLive()
                              ? " does not run yet, or is being ended: nothing starts beside it"
                              : " has ended: nothing starts beside it"));
  }
  if (!other->spec->beside.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(Describe(*other), " runs itself beside ",
                                                      other->spec->beside.substr(0, 6),
                                                      ": name that one"));
  }
  if (!core.options.has_cgroup || (other->flags & kFlagNoCgroup) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        Describe(*other), " has no cgroup, so that its end would not cover what runs beside it"));
  }
  return other;
}

}  // namespace shoal::agent
