#include "client/cli/lookup.h"

#include <algorithm>
#include <iterator>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/host_names.h"
#include "client/cli/progress.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/spelling.h"
#include "common/status.h"
#include "shoal/fan_out.h"

namespace shoal::cli {
namespace {

constexpr char kNotByPid[] = " (a PID selects nothing: a name or an id does)";

std::string HostsOf(const Fleet& fleet, const Invocation& invocation) {
  std::vector<std::string> names;
  for (const FleetHost& entry : fleet.hosts()) names.push_back(invocation.NameOf(*entry.host));
  return FoldNames(names);
}

bool IsMatched(absl::string_view term, const std::vector<Found>& found,
               const Invocation& invocation) {
  return absl::c_any_of(found, [&](const Found& entry) {
    return Selection::Matches(term, entry.process, entry.process.host()) ||
           absl::c_any_of(invocation.NamesOf(*entry.host), [&](const std::string& name) {
             return Selection::Matches(term, entry.process, name);
           });
  });
}

// OK if all that has to match did.
absl::Status CheckMatched(const Fleet& fleet, const Selection& selection, Invocation& invocation,
                          const std::vector<Found>& found, bool may_come) {
  std::vector<std::string> unmatched;
  bool has_pid = false;
  for (const std::string& term : selection.ExactTerms()) {
    if (IsMatched(term, found, invocation)) continue;
    unmatched.push_back(absl::StrCat("\"", EscapeForMessage(term), "\""));
    has_pid = has_pid || absl::c_all_of(term, absl::ascii_isdigit);
  }
  if (!unmatched.empty() || found.empty()) invocation.LearnNames(fleet);
  if (!unmatched.empty()) {
    return absl::NotFoundError(absl::StrCat("no process on ", HostsOf(fleet, invocation),
                                            " is called ", absl::StrJoin(unmatched, " or "),
                                            selection.AndLabels(), has_pid ? kNotByPid : "",
                                            "; `shoal ps -a` lists them"));
  }
  if (!found.empty() || selection.empty() || (may_come && selection.IsOpen())) {
    return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat("no process on ", HostsOf(fleet, invocation), " matches ",
                                          selection.ToString()));
}

// One List call.
struct Question {
  std::shared_ptr<Host> host;
  v1::Selector selector;
  absl::StatusOr<std::vector<v1::Process>> answer;
};

void Ask(bool live_usage, std::vector<Question>* questions) {
  std::vector<absl::StatusOr<std::vector<v1::Process>>> answers = FanOut<std::vector<v1::Process>>(
      questions->size(), [&](size_t i, Done<std::vector<v1::Process>> done) {
        const Question& question = (*questions)[i];
        v1::ListRequest request;
        *request.mutable_selector() = question.selector;
        request.set_live_usage(live_usage);
        question.host->List(std::move(request), {}, std::move(done));
      });
  for (size_t i = 0; i < answers.size(); ++i) (*questions)[i].answer = std::move(answers[i]);
}

// Adds what was answered, oldest first, but for what another term has found before, or another name of
// the same agent.
void Take(Question& question, Invocation& invocation,
          absl::flat_hash_map<std::string, const Host*>* seen, std::vector<Found>* found) {
  absl::c_sort(*question.answer, [](const v1::Process& a, const v1::Process& b) {
    return ToTime(true, a.create_time()) < ToTime(true, b.create_time());
  });
  for (v1::Process& process : *question.answer) {
    auto [first, is_new] = seen->emplace(process.id(), question.host.get());
    if (!is_new && first->second != question.host.get()) {
      invocation.TellOneAgentTwice(*first->second, *question.host);
    }
    if (!is_new) continue;
    process.set_host(invocation.NameOf(*question.host));
    found->push_back({question.host, std::move(process)});
  }
}

}  // namespace

absl::Status CheckHosts(const Fleet& fleet, const Selection& selection, Invocation& invocation) {
  const std::vector<std::string> asked = selection.hosts();
  if (asked.empty()) return absl::OkStatus();
  invocation.LearnNames(fleet);
  std::vector<std::string> known;
  for (const FleetHost& entry : fleet.hosts()) {
    absl::c_move(invocation.NamesOf(*entry.host), std::back_inserter(known));
  }
  for (const std::string& host : asked) {
    if (absl::c_linear_search(known, host)) continue;
    const std::string meant = DidYouMean(host, known);
    return absl::NotFoundError(absl::StrCat("there is no host \"", EscapeForMessage(host),
                                            "\" among ", HostsOf(fleet, invocation),
                                            meant.empty() ? "" : "; ", meant));
  }
  return absl::OkStatus();
}

absl::StatusOr<Lookup> FindProcesses(const Fleet& fleet, const Selection& selection,
                                     Invocation& invocation, LookupOptions options) {
  SHOAL_RETURN_IF_ERROR(CheckHosts(fleet, selection, invocation));
  std::vector<Question> questions;
  for (const FleetHost& entry : fleet.hosts()) {
    for (v1::Selector& selector : selection.ForHost(invocation.NamesOf(*entry.host))) {
      questions.push_back({entry.host, std::move(selector), absl::UnknownError("no answer")});
    }
  }
  {
    const Progress progress(invocation.TellAsking(fleet));
    Ask(options.live_usage, &questions);
  }
  // Before any is called by it: two may have the same.
  for (const Question& question : questions) {
    if (!question.answer.ok() || question.answer->empty()) continue;
    invocation.LearnName(*question.host, question.answer->front().host());
  }
  Lookup lookup;
  absl::flat_hash_map<std::string, const Host*> seen;
  for (Question& question : questions) {
    if (absl::IsNotFound(question.answer.status())) continue;
    if (absl::IsInvalidArgument(question.answer.status())) return question.answer.status();
    if (question.answer.ok()) {
      Take(question, invocation, &seen, &lookup.found);
    } else if (lookup.failures.empty() ||
               lookup.failures.back().message() != question.answer.status().message()) {
      lookup.failures.push_back(
          Invocation::WithHost(question.answer.status(), invocation.NameOf(*question.host)));
    }
  }
  if (lookup.failures.empty()) {
    SHOAL_RETURN_IF_ERROR(
        CheckMatched(fleet, selection, invocation, lookup.found, options.may_come));
  }
  return lookup;
}

size_t ShownIdLength(const std::vector<Found>& found) {
  std::vector<absl::string_view> ids;
  ids.reserve(found.size());
  for (const Found& entry : found) ids.push_back(entry.process.id());
  absl::c_sort(ids);
  size_t length = kShortIdLength;
  for (size_t i = 1; i < ids.size(); ++i) {
    length = std::max(length, UniquePrefixLength(ids[i - 1], ids[i]));
  }
  return length;
}

std::vector<HostShare> ByHost(const std::vector<Found>& found) {
  std::vector<HostShare> shares;
  for (const Found& entry : found) {
    if (shares.empty() || shares.back().host != entry.host) shares.push_back({entry.host, {}, {}});
    shares.back().selector.add_terms(entry.process.id());
    shares.back().members.push_back(&entry);
  }
  return shares;
}

}  // namespace shoal::cli
