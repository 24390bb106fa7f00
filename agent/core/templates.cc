#include "agent/core/templates.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/algorithm/container.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "agent/spec/spec.h"
#include "agent/spec/template_spec.h"
#include "common/failpoint.h"
#include "common/ids.h"
#include "common/program_name.h"
#include "common/sha256.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {
namespace {

constexpr absl::Duration kWarmTime = absl::Minutes(1);
constexpr absl::Duration kIdleTimeout = absl::Minutes(5);
constexpr int kLossesInARow = 3;
constexpr size_t kMostNamed = 8;
// A template outlives an agent that is killed by three quarters of its dead-man time at least.
constexpr int kRenewalsPerDeadMan = 4;
constexpr absl::Duration kShortestRenewal = absl::Milliseconds(250);
constexpr absl::Duration kLongestRenewal = absl::Hours(1);

bool MayFork(const ProcessEntry& process) {
  return process.IsLive() && !process.termination && !process.IsUnmanaged();
}

}  // namespace

// What was shipped is told apart by what is in it, wherever it was put. Of the other files beside
// it only libraries are the program's: some are arguments, and differ each time.
absl::StatusOr<TemplateProgram> Templates::ProgramOf(const TemplateWish& wish) const {
  const Spec& spec = *wish.spec;
  absl::StatusOr<TemplateProgram> program =
      RunsShippedProgram(spec.argv[0], spec.files)
          ? TemplateProgram{.key = "shipped", .version = "", .argv = {spec.argv[0]}}
          : programs_->FindProgram(spec);
  if (!program.ok()) return program;
  for (size_t i = 0; i < spec.files.size(); ++i) {
    const SpecFile& file = spec.files[i];
    const bool is_word = absl::c_any_of(program->argv, [&](absl::string_view word) {
      absl::ConsumePrefix(&word, "./");
      return word == file.path;
    });
    if (!is_word && !file.library) continue;
    const bool is_inline = file.sha256.empty() && wish.inline_files != nullptr;
    const std::string digest = is_inline ? Sha256Of((*wish.inline_files)[i]) : file.sha256;
    absl::StrAppend(&program->key, " ", file.path, "=", absl::BytesToHexString(digest));
  }
  return program;
}

void Templates::Acquire(const TemplateWish& wish, Callback done) {
  absl::StatusOr<TemplateProgram> program = ProgramOf(wish);
  if (!program.ok()) return done(program.status());
  ProcessEntry* process = Find(wish.owner, *program);
  if (process == nullptr) process = Start(wish, *std::move(program));
  const absl::Duration patience = wish.spec->fork_wait.value_or(kWarmTime);
  Use& use = uses_[process->id];
  use.last = core_->clock->BootTime();
  use.warm_by = std::max(use.warm_by, use.last + patience);
  offers_->Await(
      *process, patience,
      [this, id = process->id, done = std::move(done)](const absl::Status& warm) mutable {
        if (warm.ok()) return done(id);
        if (ProcessEntry* failed = core_->table.Find(id)) OnNotWarm(failed);
        done(warm);
      });
}

// The last wait that fails ends the template; others may have more patience with one that lives.
void Templates::OnNotWarm(ProcessEntry* process) {
  const auto use = uses_.find(process->id);
  const bool is_awaited = use != uses_.end() && core_->clock->BootTime() < use->second.warm_by;
  if (!is_awaited || !MayFork(*process)) Retire(process, "not warm");
}

std::string Templates::Current(const TemplateWish& wish) {
  absl::StatusOr<TemplateProgram> program = ProgramOf(wish);
  if (!program.ok()) return {};
  const ProcessEntry* process = Find(wish.owner, *program);
  return process == nullptr ? std::string() : process->id;
}

// What was changed on disk is not what its user wants to run.
ProcessEntry* Templates::Find(const std::string& owner, const TemplateProgram& program) {
  const auto found = current_.find({owner, program.key});
  if (found == current_.end()) return nullptr;
  ProcessEntry* process = core_->table.Find(found->second);
  if (process != nullptr && MayFork(*process)) {
    if (process->template_facts->version == program.version) return process;
    Retire(process, "its program has changed");
  }
  current_.erase({owner, program.key});
  return nullptr;
}

ProcessEntry* Templates::Start(const TemplateWish& wish, TemplateProgram program) {
  auto made = std::make_unique<ProcessEntry>();
  made->id = NewId();
  made->name = NameFor(program);
  made->spec = TemplateSpecOf(*wish.spec, program.argv);
  made->inline_files = wish.inline_files;
  made->owner = wish.owner;
  made->boot_id = core_->options.boot_id;
  made->create_time = core_->clock->Now();
  made->lifetime = Lifetime::kDetached;
  made->labels = made->spec->labels;
  made->segment_bytes = record::SegmentBytesFor(made->spec->cap_bytes);
  if (!core_->options.has_cgroup) made->flags |= kFlagNoCgroup;
  made->template_facts = TemplateFacts{.key = std::move(program.key),
                                       .version = std::move(program.version),
                                       .idle_timeout = wish.idle_timeout.value_or(kIdleTimeout),
                                       .forks = 0,
                                       .last_use = made->create_time};
  ProcessEntry* process = core_->table.Add(std::move(made));
  core_->ledger.Save(*process);
  core_->ledger.Changed(process);
  Take(*process);
  core_->ledger.Then([this, id = process->id, owner = wish.owner](const absl::Status& committed) {
    SHOAL_FAILPOINT("template:after-intent");
    if (committed.ok()) {
      Caller caller;
      caller.name = owner;
      return queue_->Add(caller, {{.id = id, .starter = launcher_}});
    }
    core_->table.Remove(id);
    core_->ledger.Deleted(id);
    std::erase_if(current_, [&](const auto& entry) { return entry.second == id; });
    uses_.erase(id);
    offers_->Fail(id, committed);
  });
  return process;
}

std::string Templates::NameFor(const TemplateProgram& program) {
  const std::string name = absl::StrCat(ProgramName(program.argv.back()), "-template");
  return core_->table.CheckNameIsFree("", name).ok() ? name : core_->table.MakeName(name);
}

void Templates::Take(const ProcessEntry& process) {
  current_[{process.owner, process.template_facts->key}] = process.id;
  const absl::Duration now = core_->clock->BootTime();
  uses_[process.id] = {.last = now, .warm_by = now + kWarmTime};
  ArmIdle(process.id, process.template_facts->idle_timeout);
  ArmRenewal();
}

void Templates::Restore() {
  for (const auto& [id, process] : core_->table.entries()) {
    if (!process->template_facts || !process->IsLive()) continue;
    if (MayFork(*process)) {
      Take(*process);
    } else {
      // The agent before may have been killed after it committed the termination request and before
      // it told the shim.
      EndWish wish;
      wish.cause = process->termination->cause;
      wish.requested_by = process->termination->requested_by;
      terminator_->End(process.get(), wish);
    }
  }
  RenewDeadMan();
}

// Not woken: a shim looks again when its dead-man time has come.
void Templates::RenewDeadMan() {
  const int64_t dead_man = launcher_->DeadManOfTemplates();
  for (const auto& [id, use] : uses_) {
    const ProcessEntry* process = core_->table.Find(id);
    if (process == nullptr || process->slot == 0) continue;
    slots_->Tell(
        process->slot, id, [dead_man](record::AgentHalf& half) { half.dead_man_ns = dead_man; },
        /*wake=*/false);
  }
}

void Templates::ArmRenewal() {
  if (renewal_armed_ || uses_.empty()) return;
  renewal_armed_ = true;
  const absl::Duration pause =
      std::clamp(core_->options.dead_man / kRenewalsPerDeadMan, kShortestRenewal, kLongestRenewal);
  core_->scheduler->After(pause, [this] {
    renewal_armed_ = false;
    RenewDeadMan();
    ArmRenewal();
  });
}

std::string Templates::Leave(bool end) {
  std::vector<std::string> names;
  for (const ProcessEntry* living : Living()) {
    if (living->IsUnmanaged()) continue;
    names.push_back(living->name);
    if (end) Retire(core_->table.Find(living->id), "it ends");
  }
  if (names.empty()) return "";
  RenewDeadMan();
  const size_t count = names.size();
  if (count > kMostNamed) {
    names.resize(kMostNamed);
    names.emplace_back("…");
  }
  const std::string who = absl::StrCat(count, count == 1 ? " template (" : " templates (",
                                       absl::StrJoin(names, ", "), count == 1 ? ") ends" : ") end");
  if (end) return absl::StrCat(who, " with it");
  return absl::StrCat(who, " in ", absl::FormatDuration(core_->options.dead_man),
                      " unless an agent is started");
}

void Templates::OnForked(const std::string& id) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr || !process->template_facts) return;
  ++process->template_facts->forks;
  process->template_facts->last_use = core_->clock->Now();
  if (const auto use = uses_.find(id); use != uses_.end())
    use->second.last = core_->clock->BootTime();
}

bool Templates::OnForkFailed(const std::string& id, const ForkFailure& refused) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr || !process->template_facts) return false;
  if (refused.stage == fork_protocol::kStageThreads) Retire(process, "it has more than one thread");
  if (refused.error_number != ECONNRESET) return false;
  Losses& losses = losses_[{process->owner, process->template_facts->key}];
  if (losses.last_id != id) ++losses.in_a_row;
  losses.last_id = id;
  return losses.in_a_row >= kLossesInARow;
}

void Templates::OnForkStarted(const std::string& id) {
  if (losses_.empty()) return;
  const ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr || !process->template_facts) return;
  losses_.erase({process->owner, process->template_facts->key});
}

void Templates::OnSilent(const std::string& id) {
  ProcessEntry* process = core_->table.Find(id);
  if (process != nullptr && process->template_facts) Retire(process, "it does not answer");
}

void Templates::OnOver(const ProcessEntry& process) {
  // What was forked tells of its template's use, at the price of one row more in this commit.
  if (!process.forked_from.empty()) {
    const ProcessEntry* parent = core_->table.Find(process.forked_from);
    if (parent != nullptr && parent->template_facts) core_->ledger.Save(*parent);
  }
  if (uses_.erase(process.id) == 0) return;
  std::erase_if(current_, [&](const auto& entry) { return entry.second == process.id; });
}

void Templates::Retire(ProcessEntry* process, const std::string& why) {
  std::erase_if(current_, [&](const auto& entry) { return entry.second == process->id; });
  if (!MayFork(*process)) return;
  EndWish wish;
  wish.requested_by = absl::StrCat("shoald (", why, ")");
  terminator_->End(process, wish);
}

void Templates::ArmIdle(const std::string& id, absl::Duration delay) {
  core_->scheduler->After(delay, [this, id] { OnIdle(id); });
}

void Templates::OnIdle(const std::string& id) {
  ProcessEntry* process = core_->table.Find(id);
  const auto use = uses_.find(id);
  if (process == nullptr || use == uses_.end()) return;
  const absl::Duration timeout = process->template_facts->idle_timeout;
  const bool warm = offers_->Of(id).has_value();
  const absl::Duration warming = use->second.warm_by - use->second.last;
  const absl::Duration allowed = warm ? timeout : std::max(timeout, warming);
  const absl::Duration left = allowed - (core_->clock->BootTime() - use->second.last);
  if (left > absl::ZeroDuration()) return ArmIdle(id, left);
  Retire(process, "idle");
}

std::vector<const ProcessEntry*> Templates::Living() const {
  std::vector<const ProcessEntry*> living;
  for (const auto& [id, process] : core_->table.entries()) {
    if (process->template_facts && !process->IsTreeOver()) living.push_back(process.get());
  }
  return living;
}

}  // namespace shoal::agent
