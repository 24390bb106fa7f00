#include "agent/core/launcher.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "agent/core/shipped_files.h"
#include "agent/core/start_failure.h"
#include "agent/core/transitions.h"
#include "common/failpoint.h"

namespace shoal::agent {
namespace {

// A shim has told of its start within a millisecond or two, where a processor is free.
constexpr absl::Duration kToldAfter = absl::Milliseconds(50);

}  // namespace

void Launcher::Launch(ProcessEntry* process, std::optional<ForkParent> parent) {
  const ProcessEntry* const beside =
      process->spec->beside.empty() ? nullptr : core_->table.Find(process->spec->beside);
  // It may have ended while this one waited for its start.
  if (!process->spec->beside.empty() && (beside == nullptr || beside->state != State::kRunning)) {
    return FailToStart(core_, process,
                       StartFailure{.stage = "beside",
                                    .error_number = ECANCELED,
                                    .message = "the process beside which it was to run has ended"});
  }
  Environment env = environments_.Of(*process);
  ShimStart start{.id = process->id,
                  .name = process->name,
                  .argv = process->spec->argv,
                  .env = {},
                  .cwd = process->spec->cwd,
                  .input_file = process->spec->input_file,
                  .beside = process->spec->beside,
                  .desired = DesiredFor(*process),
                  .fork_from = parent};
  if (!process->spec->files.empty()) {
    StartBesideFiles(*process->spec, files_->DirectoryOf(process->id), &start, &env);
  } else if (beside != nullptr && !beside->spec->files.empty()) {
    StartBesideFiles(*beside->spec, files_->DirectoryOf(beside->id), &start, &env);
    start.argv[0] = process->spec->argv[0];
  }
  start.env = env.variables();
  SHOAL_FAILPOINT("spawn:before-start");
  absl::StatusOr<int> slot = slots_->Start(start);
  SHOAL_FAILPOINT("spawn:after-start");
  if (!slot.ok()) {
    const bool parent_gone = absl::IsUnavailable(slot.status());
    const bool has_no_cgroup = absl::IsFailedPrecondition(slot.status());  // that it needs
    StartFailure failure{.stage = parent_gone     ? "fork"
                                  : has_no_cgroup ? "cgroup"
                                                  : "shim",
                         .error_number = parent_gone     ? ECONNRESET
                                         : has_no_cgroup ? ENODEV
                                                         : EAGAIN,
                         .message = std::string(slot.status().message())};
    return FailToStart(core_, process, std::move(failure));
  }
  core_->table.SetSlot(process, *slot);
  Advance(process, State::kStarting);
  process->inline_files.reset();
  TellLater(process->id);
}

void Launcher::TellLater(const std::string& id) {
  untold_.push_back({id, core_->clock->BootTime() + kToldAfter});
  if (is_tell_set_) return;
  is_tell_set_ = true;
  core_->scheduler->After(kToldAfter, [this] { TellStarting(); });
}

void Launcher::TellStarting() {
  is_tell_set_ = false;
  const absl::Duration now = core_->clock->BootTime();
  for (; !untold_.empty() && untold_.front().due <= now; untold_.pop_front()) {
    ProcessEntry* const process = core_->table.Find(untold_.front().id);
    if (process != nullptr && process->state == State::kStarting) core_->ledger.Changed(process);
  }
  if (untold_.empty()) return;
  is_tell_set_ = true;
  core_->scheduler->After(untold_.front().due - now, [this] { TellStarting(); });
}

record::AgentHalf Launcher::DesiredFor(const ProcessEntry& process) const {
  const Spec& spec = *process.spec;
  record::AgentHalf desired{};
  desired.flags = (spec.keep_descendants ? record::kKeepDescendants : 0u) |
                  (spec.merge_stderr ? record::kMergeStderr : 0u) |
                  (spec.drop_oldest ? record::kDropOldest : 0u) |
                  (spec.result_stream ? record::kResultStream : 0u) |
                  (spec.forbid_children ? record::kForbidChildren : 0u) |
                  (spec.HasTerminal() ? record::kTerminal : 0u) |
                  (spec.beside.empty() ? 0u : record::kNeedsCgroup);
  std::copy_n(spec.beside.data(), std::min(spec.beside.size(), sizeof(desired.beside)),
              desired.beside);
  desired.terminal_rows = static_cast<uint16_t>(process.terminal.rows);
  desired.terminal_columns = static_cast<uint16_t>(process.terminal.columns);
  desired.terminal_serial = process.terminal.serial;
  desired.grace_ns = absl::ToInt64Nanoseconds(spec.grace);
  if (process.deadline_ns) {
    desired.time_limit_ns = *process.deadline_ns;
  } else if (spec.time_limit) {
    desired.limit_from_exec_ns = absl::ToInt64Nanoseconds(*spec.time_limit);
  }
  desired.cap_bytes = spec.cap_bytes;
  desired.input_window = spec.input_window;
  desired.segment_bytes = process.segment_bytes;
  if (!process.session_id.empty()) {
    desired.dead_man_ns = sessions_->DeadManOf(process.session_id);
  } else if (process.template_facts) {
    desired.dead_man_ns = DeadManOfTemplates();
  }
  return desired;
}

int64_t Launcher::DeadManOfTemplates() const {
  return absl::ToInt64Nanoseconds(core_->clock->BootTime() + core_->options.dead_man);
}

}  // namespace shoal::agent
