#include "agent/core/observers.h"

#include <algorithm>
#include <utility>

namespace shoal::agent {
namespace {

template <typename Index, typename Registration>
void Unlink(Index* index, const std::string& key, Registration* registration) {
  auto found = index->find(key);
  if (found == index->end()) return;
  std::erase(found->second, registration);
  if (found->second.empty()) index->erase(found);
}

}  // namespace

Observers::Registration& Observers::RegistrationOf(ProcessObserver* observer) {
  std::unique_ptr<Registration>& registration = registrations_[observer];
  if (registration == nullptr) {
    registration = std::make_unique<Registration>();
    registration->observer = observer;
  }
  return *registration;
}

void Observers::Follow(ProcessObserver* observer, const Selector& selector) {
  Registration& registration = RegistrationOf(observer);
  registration.selector = selector;
  if (!selector.session_id.empty()) {
    by_session_[selector.session_id].push_back(&registration);
  } else if (selector.HasExactTerms()) {
    for (const std::string& term : selector.terms) by_term_[term].push_back(&registration);
  } else {
    open_.push_back(&registration);
  }
}

void Observers::FollowProcess(ProcessObserver* observer, const std::string& id) {
  Registration& registration = RegistrationOf(observer);
  if (registration.ids.insert(id).second) by_process_[id].push_back(&registration);
}

void Observers::Remove(ProcessObserver* observer) {
  auto found = registrations_.find(observer);
  if (found == registrations_.end()) return;
  Registration* registration = found->second.get();
  for (const std::string& id : registration->ids) Unlink(&by_process_, id, registration);
  if (registration->selector) {
    Unlink(&by_session_, registration->selector->session_id, registration);
    for (const std::string& term : registration->selector->terms) {
      Unlink(&by_term_, term, registration);
    }
    std::erase(open_, registration);
  }
  registration->observer = nullptr;
  removed_.push_back(std::move(found->second));  // a call under way may be about to reach it
  registrations_.erase(found);
}

void Observers::Choose(Registration* registration) {
  if (std::exchange(registration->last_call, last_call_) != last_call_) {
    chosen_.push_back(registration);
  }
}

void Observers::ChooseMatching(const List& list, const ProcessEntry& process) {
  for (Registration* registration : list) {
    if (registration->last_call == last_call_) continue;
    if (Matches(*registration->selector, process)) Choose(registration);
  }
}

void Observers::ChooseFrom(const Index& index, const std::string& key,
                           const ProcessEntry& process) {
  if (index.empty()) return;
  if (auto found = index.find(key); found != index.end()) ChooseMatching(found->second, process);
}

void Observers::ChooseFollowersOf(const ProcessEntry& process) {
  ++last_call_;
  if (auto found = by_process_.find(process.id); found != by_process_.end()) {
    for (Registration* registration : found->second) Choose(registration);
  }
  ChooseFrom(by_session_, process.session_id, process);
  ChooseFrom(by_term_, process.name, process);
  if (!by_term_.empty() && process.rank) ChooseFrom(by_term_, std::string(JobOf(process)), process);
  ChooseFrom(by_term_, process.id, process);
  ChooseMatching(open_, process);
}

// The list is taken away first: what is called may add and remove.
template <typename Call>
void Observers::CallChosen(Call call) {
  List chosen = std::exchange(chosen_, {});
  for (Registration* registration : chosen) {
    if (registration->observer == nullptr) continue;
    if (!std::exchange(registration->has_heard, true)) heard_.push_back(registration);
    call(registration->observer);
  }
  chosen.clear();
  chosen_ = std::move(chosen);  // keeps its memory
}

void Observers::TellChanged(const ProcessEntry& process) {
  ChooseFollowersOf(process);
  CallChosen([&](ProcessObserver* observer) { observer->OnChanged(process); });
}

void Observers::TellOutput(const ProcessEntry& process) {
  ChooseFollowersOf(process);
  CallChosen([&](ProcessObserver* observer) { observer->OnOutput(process); });
}

void Observers::TellDeleted(const std::string& id, int64_t revision) {
  auto found = by_process_.find(id);
  if (found == by_process_.end()) return;
  chosen_ = std::move(found->second);
  by_process_.erase(found);  // ids are never used again
  for (Registration* registration : chosen_) registration->ids.erase(id);
  CallChosen([&](ProcessObserver* observer) { observer->OnDeleted(id, revision); });
}

void Observers::TellSessionOver(const std::string& session_id) {
  ++last_call_;
  if (auto found = by_session_.find(session_id); found != by_session_.end()) {
    for (Registration* registration : found->second) Choose(registration);
  }
  for (Registration* registration : open_) {
    if (registration->selector->all) Choose(registration);
  }
  CallChosen([&](ProcessObserver* observer) { observer->OnSessionOver(session_id); });
}

void Observers::TellTurnEnd() {
  for (Registration* registration : std::exchange(heard_, {})) {
    registration->has_heard = false;
    if (registration->observer != nullptr) registration->observer->OnTurnEnd();
  }
  removed_.clear();
}

}  // namespace shoal::agent
