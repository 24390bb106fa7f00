#include "agent/core/offers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/core/start_failure.h"
#include "common/escape.h"
#include "common/signals.h"

namespace shoal::agent {
namespace {

// An offer may be seen before the report that its process has started.
constexpr absl::Duration kUnknownPatience = absl::Seconds(10);
// Within it a process that lives offers itself anew to an agent that was restarted.
constexpr absl::Duration kOfferTime = absl::Seconds(3);
constexpr size_t kMaxWords = 400;

// If the start of the process may be tried again, so may the starts that wait for its offer: they
// get the same code.
absl::Status CannotBeForked(const ProcessEntry& process) {
  const absl::StatusCode code = process.start_failure ? StatusOf(*process.start_failure).code()
                                                      : absl::StatusCode::kFailedPrecondition;
  // What knows nothing of templates does its work instead, and ends well.
  const bool knows_nothing = process.template_facts && process.exit && process.exit->code == 0;
  return absl::Status(
      code, absl::StrCat(process.name, " cannot be forked: it ", HowItEnded(process),
                         knows_nothing ? " and did not offer itself: a program must call "
                                         "shoal::Init() or shoal_template.serve() to be a template"
                                       : ""));
}

constexpr absl::string_view kHowToWaitLonger = "; fork_wait would wait longer";

}  // namespace

std::string LastWords(absl::string_view what, absl::string_view stderr_tail) {
  absl::string_view words = absl::StripAsciiWhitespace(stderr_tail);
  if (words.size() > kMaxWords) words.remove_prefix(words.size() - kMaxWords);
  return words.empty() ? std::string()
                       : absl::StrCat(what, ": '", EscapeForMessage(words, 2 * kMaxWords), "'");
}

std::string HowItEnded(const ProcessEntry& process) {
  if (process.start_failure) return absl::StrCat("did not start: ", process.start_failure->message);
  if (!process.exit) return "ended";
  const Exit& exit = *process.exit;
  std::string how = exit.code     ? absl::StrCat("exited with code ", *exit.code)
                    : exit.signal ? absl::StrCat("was ended by ", SignalName(*exit.signal))
                                  : absl::StrCat("was lost: ", exit.unknown_detail);
  if (!exit.requested_by.empty()) absl::StrAppend(&how, " on request of ", exit.requested_by);
  return absl::StrCat(how, LastWords("; the last of its stderr", exit.stderr_tail));
}

std::optional<ForkParent> Offers::Of(const std::string& process_id) const {
  const auto found = offers_.find(process_id);
  return found == offers_.end() ? std::nullopt : std::optional<ForkParent>(found->second);
}

absl::Duration Offers::PatienceFor(const ProcessEntry& process) const {
  absl::Duration age = core_->clock->BootTime() - began_;
  // The wall clock may have been set meanwhile; how long this agent has lived is certain.
  if (process.start_time) {
    age = std::clamp(core_->clock->Now() - *process.start_time, absl::ZeroDuration(), age);
  }
  return process.start_time ? kOfferTime - age : kOfferTime;
}

void Offers::Await(const ProcessEntry& process, absl::Duration patience, Callback done) {
  if (offers_.contains(process.id)) return done(absl::OkStatus());
  if (process.IsTreeOver()) return done(CannotBeForked(process));
  if (patience <= absl::ZeroDuration()) {
    return done(absl::FailedPreconditionError(
        absl::StrCat(Describe(process), " does not offer itself to be forked", kHowToWaitLonger)));
  }
  const uint64_t number = ++last_number_;
  const Scheduler::TimerId timer = core_->scheduler->After(
      patience, [this, id = process.id, number, patience] { OnImpatient(id, number, patience); });
  waiters_[process.id].push_back({number, timer, std::move(done)});
}

void Offers::OnImpatient(const std::string& process_id, uint64_t number, absl::Duration patience) {
  const auto waiting = waiters_.find(process_id);
  if (waiting == waiters_.end()) return;
  std::vector<Waiter>& waiters = waiting->second;
  const auto found = std::find_if(waiters.begin(), waiters.end(), [number](const Waiter& waiter) {
    return waiter.number == number;
  });
  if (found == waiters.end()) return;
  Callback done = std::move(found->done);
  waiters.erase(found);
  if (waiters.empty()) waiters_.erase(waiting);
  std::string words;
  std::string name = process_id;
  if (const ProcessEntry* process = core_->table.Find(process_id)) {
    name = Describe(*process);
    const record::Stream stream = process->spec->StderrStream();
    words = LastWords("; the last of its stderr",
                      output_->Tail(process_id, stream, process->streams[stream],
                                    process->segment_bytes, kMaxWords));
  }
  done(absl::FailedPreconditionError(absl::StrCat(
      name, " did not offer itself to be forked within ",
      absl::FormatDuration(absl::Ceil(patience, absl::Seconds(1))), kHowToWaitLonger, words)));
}

const ProcessEntry* Offers::ProcessOf(const ForkParent& parent) const {
  for (const auto& [id, process] : core_->table.entries()) {
    if (process->pid == parent.pid && process->start_ticks == parent.start_ticks &&
        process->IsLive()) {
      return process.get();
    }
  }
  return nullptr;
}

void Offers::OnOffer(const ForkParent& parent) {
  if (const ProcessEntry* process = ProcessOf(parent)) return Welcome(*process, parent);
  unknown_.push_back(parent);
  core_->scheduler->After(kUnknownPatience, [this, parent] { RefuseUnknown(parent); });
}

// It may be a process whose PID this agent does not know, since it cannot read its record.
bool Offers::MayBeUnmanaged() const {
  return std::any_of(
      core_->table.entries().begin(), core_->table.entries().end(),
      [](const auto& entry) { return entry.second->IsUnmanaged() && entry.second->IsLive(); });
}

void Offers::RefuseUnknown(const ForkParent& parent) {
  if (MayBeUnmanaged() && std::count(unknown_.begin(), unknown_.end(), parent) > 0) {
    core_->scheduler->After(kUnknownPatience, [this, parent] { RefuseUnknown(parent); });
    return;
  }
  if (std::erase(unknown_, parent) == 0) return;
  port_->AnswerOffer(
      parent, absl::NotFoundError(absl::StrCat("PID ", parent.pid,
                                               " is not the main process of anything started by "
                                               "this agent")));
}

void Offers::Welcome(const ProcessEntry& process, const ForkParent& parent) {
  offers_[process.id] = parent;
  port_->AnswerOffer(parent, absl::OkStatus());
  Settle(process.id, absl::OkStatus());
}

void Offers::OnWithdrawn(const ForkParent& parent) {
  std::erase(unknown_, parent);
  std::erase_if(offers_, [&](const auto& offer) { return offer.second == parent; });
}

void Offers::OnStarted(const ProcessEntry& process) {
  const ForkParent parent{.pid = process.pid, .start_ticks = process.start_ticks};
  if (std::erase(unknown_, parent) != 0) Welcome(process, parent);
}

void Offers::OnOver(const ProcessEntry& process) {
  if (const std::optional<ForkParent> parent = Of(process.id)) {
    offers_.erase(process.id);
    // Another process may have inherited its connection, so that it does not break.
    port_->AnswerOffer(*parent, absl::UnavailableError("it has ended"));
  }
  if (waiters_.contains(process.id)) Fail(process.id, CannotBeForked(process));
}

void Offers::Fail(const std::string& process_id, const absl::Status& why) {
  Settle(process_id, why);
}

void Offers::Settle(const std::string& process_id, const absl::Status& offered) {
  const auto waiting = waiters_.find(process_id);
  if (waiting == waiters_.end()) return;
  std::vector<Waiter> waiters = std::move(waiting->second);
  waiters_.erase(waiting);
  for (Waiter& waiter : waiters) {
    core_->scheduler->Cancel(waiter.timer);
    waiter.done(offered);
  }
}

}  // namespace shoal::agent
