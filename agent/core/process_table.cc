#include "agent/core/process_table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/core/transitions.h"
#include "common/escape.h"
#include "common/ids.h"

namespace shoal::agent {
namespace {

template <typename Map, typename Key>
void EraseFrom(Map* map, const Key& key, ProcessEntry* process) {
  auto found = map->find(key);
  if (found == map->end()) return;
  found->second.erase(process);
  if (found->second.empty()) map->erase(found);
}

// The newest of those that share a name.
bool IsNewer(const ProcessEntry* a, const ProcessEntry* b) {
  return std::tie(a->create_time, a->id) > std::tie(b->create_time, b->id);
}

// Of the ranks of one request the same, else of each process another.
using StartKey = std::pair<absl::string_view, absl::string_view>;
StartKey StartOf(const ProcessEntry& process) {
  const bool is_alone = !process.rank || process.request_id.empty();
  return is_alone ? StartKey(process.id, "") : StartKey(process.owner, process.request_id);
}

}  // namespace

std::string Describe(const ProcessEntry& process) {
  std::string text = absl::StrCat(process.name, " (", process.id.substr(0, kShortIdLength), ", ",
                                  NameOf(process.state));
  if (process.IsLive() && process.pid != 0) absl::StrAppend(&text, ", PID ", process.pid);
  return absl::StrCat(text, ")");
}

std::string ProcessTable::ScopeOf(const ProcessEntry& process) {
  return process.lifetime == Lifetime::kDetached ? "" : process.session_id;
}

ProcessEntry* ProcessTable::Add(std::unique_ptr<ProcessEntry> process) {
  ProcessEntry* entry = process.get();
  entries_[entry->id] = std::move(process);
  by_id_[entry->id] = entry;
  by_name_.emplace(entry->name, entry);
  if (!entry->IsTreeOver()) holders_[{ScopeOf(*entry), entry->name}] = entry;
  if (entry->slot != 0) by_slot_[entry->slot] = entry;
  if (!entry->request_id.empty()) {
    by_request_[{entry->owner, entry->request_id}][entry->request_index] = entry;
  }
  if (!entry->session_id.empty()) by_session_[entry->session_id].insert(entry);
  if (!entry->spec->beside.empty()) beside_[entry->spec->beside].insert(entry);
  usage_.Enter(*entry);
  usage_.NoteOutput(*entry);
  return entry;
}

std::shared_ptr<ProcessEntry> ProcessTable::Remove(const std::string& id) {
  auto found = entries_.find(id);
  if (found == entries_.end()) return nullptr;
  by_id_.erase(id);
  std::shared_ptr<ProcessEntry> process = std::move(found->second);
  process->is_removed = true;
  entries_.erase(found);
  ReleaseName(*process);
  auto [first, last] = by_name_.equal_range(process->name);
  for (auto it = first; it != last; ++it) {
    if (it->second == process.get()) {
      by_name_.erase(it);
      break;
    }
  }
  if (process->slot != 0) by_slot_.erase(process->slot);
  std::pair<std::string, std::string> request(process->owner, process->request_id);
  if (auto ranks = by_request_.find(request); ranks != by_request_.end()) {
    ranks->second.erase(process->request_index);
    if (ranks->second.empty()) by_request_.erase(ranks);
  }
  EraseFrom(&by_session_, process->session_id, process.get());
  EraseFrom(&beside_, process->spec->beside, process.get());
  usage_.Forget(*process);
  return process;
}

ProcessEntry* ProcessTable::Find(absl::string_view id) const {
  auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

ProcessEntry* ProcessTable::FindBySlot(int slot) const {
  auto found = by_slot_.find(slot);
  return found == by_slot_.end() ? nullptr : found->second;
}

void ProcessTable::SetSlot(ProcessEntry* process, int slot) {
  if (process->slot != 0) by_slot_.erase(process->slot);
  process->slot = slot;
  if (slot != 0) by_slot_[slot] = process;
}

void ProcessTable::SetSession(ProcessEntry* process, const std::string& session_id) {
  ReleaseName(*process);
  EraseFrom(&by_session_, process->session_id, process);
  process->session_id = session_id;
  process->lifetime = session_id.empty() ? Lifetime::kDetached : Lifetime::kSession;
  if (!session_id.empty()) by_session_[session_id].insert(process);
  if (!process->IsTreeOver()) holders_.try_emplace({ScopeOf(*process), process->name}, process);
}

void ProcessTable::ReleaseName(const ProcessEntry& process) {
  auto found = holders_.find({ScopeOf(process), process.name});
  if (found != holders_.end() && found->second->id == process.id) holders_.erase(found);
}

void ProcessTable::ClaimNames() {
  for (const auto& [id, process] : entries_) {
    if (!process->IsTreeOver())
      holders_.try_emplace({ScopeOf(*process), process->name}, process.get());
  }
}

ProcessEntry* ProcessTable::HolderOf(const std::string& scope, const std::string& name) const {
  auto found = holders_.find({scope, name});
  return found == holders_.end() ? nullptr : found->second;
}

absl::Status ProcessTable::CheckNameIsFree(const std::string& scope,
                                           const std::string& name) const {
  const ProcessEntry* holder = HolderOf(scope, name);
  if (holder == nullptr) return absl::OkStatus();
  std::string state(NameOf(holder->state));
  if (holder->IsLive() && holder->pid != 0) absl::StrAppend(&state, ", PID ", holder->pid);
  if (!holder->IsLive()) absl::StrAppend(&state, ", its tree is not empty yet");
  return absl::AlreadyExistsError(absl::StrCat("name \"", name, "\" is held by process ",
                                               holder->id.substr(0, kShortIdLength), " (", state,
                                               ")"));
}

std::string ProcessTable::MakeName(absl::string_view base) {
  while (true) {
    std::string name = absl::StrCat(base, "-", ++last_number_);
    const std::string ranks = absl::StrCat(name, ".");
    const auto first_rank = by_name_.lower_bound(ranks);
    const bool has_ranks =
        first_rank != by_name_.end() && absl::StartsWith(first_rank->first, ranks);
    if (!has_ranks && by_name_.find(name) == by_name_.end()) return name;
  }
}

bool ProcessTable::HasOfRequest(const std::string& owner, const std::string& request_id,
                                absl::FunctionRef<bool(const ProcessEntry&)> fits) const {
  const auto found = by_request_.find({owner, request_id});
  if (found == by_request_.end()) return false;
  return std::any_of(found->second.rbegin(), found->second.rend(),
                     [&](const auto& rank) { return fits(*rank.second); });
}

std::vector<ProcessEntry*> ProcessTable::OfRequest(const std::string& owner,
                                                   const std::string& request_id) const {
  std::vector<ProcessEntry*> processes;
  auto found = by_request_.find({owner, request_id});
  if (found == by_request_.end()) return processes;
  for (const auto& [index, process] : found->second) processes.push_back(process);
  return processes;
}

std::vector<ProcessEntry*> ProcessTable::OfSession(const std::string& session_id) const {
  auto found = by_session_.find(session_id);
  if (found == by_session_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::vector<ProcessEntry*> ProcessTable::Beside(const std::string& id) const {
  std::vector<ProcessEntry*> living;
  const auto found = beside_.find(id);
  if (found == beside_.end()) return living;
  for (ProcessEntry* process : found->second) {
    if (!process->IsTreeOver()) living.push_back(process);
  }
  return living;
}

bool ProcessTable::IsAliveOf(const std::string& session_id) const {
  auto found = by_session_.find(session_id);
  if (found == by_session_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(),
                     [](const ProcessEntry* process) { return !process->IsTreeOver(); });
}

absl::Status ProcessTable::SelectById(const std::string& term, std::set<ProcessEntry*>* out) const {
  std::string prefix = absl::AsciiStrToUpper(term);
  auto first = entries_.lower_bound(prefix);
  if (term.size() < kMinIdPrefix || first == entries_.end() ||
      !absl::StartsWith(first->first, prefix)) {
    return absl::NotFoundError(
        absl::StrCat("no process is called \"", EscapeForMessage(term), "\" or has such an id"));
  }
  auto second = std::next(first);
  if (second != entries_.end() && absl::StartsWith(second->first, prefix)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", term, "\" fits several ids, such as ",
                                                   first->first, " and ", second->first));
  }
  out->insert(first->second.get());
  return absl::OkStatus();
}

std::vector<ProcessEntry*> ProcessTable::Called(const std::string& name) const {
  std::vector<ProcessEntry*> called;
  const auto [first, last] = by_name_.equal_range(name);
  for (auto it = first; it != last; ++it) called.push_back(it->second);
  const std::string ranks = absl::StrCat(name, ".");
  for (auto it = by_name_.lower_bound(ranks);
       it != by_name_.end() && absl::StartsWith(it->first, ranks); ++it) {
    if (JobOf(*it->second) == name) called.push_back(it->second);
  }
  return called;
}

absl::Status ProcessTable::SelectExact(const std::string& term,
                                       std::set<ProcessEntry*>* out) const {
  struct Start {
    std::vector<ProcessEntry*> processes;
    bool is_held = false;
  };
  absl::flat_hash_map<StartKey, Start> starts;
  const ProcessEntry* newest = nullptr;
  bool is_held = false;
  for (ProcessEntry* process : Called(term)) {
    Start& start = starts[StartOf(*process)];
    start.processes.push_back(process);
    start.is_held = start.is_held || (!process->IsTreeOver() &&
                                      HolderOf(ScopeOf(*process), process->name) == process);
    is_held = is_held || start.is_held;
    if (newest == nullptr || IsNewer(process, newest)) newest = process;
  }
  if (newest == nullptr) return SelectById(term, out);
  for (const auto& [key, start] : starts) {
    if (is_held ? start.is_held : key == StartOf(*newest)) {
      out->insert(start.processes.begin(), start.processes.end());
    }
  }
  return absl::OkStatus();
}

}  // namespace shoal::agent
