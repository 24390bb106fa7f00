#include "client/cli/bulk.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "client/cli/exit_status.h"
#include "client/cli/standard_output.h"
#include "client/cli/table.h"
#include "common/escape.h"
#include "common/ids.h"

namespace shoal::cli {

absl::Status StatusOf(const v1::RequestError& error, const v1::Process& process) {
  return StatusOfAnswer(error.code(),
                        absl::StrCat(process.name(), " (", process.id().substr(0, kShortIdLength),
                                     ") on ", process.host(), ": ", error.message()));
}

int Report(const std::vector<BulkAnswer>& answers,
           const std::function<std::string(const BulkAnswer&)>& sentence, Invocation& invocation) {
  std::set<std::string> hosts;
  for (const BulkAnswer& answer : answers) hosts.insert(answer.result.process().host());
  auto label = [&](const v1::Process& process) {
    const std::string name =
        hosts.size() > 1 ? absl::StrCat(process.host(), "/", process.name()) : process.name();
    return EscapeForMessage(name, name.size());
  };
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
