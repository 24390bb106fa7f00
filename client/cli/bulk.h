// Calls that are made for every process that was selected, and what each of them answered.
//
// Thread-safety: main thread only.
// Blocking:      until every host has answered.
#ifndef SHOAL_CLIENT_CLI_BULK_H_
#define SHOAL_CLIENT_CLI_BULK_H_

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/exit_status.h"
#include "client/cli/invocation.h"
#include "client/cli/json.h"
#include "client/cli/lookup.h"
#include "shoal/fan_out.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::cli {

// What became of one process.
struct BulkAnswer {
  const Found* before = nullptr;  // as it was when it was found
  v1::ProcessResult result;       // host filled in
};

// Has each answer point to its process as it was found, and puts them into that order: an agent answers in
// one of its own.
void SortAsFound(const std::vector<Found>& found, std::vector<BulkAnswer>* answers);

// Whether names alone may be those of several.
bool IsOnSeveralHosts(const std::vector<BulkAnswer>& answers);
// "web", or "ant/web".
std::string LabelOf(const v1::Process& process, bool names_host);

// Prints a line "NAME  <sentence>" for each answer without error, names aligned, with their hosts
// where there are several, and complains about the others; or prints the JSON of every process. The
// exit status: 0, or that of the last complaint.
int Report(const std::vector<BulkAnswer>& answers,
           const std::function<std::string(const BulkAnswer&)>& sentence, Invocation& invocation);

// The status in a RequestError, told of the process and its host. The agent's sentence may name the process itself.
absl::Status StatusOf(const v1::RequestError& error, const v1::Process& process);

// Calls each host for its share. Answers are in the order of the lookup; hosts that fail are
// complained about, and `*status` becomes the exit status for that.
template <typename Response>
std::vector<BulkAnswer> CallForEach(
    const Lookup& lookup, Invocation& invocation, int* status,
    const std::function<void(const HostShare&, Done<Response>)>& start) {
  for (const absl::Status& failure : lookup.failures) *status = invocation.Fail(failure);
  std::vector<HostShare> shares = ByHost(lookup.found);
  std::vector<absl::StatusOr<Response>> responses = FanOut<Response>(
      shares.size(), [&](size_t i, Done<Response> done) { start(shares[i], std::move(done)); });
  std::vector<BulkAnswer> answers;
  for (size_t i = 0; i < shares.size(); ++i) {
    if (!responses[i].ok()) {
      const absl::Status failure =
          WithDoubt(responses[i].status(), "it may have been done there all the same");
      *status = invocation.Fail(failure, {invocation.NameOf(*shares[i].host), "", ""});
      continue;
    }
    for (v1::ProcessResult& result : *responses[i]->mutable_results()) {
      result.mutable_process()->set_host(invocation.NameOf(*shares[i].host));
      answers.push_back({nullptr, std::move(result)});
    }
  }
  SortAsFound(lookup.found, &answers);
  return answers;
}

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_BULK_H_
