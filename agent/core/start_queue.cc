#include "agent/core/start_queue.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "agent/core/start_failure.h"

namespace shoal::agent {
namespace {

constexpr int kStartsPerTurn = 16;
constexpr absl::Duration kBesideFor = absl::Seconds(1);
constexpr absl::Duration kPatience = absl::Seconds(3);
constexpr size_t kMostIdle = 64;

}  // namespace

void StartQueue::Add(const Caller& caller, const std::vector<Item>& items) {
  if (items.empty()) return;
  Share& share = shares_[caller.name];
  if (share.connections.empty()) turns_.push_back(caller.name);
  auto connection =
      std::find_if(share.connections.begin(), share.connections.end(),
                   [&caller](const Connection& one) { return one.first == caller.connection; });
  if (connection == share.connections.end()) {
    share.connections.emplace_back(caller.connection, std::deque<Item>());
    connection = std::prev(share.connections.end());
  }
  connection->second.insert(connection->second.end(), items.begin(), items.end());
  if (!start_scheduled_ && !is_starting_) StartSome();
}

void StartQueue::StartSoon() {
  if (turns_.empty() || start_scheduled_ || is_starting_) return;
  start_scheduled_ = true;
  core_->scheduler->After(absl::ZeroDuration(), [this] {
    start_scheduled_ = false;
    StartSome();
  });
}

void StartQueue::StartSome() {
  is_starting_ = true;
  const absl::Duration end = core_->clock->BootTime() + Slices::kSlice;
  bool is_more = true;
  for (int i = 0; i < kStartsPerTurn && is_more; ++i) {
    is_more = StartNext();
    if (core_->clock->BootTime() >= end) break;
  }
  is_starting_ = false;
  ForgetIdle();
  if (is_more) return StartSoon();
  // Those that are waited for may never settle.
  if (turns_.empty() || look_again_ != 0) return;
  look_again_ = core_->scheduler->After(kPatience, [this] {
    look_again_ = 0;
    StartSoon();
  });
}

void StartQueue::ForgetIdle() {
  if (shares_.size() <= kMostIdle) return;
  const absl::Duration since = core_->clock->BootTime() - kPatience;
  std::erase_if(shares_, [&](const auto& one) {
    const Share& share = one.second;
    return share.connections.empty() && share.placing == 0 && share.last_start < since;
  });
}

// False: none has anything to start, and room for it.
bool StartQueue::StartNext() {
  for (size_t tried = 0; tried < turns_.size(); ++tried) {
    const std::string owner = std::move(turns_.front());
    turns_.pop_front();
    Share& share = shares_[owner];
    if (!HasRoom(owner, &share)) {
      turns_.push_back(owner);
      continue;
    }
    Caller caller;
    caller.name = owner;
    caller.connection = share.connections.front().first;
    Item item = Take(&share);
    if (!share.connections.empty()) turns_.push_back(owner);
    Start(caller, std::move(item), &share);
    return !turns_.empty();
  }
  return false;
}

bool StartQueue::HasRoom(const std::string& owner, Share* share) {
  const absl::Duration now = core_->clock->BootTime();
  std::erase_if(share->starting, [&](const auto& one) {
    const ProcessEntry* process = core_->table.Find(one.first);
    return process == nullptr || process->state != State::kStarting || now - one.second > kPatience;
  });
  const size_t busy = share->starting.size() + share->placing;
  if (HasOthers(owner)) return busy < kStartingBesideOthers;
  if (busy < core_->options.starts_at_once) return true;
  const std::deque<Item>& items = share->connections.front().second;
  const ProcessEntry* next = core_->table.Find(items.front().id);
  return next == nullptr || next->spec->start_method != StartMethod::kSpawn;
}

bool StartQueue::HasOthers(const std::string& owner) const {
  const absl::Duration since = core_->clock->BootTime() - kBesideFor;
  return std::any_of(shares_.begin(), shares_.end(), [&](const auto& other) {
    const auto& [name, share] = other;
    return name != owner && (!share.connections.empty() || share.last_start > since);
  });
}

StartQueue::Item StartQueue::Take(Share* share) {
  Connection connection = std::move(share->connections.front());
  share->connections.pop_front();
  Item item = std::move(connection.second.front());
  connection.second.pop_front();
  if (!connection.second.empty()) share->connections.push_back(std::move(connection));
  return item;
}

void StartQueue::Start(const Caller& caller, Item item, Share* share) {
  ProcessEntry* process = core_->table.Find(item.id);
  // Its end may have been asked for while it waited.
  if (process == nullptr || process->state != State::kPending) return;
  if (!item.has_files && !process->spec->files.empty()) {
    ++share->placing;
    return PlaceFiles(caller, process, item.starter);
  }
  share->last_start = core_->clock->BootTime();
  share->starting.emplace_back(item.id, share->last_start);
  item.starter->Start(process);
}

void StartQueue::PlaceFiles(const Caller& caller, ProcessEntry* process, Starter* starter) {
  files_->Prepare(process->id, process->spec, process->inline_files,
                  [this, caller, id = process->id, starter](std::optional<StartFailure> failure) {
                    --shares_[caller.name].placing;
                    StartSoon();
                    ProcessEntry* prepared = core_->table.Find(id);
                    // Deleted meanwhile: what was made is removed after it, in the order of the
                    // requests.
                    if (prepared == nullptr || prepared->state != State::kPending) return;
                    if (failure) return FailToStart(core_, prepared, *std::move(failure));
                    Add(caller, {{.id = id, .starter = starter, .has_files = true}});
                  });
}

}  // namespace shoal::agent
