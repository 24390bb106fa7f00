#include "agent/core/session_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/reason.h"
#include "common/ids.h"

namespace shoal::agent {
namespace {

constexpr size_t kEndedKept = 1'000;

}  // namespace

SessionEntry* SessionTable::Add(SessionEntry session) {
  auto entry = std::make_unique<SessionEntry>(std::move(session));
  SessionEntry* added = entry.get();
  sessions_[added->id] = std::move(entry);
  ++by_owner_[added->owner];
  Link(added);
  return added;
}

void SessionTable::Link(SessionEntry* session) {
  if (!session->opener || session->opener->process_id.empty()) return;
  opened_from_.emplace(session->opener->process_id, session);
}

void SessionTable::Unlink(const SessionEntry* session) {
  if (!session->opener) return;
  const auto [begin, end] = opened_from_.equal_range(session->opener->process_id);
  const auto own = std::find_if(begin, end, [&](const auto& one) { return one.second == session; });
  if (own != end) opened_from_.erase(own);
}

void SessionTable::SetOpener(SessionEntry* session, std::optional<Opener> opener) {
  Unlink(session);
  session->opener = std::move(opener);
  Link(session);
}

void SessionTable::Remove(const std::string& session_id) {
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return;
  const SessionEntry* const session = found->second.get();
  Unlink(session);
  if (const auto owner = by_owner_.find(session->owner); --owner->second == 0) {
    by_owner_.erase(owner);
  }
  sessions_.erase(found);
}

SessionEntry* SessionTable::Find(const std::string& session_id) const {
  const auto found = sessions_.find(session_id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

std::vector<const SessionEntry*> SessionTable::Living() const {
  std::vector<const SessionEntry*> living;
  for (const auto& [id, session] : sessions_) {
    if (!session->over) living.push_back(session.get());
  }
  return living;
}

size_t SessionTable::CountOf(const std::string& owner) const {
  const auto found = by_owner_.find(owner);
  return found == by_owner_.end() ? 0 : found->second;
}

int SessionTable::living() const {
  return static_cast<int>(std::count_if(sessions_.begin(), sessions_.end(),
                                        [](const auto& one) { return !one.second->over; }));
}

void SessionTable::ForEachLivingFrom(const std::string& after_id,
                                     absl::FunctionRef<bool(const SessionEntry&)> visit) const {
  for (auto it = sessions_.upper_bound(after_id); it != sessions_.end(); ++it) {
    if (!it->second->over && !visit(*it->second)) return;
  }
}

std::vector<SessionEntry*> SessionTable::OpenedFrom(const std::string& process_id) const {
  std::vector<SessionEntry*> opened;
  const auto [begin, end] = opened_from_.equal_range(process_id);
  for (auto it = begin; it != end; ++it) {
    if (!it->second->over) opened.push_back(it->second);
  }
  return opened;
}

void SessionTable::RememberEnd(const std::string& session_id, absl::string_view how,
                               int processes) {
  ended_[session_id] = {core_->clock->Now(), how, processes};
  ended_order_.push_back(session_id);
  if (ended_order_.size() <= kEndedKept) return;
  ended_.erase(ended_order_.front());
  ended_order_.pop_front();
}

absl::Status SessionTable::Gone(const std::string& session_id) const {
  auto ended = ended_.find(session_id);
  if (ended == ended_.end()) {
    return absl::NotFoundError(absl::StrCat("no session ", session_id.substr(0, kShortIdLength)));
  }
  return absl::NotFoundError(absl::StrCat(
      "session ", session_id.substr(0, kShortIdLength), " ", ended->second.how, " at ",
      absl::FormatTime("%H:%M:%S", ended->second.time, absl::UTCTimeZone()), " UTC; ",
      ended->second.processes, ended->second.processes == 1 ? " process was" : " processes were",
      " terminated"));
}

absl::StatusOr<Permit> SessionTable::AuthorizeSpawn(const Permit& call,
                                                    const std::string& session_id,
                                                    const std::string& token) const {
  const SessionEntry* session = Find(session_id);
  if (session == nullptr || session->over) {
    // The word at the beginning is for libraries of 0.1, which know no reason.
    return WithReason(kReasonSessionExpired, absl::FailedPreconditionError(absl::StrCat(
                                                 "SESSION_EXPIRED: ", Gone(session_id).message())));
  }
  return Authorize(call.caller(), Verb::kSpawn,
                   token.empty() ? Target::Session(*session) : Target::Session(*session, token));
}

int64_t SessionTable::DeadManOf(const std::string& session_id) const {
  auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return 0;
  return absl::ToInt64Nanoseconds(found->second->expires_boottime + core_->options.dead_man);
}

}  // namespace shoal::agent
