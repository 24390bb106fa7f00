#include "shoal/host/shared_state.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/time/time.h"
#include "shoal/host/wait_call.h"
#include "shoal/host/watch_cursor.h"
#include "shoal/outcome.h"

namespace shoal {
namespace {

// That of a call: see CallOptions.
constexpr absl::Duration kPatience = absl::Minutes(1);
constexpr int kMany = 8;

bool IsOver(const v1::Process& process) {
  return HasEnded(process) && process.output_complete() && process.tree_empty();
}

}  // namespace

// A process that is followed.
struct SharedState::Member {
  std::shared_ptr<StateObserver> observer;
  int64_t revision = 0;   // as it was when it was followed
  bool is_asked = false;  // before the attempt under way was begun
};

// One stream and its processes. Guarded by SharedState::mu_.
struct SharedState::Session {
  std::string id;
  std::shared_ptr<Stream> stream;
  WatchCursor cursor;
  Members members;   // the stream has told of them
  Members expected;  // it has not yet
  // Every process of the session that the stream has told of; one that has ended and whose observer
  // has not had that, as it was last, else null.
  absl::flat_hash_map<std::string, std::shared_ptr<const v1::Process>> known;

  bool is_snapshot = true;  // of a stream that names processes: its attempt began with one
  // That of processes without a session: it is asked for each by its id.
  bool names_processes() const { return id.empty(); }
};

struct SharedState::News {
  std::vector<std::pair<std::shared_ptr<StateObserver>, const v1::Process*>> states;
  std::vector<std::shared_ptr<StateObserver>> deleted;
  std::vector<std::pair<std::string, std::shared_ptr<StateObserver>>> missing;

  void Tell(SharedState* state) {
    for (auto& [observer, process] : states) observer->OnState(*process);
    for (auto& observer : deleted) observer->OnLost(absl::OkStatus());
    for (auto& [id, observer] : missing) state->AskAlone(id, std::move(observer));
  }
};

SharedState::Waiting::Waiting(SharedState* state) : state_(state) {
  MutexLock lock(&state_->mu_);
  are_many_ = ++state_->waiting_ > kMany;
}

SharedState::Waiting::~Waiting() {
  MutexLock lock(&state_->mu_);
  --state_->waiting_;
}

void SharedState::Follow(const v1::Process& process, std::shared_ptr<StateObserver> observer) {
  std::shared_ptr<Stream> begun;
  std::shared_ptr<const v1::Process> ended;
  News news;
  {
    MutexLock lock(&mu_);
    std::shared_ptr<Session> session = sessions_[process.session_id()];
    if (session == nullptr) {
      session = Open(process.session_id());
      begun = session->stream;
    }
    Member member{observer, process.revision(), false};
    if (auto known = session->known.find(process.id()); known == session->known.end()) {
      session->expected[process.id()] = std::move(member);
    } else {
      ended = std::exchange(known->second, nullptr);
      if (ended == nullptr || !IsOver(*ended)) session->members[process.id()] = std::move(member);
    }
    if (session->names_processes()) {
      // It is not asked for yet.
      if (begun == nullptr) session->stream->Restart();
    } else {
      FindMissing(session.get(), /*after_snapshot=*/false, &news);
    }
  }
  if (begun != nullptr) begun->Start();
  if (ended != nullptr) observer->OnState(*ended);
  news.Tell(this);
}

bool SharedState::IsOpen(const std::string& session_id) const {
  MutexLock lock(&mu_);
  return sessions_.contains(session_id);
}

void SharedState::Forget(const std::string& session_id) {
  MutexLock lock(&mu_);
  auto found = sessions_.find(session_id);
  if (found != sessions_.end()) found->second->stream->Cancel();
}

std::shared_ptr<SharedState::Session> SharedState::Open(const std::string& id) {
  auto session = std::make_shared<Session>();
  session->id = id;
  v1::WatchRequest request;
  if (!session->names_processes()) request.mutable_selector()->set_session_id(id);
  Link::WatchHooks hooks;
  hooks.prepare = [self = shared_from_this(), session](v1::WatchRequest* message) {
    MutexLock lock(&self->mu_);
    if (session->cursor.Prepare(message)) self->OnReset(session.get());
    if (session->names_processes()) self->Ask(session.get(), message);
    for (auto& [process_id, member] : session->expected) member.is_asked = true;
  };
  hooks.on_message = [self = shared_from_this(), session](const v1::WatchResponse& event) {
    self->OnEvent(session.get(), event);
    return Flow::kGoOn;
  };
  hooks.recover = [self = shared_from_this(), session](absl::StatusCode code) {
    MutexLock lock(&self->mu_);
    return session->cursor.Recover(code);
  };
  hooks.on_end = [self = shared_from_this(), session](const absl::Status& status) {
    self->OnEnd(session, status);
  };
  hooks.has_heartbeat = true;
  session->stream = link_->Watch(std::move(request), std::move(hooks), kPatience);
  sessions_[id] = session;
  return session;
}

// Names every process. One that is asked for the first time has been told of until its own revision, which
// the stream may have passed: what has come since is told again, and does no harm.
void SharedState::Ask(Session* session, v1::WatchRequest* request) {
  request->mutable_selector()->clear_terms();
  int64_t from = request->from_revision();
  for (const Members* members : {&session->members, &session->expected}) {
    for (const auto& [id, member] : *members) request->mutable_selector()->add_terms(id);
  }
  for (const auto& [id, member] : session->expected) {
    if (!member.is_asked) from = std::min(from, member.revision);
  }
  request->set_from_revision(from);
  session->is_snapshot = from == 0;
}

// A stream that names processes is of no use without any.
void SharedState::LetGo(Session* session) {
  if (!session->names_processes() || !session->members.empty() || !session->expected.empty())
    return;
  auto found = sessions_.find(session->id);
  if (found == sessions_.end() || found->second.get() != session) return;
  session->stream->Cancel();
  sessions_.erase(found);
}

// What is not in the new snapshot is missing when that is complete.
void SharedState::OnReset(Session* session) {
  session->known.clear();
  session->expected.merge(session->members);
  session->members.clear();
}

void SharedState::OnEvent(Session* session, const v1::WatchResponse& event) {
  News news;
  {
    MutexLock lock(&mu_);
    session->cursor.Take(event);
    if (event.has_upsert()) Upsert(session, event.upsert(), &news);
    if (!event.deleted_id().empty()) Delete(session, event.deleted_id(), &news);
    FindMissing(session, event.has_synced(), &news);
    LetGo(session);
  }
  news.Tell(this);
}

void SharedState::Upsert(Session* session, const v1::Process& process, News* news) {
  if (auto expected = session->expected.extract(process.id()); !expected.empty()) {
    session->members.insert(std::move(expected));
  }
  auto member = session->members.find(process.id());
  const bool is_followed = member != session->members.end();
  if (process.session_id() != session->id) {  // it is told of once more when it leaves
    session->known.erase(process.id());
    if (!is_followed) return;
    news->missing.emplace_back(process.id(), std::move(member->second.observer));
    session->members.erase(member);
    return;
  }
  std::shared_ptr<const v1::Process>& kept = session->known[process.id()];
  if (!is_followed) {
    if (HasEnded(process)) kept = std::make_shared<const v1::Process>(process);
    return;
  }
  news->states.emplace_back(member->second.observer, &process);
  if (!IsOver(process)) return;
  session->members.erase(member);
  if (session->names_processes()) session->known.erase(process.id());
}

void SharedState::Delete(Session* session, const std::string& id, News* news) {
  session->known.erase(id);
  for (Members* members : {&session->members, &session->expected}) {
    auto member = members->extract(id);
    if (!member.empty()) news->deleted.push_back(std::move(member.mapped().observer));
  }
}

// An expected process whose last change is behind us was not told of, and will not be; of those that are
// named, one that was asked for is as it was, but after a snapshot.
void SharedState::FindMissing(Session* session, bool after_snapshot, News* news) {
  if (!session->cursor.is_synced()) return;
  if (session->names_processes()) {
    if (!after_snapshot) return;
    if (!session->is_snapshot) {
      for (auto it = session->expected.begin(); it != session->expected.end();) {
        auto next = std::next(it);
        if (it->second.is_asked) session->members.insert(session->expected.extract(it));
        it = next;
      }
      return;
    }
  }
  for (auto it = session->expected.begin(); it != session->expected.end();) {
    const Member& member = it->second;
    bool is_missing =
        (after_snapshot && member.is_asked) ||
        (!session->names_processes() && member.revision <= session->cursor.revision());
    if (is_missing) {
      news->missing.emplace_back(it->first, member.observer);
      it = session->expected.erase(it);
    } else {
      ++it;
    }
  }
}

void SharedState::OnEnd(const std::shared_ptr<Session>& session, const absl::Status& status) {
  Members lost;
  {
    MutexLock lock(&mu_);
    auto found = sessions_.find(session->id);
    if (found != sessions_.end() && found->second == session) sessions_.erase(found);
    session->stream = nullptr;  // it holds the session
    lost.swap(session->members);
    lost.merge(session->expected);
    session->expected.clear();
  }
  absl::Status reason = status.ok() ? absl::UnavailableError("the agent ended the watch") : status;
  for (auto& [id, member] : lost) member.observer->OnLost(reason);
}

void SharedState::AskAlone(const std::string& id, std::shared_ptr<StateObserver> observer) {
  v1::WaitRequest request;
  request.mutable_selector()->add_terms(id);
  request.set_until(v1::WaitRequest::UNTIL_EXITED);
  CallOptions options;
  options.timeout = absl::InfiniteDuration();
  WaitCall::Run(link_, std::move(request), options,
                [observer = std::move(observer)](absl::StatusOr<v1::WaitResponse> response) {
                  if (response.ok()) {
                    for (const v1::Process& process : response->processes()) {
                      observer->OnState(process);
                    }
                  }
                  observer->OnLost(response.ok() ? absl::UnavailableError("") : response.status());
                });
}

}  // namespace shoal
