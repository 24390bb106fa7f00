#include "tests/support/fake_store.h"

namespace shoal::agent {

absl::StatusOr<Store::Content> FakeStore::Load() {
  Content content;
  for (const auto& [id, process] : processes_) content.processes.push_back(process);
  for (const auto& [id, session] : sessions_) content.sessions.push_back(session);
  for (const auto& [key, request] : requests_) content.requests.push_back(request);
  for (const auto& [key, time] : horizons_) {
    content.horizons.push_back({key.first, key.second, time});
  }
  content.revision = revision_;
  content.agent_id = "FAKEAGENTAAAAAAA";
  return content;
}

void FakeStore::PutProcess(const ProcessEntry& process) {
  ProcessEntry copy = process;
  copy.ranks.reset();
  open_.push_back([this, copy = std::move(copy)] { processes_[copy.id] = copy; });
}

void FakeStore::PutSpec(const ProcessEntry& process) {
  open_.push_back([this, id = process.id, spec = process.spec] {
    const auto changed = processes_.find(id);
    if (changed == processes_.end()) return;
    const std::shared_ptr<const Spec> old = changed->second.spec;
    for (auto& [other, entry] : processes_) {
      if (entry.spec == old) entry.spec = spec;
    }
  });
}

void FakeStore::DeleteProcess(const std::string& id) {
  open_.push_back([this, id] { processes_.erase(id); });
}

void FakeStore::PutSession(const SessionEntry& session) {
  SessionEntry copy = session;
  copy.expires_boottime = absl::ZeroDuration();
  open_.push_back([this, copy = std::move(copy)] { sessions_[copy.id] = copy; });
}

void FakeStore::DeleteSession(const std::string& id) {
  open_.push_back([this, id] { sessions_.erase(id); });
}

void FakeStore::PutRequest(const LoggedRequest& request) {
  open_.push_back([this, request] { requests_[{request.owner, request.request_id}] = request; });
}

void FakeStore::DeleteRequest(const std::string& owner, const std::string& request_id) {
  open_.push_back([this, key = Key(owner, request_id)] { requests_.erase(key); });
}

void FakeStore::PutHorizon(const RequestHorizon& horizon) {
  open_.push_back([this, horizon] {
    horizons_[{horizon.owner, horizon.session_id}] = horizon.time;
  });
}

void FakeStore::DeleteHorizon(const std::string& owner, const std::string& session_id) {
  open_.push_back([this, key = Key(owner, session_id)] { horizons_.erase(key); });
}

void FakeStore::PutRevision(int64_t high_water_mark) {
  open_.push_back([this, high_water_mark] { revision_ = high_water_mark; });
}

absl::Status FakeStore::Commit() {
  crash_->Step();
  std::vector<std::function<void()>> changes = std::exchange(open_, {});
  if (!failures_.empty()) {
    absl::Status failure = std::move(failures_.front());
    failures_.pop_front();
    if (!failure.ok()) return failure;
  }
  for (const auto& change : changes) change();
  ++commits_;
  crash_->Step();
  return absl::OkStatus();
}

}  // namespace shoal::agent
