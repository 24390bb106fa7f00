// `shoal start`: processes that outlive this command.
#include <cerrno>
#include <memory>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/bulk.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "client/cli/job_options.h"
#include "client/cli/json.h"
#include "client/cli/lookup.h"
#include "client/cli/ship_options.h"
#include "client/cli/start_error.h"
#include "client/cli/table.h"
#include "client/cli/wording.h"
#include "common/ids.h"
#include "shoal/job.h"

namespace shoal::cli {
namespace {

// What is to be started on one host.
struct Share {
  std::shared_ptr<Host> host;
  v1::SpawnBatchRequest request;
};

// Sends the files to the hosts of `shares`, and adds them to what is started there.
absl::Status ShipTo(const std::vector<ShipFile>& files, std::vector<Share>* shares) {
  if (files.empty()) return absl::OkStatus();
  std::vector<std::shared_ptr<Host>> hosts;
  for (const Share& share : *shares) hosts.push_back(share.host);
  absl::StatusOr<std::vector<v1::ShippedFile>> shipped = ShipAll(hosts, files);
  if (!shipped.ok()) return shipped.status();
  for (Share& share : *shares) {
    share.request.mutable_specs(0)->mutable_files()->Assign(shipped->begin(), shipped->end());
  }
  return absl::OkStatus();
}

// One process on each host; or so many as are wanted, as ranks.
absl::StatusOr<std::vector<Share>> MakeShares(const JobOptions& options,
                                              const v1::ProcessSpec& spec, const Fleet& fleet,
                                              const Context& context) {
  std::vector<int> counts(fleet.hosts().size(), 1);
  if (options.has_counts()) {
    absl::StatusOr<std::vector<int>> placed = Place(options, fleet, context);
    if (!placed.ok()) return placed.status();
    counts = *std::move(placed);
  }
  v1::Ranks ranks;
  for (size_t i = 0; i < counts.size(); ++i) {
    ranks.set_world_size(ranks.world_size() + counts[i]);
    if (counts[i] > 0) ranks.add_hosts(context.NameOf(*fleet.hosts()[i].host));
  }
  std::vector<Share> shares;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    Share share{fleet.hosts()[i].host, {}};
    *share.request.add_specs() = spec;
    if (options.has_counts() && ranks.world_size() > 1) {
      ranks.set_count(counts[i]);
      ranks.set_host_rank(static_cast<int>(shares.size()));
      *share.request.mutable_ranks() = ranks;
      ranks.set_first_rank(ranks.first_rank() + counts[i]);
    }
    shares.push_back(std::move(share));
  }
  return shares;
}

std::vector<absl::StatusOr<v1::SpawnBatchResponse>> Spawn(std::vector<Share>* shares) {
  std::vector<absl::StatusOr<v1::SpawnBatchResponse>> answers(shares->size(),
                                                              absl::UnknownError("no answer"));
  absl::BlockingCounter pending(static_cast<int>(shares->size()));
  for (size_t i = 0; i < shares->size(); ++i) {
    Share& share = (*shares)[i];
    CallOptions options;
    options.timeout = SpawnTimeoutOf(share.request.specs(0));
    share.host->SpawnBatch(std::move(share.request), options,
                           [&answers, &pending, i](absl::StatusOr<v1::SpawnBatchResponse> answer) {
                             answers[i] = std::move(answer);
                             pending.DecrementCount();
                           });
  }
  pending.Wait();
  return answers;
}

void PrintTable(const std::vector<Found>& started, bool colours) {
  Table table({"NAME", "ID", "HOST", "PID", "STATE"});
  size_t id_length = ShownIdLength(started);
  for (const Found& entry : started) {
    const v1::Process& process = entry.process;
    table.Add({process.name(), process.id().substr(0, id_length), process.host(),
               absl::StrCat(process.pid()), StateWord(process)});
  }
  Print(table.Render(colours));
}

// Prints what was started, complains about what was not; the exit status.
int Report(const Fleet& fleet, const std::vector<Share>& shares,
           std::vector<absl::StatusOr<v1::SpawnBatchResponse>> answers, const std::string& program,
           Context& context) {
  bool all_started =
      absl::c_all_of(answers, [](const absl::StatusOr<v1::SpawnBatchResponse>& answer) {
        return answer.ok() && !answer->results().empty() &&
               absl::c_all_of(answer->results(),
                              [](const auto& result) { return result.has_process(); });
      });
  if (!all_started) context.LearnNames(fleet);
  std::vector<Found> started;
  std::vector<std::string> complaints;
  int status = 0;
  for (size_t i = 0; i < shares.size(); ++i) {
    if (!answers[i].ok()) {
      status = context.Fail(answers[i].status());
      continue;
    }
    if (answers[i]->results().empty()) {
      status = context.Fail(absl::InternalError(absl::StrCat(
          context.NameOf(*shares[i].host), ": the agent did not say what it started")));
    }
    for (v1::SpawnBatchResponse::Result& result : *answers[i]->mutable_results()) {
      if (result.has_process()) {
        context.LearnName(*shares[i].host, result.process().host());
        result.mutable_process()->set_host(context.NameOf(*shares[i].host));
        started.push_back({shares[i].host, std::move(*result.mutable_process())});
        continue;
      }
      StartError error =
          ExplainStartError(result.error(), program, context.NameOf(*shares[i].host));
      if (complaints.empty() || complaints.back() != error.sentence)
        complaints.push_back(error.sentence);
      status = error.exit_status;
    }
  }
  if (context.json()) {
    for (const Found& entry : started) Print(JsonLine(entry.process));
  } else if (!started.empty()) {
    PrintTable(started, context.colours());
  }
  for (const std::string& complaint : complaints) context.Note(complaint);
  return status;
}

int RunStart(const JobOptions& options, const CLI::App& command, Context& context) {
  absl::StatusOr<std::vector<std::string>> words = CommandWords(command, context);
  if (!words.ok()) return context.Fail(words.status());
  absl::StatusOr<std::vector<ShipFile>> files = ParseShip(options.ship);
  if (!files.ok()) return context.Fail(files.status());
  const std::string program = (*words)[0];
  (*words)[0] = ProgramThere(program, *files);
  absl::StatusOr<Fleet> fleet =
      context.ConnectForWork(options.has_counts() && options.NeedsFacts());
  if (!fleet.ok()) return context.Fail(fleet.status());
  absl::StatusOr<v1::ProcessSpec> spec = BuildSpec(options, *words, *fleet);
  if (!spec.ok()) return context.Fail(spec.status());
  spec->set_lifetime(v1::LIFETIME_DETACHED);
  absl::StatusOr<std::vector<Share>> shares = MakeShares(options, *spec, *fleet, context);
  if (!shares.ok()) return context.Fail(shares.status());
  if (absl::Status sent = ShipTo(*files, &*shares); !sent.ok()) return context.Fail(sent);
  return Report(*fleet, *shares, Spawn(&*shares), (*words)[0], context);
}

}  // namespace

void AddStart(Parser& parser) {
  auto options = std::make_shared<JobOptions>();
  CLI::App* command =
      AddCommand(parser, "start",
                 "Daemonize: start processes that outlive this command, one on each host unless "
                 "told otherwise",
                 "  shoal start --name web -- python3 -m http.server 8000\n"
                 "  shoal -H @studio start --name render --per-core -- ./render --serve");
  AddJobOptions(command, options.get());
  command->callback([&parser, options, command] {
    parser.chosen = [&context = parser.context, options, command] {
      return RunStart(*options, *command, context);
    };
  });
}

}  // namespace shoal::cli
