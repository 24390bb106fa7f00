#include "client/cli/bulk.h"

#include <algorithm>
#include <functional>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/cli/exit_status.h"
#include "client/cli/standard_output.h"
#include "client/cli/table.h"
#include "common/escape.h"
#include "common/ids.h"

namespace shoal::cli {

absl::Status StatusOf(const v1::RequestError& error, const v1::Process& process) {
  const std::string& message = error.message();
  const std::string called =
      absl::StrCat(process.name(), " (", process.id().substr(0, kShortIdLength));
  const std::string place = absl::StrCat(" on ", process.host());
  // "the tree of web (7KQ2MD, exited) is not empty yet"
  const size_t named = message.find(absl::StrCat(called, ", "));
  const size_t end = named == std::string::npos ? named : message.find(')', named + called.size());
  if (end == std::string::npos) {
    return StatusOfAnswer(error.code(), absl::StrCat(called, ")", place, ": ", message));
  }
  return StatusOfAnswer(error.code(),
                        absl::StrCat(message.substr(0, end + 1), place, message.substr(end + 1)));
}

void SortAsFound(const std::vector<Found>& found, std::vector<BulkAnswer>* answers) {
  absl::flat_hash_map<absl::string_view, const Found*> by_id;
  for (const Found& entry : found) by_id[entry.process.id()] = &entry;
  for (BulkAnswer& answer : *answers) {
    const auto before = by_id.find(answer.result.process().id());
    if (before != by_id.end()) answer.before = before->second;
  }
  std::stable_sort(answers->begin(), answers->end(), [](const BulkAnswer& a, const BulkAnswer& b) {
    return std::less<>()(a.before, b.before);
  });
}

bool IsOnSeveralHosts(const std::vector<BulkAnswer>& answers) {
  std::set<absl::string_view> hosts;
  for (const BulkAnswer& answer : answers) hosts.insert(answer.result.process().host());
  return hosts.size() > 1;
}

std::string LabelOf(const v1::Process& process, bool names_host) {
  const std::string name =
      names_host ? absl::StrCat(process.host(), "/", process.name()) : process.name();
  return EscapeForMessage(name, name.size());
}

int Report(const std::vector<BulkAnswer>& answers,
           const std::function<std::string(const BulkAnswer&)>& sentence, Invocation& invocation) {
  const bool names_hosts = IsOnSeveralHosts(answers);
  auto label = [names_hosts](const v1::Process& process) { return LabelOf(process, names_hosts); };
  size_t width = 0;
  for (const BulkAnswer& answer : answers) {
    width = std::max(width, DisplayWidth(label(answer.result.process())));
  }
  int status = 0;
  for (const BulkAnswer& answer : answers) {
    const v1::Process& process = answer.result.process();
    if (answer.result.has_error()) {
      status = invocation.Fail(StatusOf(answer.result.error(), process), SubjectOf(process));
    } else if (!invocation.json()) {
      Print(absl::StrCat(Pad(label(process), width), "  ", sentence(answer), "\n"));
    }
    if (invocation.json()) Print(ProcessLine(process));
  }
  return status;
}

}  // namespace shoal::cli
