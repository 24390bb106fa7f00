#include "client/cli/lookup.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/host_names.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/ids.h"

namespace shoal::cli {
namespace {

std::string HostsOf(const Fleet& fleet, const Context& context) {
  std::vector<std::string> names;
  for (const FleetHost& entry : fleet.hosts()) names.push_back(context.NameOf(*entry.host));
  return FoldNames(names);
}

bool IsMatched(absl::string_view term, const std::vector<Found>& found) {
  return absl::c_any_of(found, [&](const Found& entry) {
    return Selection::Matches(term, entry.process, entry.process.host()) ||
           Selection::Matches(term, entry.process, entry.host->name());
  });
}

// OK if all that has to match did.
absl::Status CheckMatched(const Fleet& fleet, const Selection& selection, Context& context,
                          const std::vector<Found>& found) {
  std::vector<std::string> unmatched;
  for (const std::string& term : selection.ExactTerms()) {
    if (!IsMatched(term, found))
      unmatched.push_back(absl::StrCat("\"", EscapeForMessage(term), "\""));
  }
  if (!unmatched.empty() || found.empty()) context.LearnNames(fleet);
  if (!unmatched.empty()) {
    return absl::NotFoundError(absl::StrCat("no process on ", HostsOf(fleet, context),
                                            " is called ", absl::StrJoin(unmatched, " or "),
                                            "; `shoal ps -a` lists them"));
  }
  if (!found.empty() || selection.empty()) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("no process on ", HostsOf(fleet, context), " matches ", selection.ToString()));
}

// One List call.
struct Question {
  std::shared_ptr<Host> host;
  v1::Selector selector;
  absl::StatusOr<std::vector<v1::Process>> answer;
};

void Ask(bool live_usage, std::vector<Question>* questions) {
  absl::BlockingCounter pending(static_cast<int>(questions->size()));
  for (Question& question : *questions) {
    v1::ListRequest request;
    *request.mutable_selector() = question.selector;
    request.set_live_usage(live_usage);
    question.host->List(std::move(request), {},
                        [&question, &pending](absl::StatusOr<std::vector<v1::Process>> answer) {
                          question.answer = std::move(answer);
                          pending.DecrementCount();
                        });
  }
  pending.Wait();
}

// Adds what was answered, oldest first, but for what another term has found before.
void Take(Question& question, Context& context, absl::flat_hash_set<std::string>* seen,
          std::vector<Found>* found) {
  absl::c_sort(*question.answer, [](const v1::Process& a, const v1::Process& b) {
    return ToTime(true, a.create_time()) < ToTime(true, b.create_time());
  });
  for (v1::Process& process : *question.answer) {
    if (!seen->insert(process.id()).second) continue;
    context.LearnName(*question.host, process.host());
    process.set_host(context.NameOf(*question.host));
    found->push_back({question.host, std::move(process)});
  }
}

}  // namespace

absl::StatusOr<Lookup> FindProcesses(const Fleet& fleet, const Selection& selection,
                                     Context& context, LookupOptions options) {
  if (!selection.hosts().empty()) context.LearnNames(fleet);
  std::vector<Question> questions;
  for (const FleetHost& entry : fleet.hosts()) {
    for (v1::Selector& selector : selection.ForHost(context.NameOf(*entry.host), entry.name())) {
      questions.push_back({entry.host, std::move(selector), absl::UnknownError("no answer")});
    }
  }
  Ask(options.live_usage, &questions);
  Lookup lookup;
  absl::flat_hash_set<std::string> seen;
  for (Question& question : questions) {
    if (absl::IsNotFound(question.answer.status())) continue;
    if (absl::IsInvalidArgument(question.answer.status())) return question.answer.status();
    if (question.answer.ok()) {
      Take(question, context, &seen, &lookup.found);
    } else if (lookup.failures.empty() || lookup.failures.back() != question.answer.status()) {
      lookup.failures.push_back(question.answer.status());
    }
  }
  if (options.must_match && lookup.failures.empty()) {
    if (absl::Status status = CheckMatched(fleet, selection, context, lookup.found); !status.ok()) {
      return status;
    }
  }
  return lookup;
}

size_t ShownIdLength(const std::vector<Found>& found) {
  std::vector<absl::string_view> ids;
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
