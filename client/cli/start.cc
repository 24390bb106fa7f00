// `shoal start`: processes that outlive this command.
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/bulk.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "client/cli/interrupts.h"
#include "client/cli/job_options.h"
#include "client/cli/json.h"
#include "client/cli/leaving.h"
#include "client/cli/lookup.h"
#include "client/cli/progress.h"
#include "client/cli/ship_options.h"
#include "client/cli/standard_output.h"
#include "client/cli/start_error.h"
#include "client/cli/starting.h"
#include "client/cli/table.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "common/ids.h"
#include "common/signals.h"
#include "common/status.h"
#include "shoal/job.h"
#include "shoal/job/job_name.h"
#include "shoal/placement.h"

namespace shoal::cli {
namespace {

// Sends the files to the hosts of `shares`, and adds them to what is started there. On failure `lost` has the
// hosts that may be left out.
absl::Status ShipTo(const std::vector<ShipFile>& files, std::vector<Share>* shares,
                    const Invocation& invocation, std::vector<UnreachableHost>* lost) {
  if (files.empty()) return absl::OkStatus();
  std::vector<std::shared_ptr<Host>> hosts;
  for (const Share& share : *shares) hosts.push_back(share.host);
  const Progress progress(DescribeShipping(files, hosts.size()));
  absl::StatusOr<std::vector<v1::ShippedFile>> shipped = ShipAll(hosts, files);
  *lost = invocation.LostTo(shipped.status(), hosts);
  SHOAL_RETURN_IF_ERROR(shipped.status());
  for (Share& share : *shares) {
    share.request.mutable_specs(0)->mutable_files()->Assign(shipped->begin(), shipped->end());
  }
  return absl::OkStatus();
}

// One process on each host; or so many as are wanted, as ranks.
absl::StatusOr<std::vector<Share>> MakeShares(const JobOptions& options,
                                              const v1::ProcessSpec& spec, const Fleet& fleet,
                                              const Invocation& invocation) {
  std::vector<int> counts(fleet.hosts().size(), 1);
  if (options.has_counts()) {
    absl::StatusOr<std::vector<int>> placed = Place(options, fleet, invocation);
    if (!placed.ok()) return placed.status();
    counts = *std::move(placed);
  }
  std::vector<std::string> names;
  for (const FleetHost& entry : fleet.hosts()) names.push_back(invocation.NameOf(*entry.host));
  std::vector<v1::Ranks> ranks = RanksOf(counts, names);
  const bool is_on_several = absl::c_count_if(counts, [](int count) { return count > 0; }) > 1;
  const std::string name =
      spec.name().empty() && is_on_several ? MakeJobName(spec.argv(0)) : spec.name();
  std::vector<Share> shares;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    Share share{fleet.hosts()[i].host, {}};
    *share.request.add_specs() = spec;
    share.request.mutable_specs(0)->set_name(name);
    if (options.has_counts() && ranks[i].world_size() > 1) {
      *share.request.mutable_ranks() = std::move(ranks[i]);
    }
    shares.push_back(std::move(share));
  }
  return shares;
}

void PrintTable(const std::vector<Found>& started, const TableLook& look) {
  Table table({"NAME", "ID", "HOST", "PID", "STATE"});
  size_t id_length = ShownIdLength(started);
  for (const Found& entry : started) {
    const v1::Process& process = entry.process;
    table.Add({process.name(), process.id().substr(0, id_length), process.host(),
               absl::StrCat(process.pid()), StateWord(process)});
  }
  Print(table.Render(look));
}

// Of a process that was not started.
struct Complaint {
  StartError error;
  v1::RequestError answer;
  Subject subject;
};

// The process of `request` that was not started: as it would have been called.
Subject SubjectOf(const v1::SpawnBatchRequest& request, int index, const std::string& host) {
  Subject subject{host, "", request.specs(0).name()};
  if (!request.has_ranks()) return subject;
  subject.rank = request.ranks().first_rank() + index;
  if (!subject.name.empty()) absl::StrAppend(&subject.name, ".", *subject.rank);
  return subject;
}

// An object for each, and one sentence where several would say the same one after the other.
void Complain(const std::vector<Complaint>& complaints, const Invocation& invocation) {
  for (size_t i = 0; i < complaints.size(); ++i) {
    const StartError& error = complaints[i].error;
    const v1::RequestError& answer = complaints[i].answer;
    if (invocation.json()) {
      Print(ErrorLine(complaints[i].subject, StatusOfAnswer(answer.code(), error.sentence),
                      error.exit_status,
                      answer.has_start_failure() ? &answer.start_failure() : nullptr));
    }
    if (i > 0 && complaints[i - 1].error.sentence == error.sentence) continue;
    FlushOutput();
    WriteError(absl::StrCat("shoal: ", error.sentence, "\n"));
  }
}

// Of an answer that may have been lost on its way.
std::string DoubtOf(const std::string& host, const v1::ProcessSpec& spec) {
  const std::string which = spec.name().empty() ? "" : absl::StrCat(" ", host, "/", spec.name());
  return absl::StrCat("it may run there all the same: `shoal ps -a", which,
                      "` tells, once the host answers");
}

// Prints what was started, complains about what was not; the exit status.
int Report(const Fleet& fleet, const std::vector<Share>& shares,
           std::vector<absl::StatusOr<v1::SpawnBatchResponse>> answers, const std::string& program,
           Invocation& invocation) {
  bool all_started =
      absl::c_all_of(answers, [](const absl::StatusOr<v1::SpawnBatchResponse>& answer) {
        return answer.ok() && !answer->results().empty() &&
               absl::c_all_of(answer->results(),
                              [](const auto& result) { return result.has_process(); });
      });
  if (!all_started) invocation.LearnNames(fleet);
  if (all_started && shares.size() > 1) invocation.LearnAgents(fleet);
  std::vector<Found> started;
  std::vector<Complaint> complaints;
  int status = 0;
  for (size_t i = 0; i < shares.size(); ++i) {
    if (!answers[i].ok()) {
      const std::string host = invocation.NameOf(*shares[i].host);
      const v1::ProcessSpec& spec = shares[i].request.specs(0);
      status = invocation.FailToStart(WithDoubt(answers[i].status(), DoubtOf(host, spec)),
                                      {host, "", spec.name()});
      continue;
    }
    if (answers[i]->results().empty()) {
      status = invocation.FailToStart(absl::InternalError(absl::StrCat(
          invocation.NameOf(*shares[i].host), ": the agent did not say what it started")));
    }
    int index = -1;
    for (v1::SpawnBatchResponse::Result& result : *answers[i]->mutable_results()) {
      ++index;
      if (result.has_process()) {
        invocation.LearnName(*shares[i].host, result.process().host());
        result.mutable_process()->set_host(invocation.NameOf(*shares[i].host));
        started.push_back({shares[i].host, std::move(*result.mutable_process())});
        continue;
      }
      std::vector<std::string> shipped;
      for (const v1::ShippedFile& file : shares[i].request.specs(0).files()) {
        shipped.push_back(file.path());
      }
      StartError error =
          ExplainStartError(result.error(), program, invocation.NameOf(*shares[i].host), shipped);
      status = error.exit_status;
      complaints.push_back(
          {std::move(error), result.error(),
           SubjectOf(shares[i].request, index, invocation.NameOf(*shares[i].host))});
    }
  }
  if (invocation.json()) {
    for (const Found& entry : started) Print(ProcessLine(entry.process));
  } else if (invocation.quiet) {
    for (const Found& entry : started) Print(absl::StrCat(entry.process.id(), "\n"));
  } else if (!started.empty()) {
    PrintTable(started, invocation.look());
  }
  Complain(complaints, invocation);
  return status;
}

// What became of it when a signal has come before it was reported; the exit status.
int ReportInterrupt(int number, const std::vector<HostLeft>& left,
                    const std::vector<std::string>& names, const Invocation& invocation) {
  const std::string what = left.empty() ? "what was started was ended again."
                                        : "not seen to end again, " + TellStarted(left, names);
  invocation.Note(absl::StrCat(SignalName(number), ": ", what));
  EndBySignal(number);
  return 128 + number;
}

// As far as they are known by now.
std::vector<std::string> NamesOf(const std::vector<Share>& shares, const Invocation& invocation) {
  std::vector<std::string> names;
  names.reserve(shares.size());
  for (const Share& share : shares) names.push_back(invocation.NameOf(*share.host));
  return names;
}

int StartAndReport(const Fleet& fleet, std::vector<Share> shares, const std::string& program,
                   Invocation& invocation, Interrupts& interrupts) {
  const std::vector<std::string> names = NamesOf(shares, invocation);
  auto starting = std::make_shared<Starting>(shares);  // a late signal may find it
  interrupts.Deliver([&interrupts, starting, names, is_first = true](int number) mutable {
    const bool is_ending = starting->Interrupt(number);
    if (is_ending && std::exchange(is_first, false)) {
      SayAtOnce(absl::StrCat(SignalName(number),
                             ": ending what was started; Ctrl-C once more leaves it."));
      return;
    }
    if (is_ending && interrupts.AwaitOver(kTimeToLeave)) return;
    const std::vector<HostLeft> left = starting->Left();
    if (!left.empty()) SayAtOnce("leaving; " + TellStarted(left, names));
    DieBySignal(number);
  });
  std::optional<Progress> progress(
      absl::StrCat("starting on ", Count(static_cast<int64_t>(names.size()), "host")));
  std::vector<Starting::Answer> answers = starting->Run();
  progress.reset();
  interrupts.Over();
  if (int number = starting->interrupted_by(); number != 0) {
    return ReportInterrupt(number, starting->Left(), names, invocation);
  }
  const int status = Report(fleet, shares, std::move(answers), program, invocation);
  // By now the hosts are known by their own names, and nothing is under way any more.
  interrupts.Deliver([left = starting->Left(), known = NamesOf(shares, invocation)](int number) {
    if (!left.empty()) SayAtOnce("leaving; " + TellStarted(left, known));
    DieBySignal(number);
  });
  if (!FlushOutput() && !OutputHasNoReader()) {
    WriteError(
        absl::StrCat("shoal: ", TellStarted(starting->Left(), NamesOf(shares, invocation)), "\n"));
  }
  return status;
}

struct StartArguments {
  JobOptions job;
  bool has_stdin = false;
};

// What is to be started on the hosts of `fleet`, which have the files then; without those that are lost meanwhile,
// if they may be left out. Nothing has been started yet, so the others get their ranks anew.
absl::StatusOr<std::vector<Share>> PrepareShares(const StartArguments& arguments,
                                                 const std::vector<std::string>& words,
                                                 const std::vector<ShipFile>& files,
                                                 Invocation& invocation, Fleet* fleet) {
  for (;;) {
    SHOAL_ASSIGN_OR_RETURN(v1::ProcessSpec spec, BuildSpec(arguments.job, words, *fleet));
    spec.set_lifetime(v1::LIFETIME_DETACHED);
    if (arguments.has_stdin) spec.mutable_input()->mutable_stream();
    SHOAL_ASSIGN_OR_RETURN(std::vector<Share> shares,
                           MakeShares(arguments.job, spec, *fleet, invocation));
    std::vector<UnreachableHost> lost;
    const absl::Status sent = ShipTo(files, &shares, invocation, &lost);
    if (sent.ok()) return shares;
    if (lost.empty()) return sent;
    SHOAL_ASSIGN_OR_RETURN(*fleet, invocation.LeaveOut(*fleet, std::move(lost)));
  }
}

int RunStart(const StartArguments& arguments, const CLI::App& command, Invocation& invocation) {
  const JobOptions& options = arguments.job;
  absl::StatusOr<std::vector<std::string>> words = CommandWords(command, invocation);
  if (!words.ok()) return invocation.FailToStart(words.status());
  absl::StatusOr<std::vector<ShipFile>> files = ParseShip(options.ship);
  if (!files.ok()) return invocation.FailToStart(files.status());
  const std::string program = (*words)[0];
  (*words)[0] = ProgramThere(program, *files);
  Interrupts interrupts(Interrupts::Take::kEnds);
  // Nothing is started where one of the hosts that are to have a process does not answer.
  Invocation::Ask ask = Invocation::Ask::kSeveral;
  if (options.has_counts()) {
    ask = options.NeedsFacts() ? Invocation::Ask::kAll : Invocation::Ask::kNone;
  }
  absl::StatusOr<Fleet> fleet = invocation.ConnectForWork(ask);
  if (!fleet.ok()) return invocation.FailToStart(fleet.status());
  absl::StatusOr<std::vector<Share>> shares =
      PrepareShares(arguments, *words, *files, invocation, &*fleet);
  if (!shares.ok()) return invocation.FailToStart(shares.status());
  const char* const instead =
      arguments.has_stdin ? "`shoal input` gives it to one" : "they read /dev/null";
  invocation.TellWaitingInput(instead);
  const int status =
      StartAndReport(*fleet, *std::move(shares), (*words)[0], invocation, interrupts);
  invocation.TellSkipped();
  invocation.TellWaitingInput(instead);
  return status;
}

}  // namespace

void AddStart(Parser& parser) {
  auto arguments = std::make_shared<StartArguments>();
  CLI::App* command =
      AddCommand(parser, "start",
                 "Daemonize: start processes that outlive this command, one on each host unless "
                 "told otherwise",
                 "  shoal start --name web -- python3 -m http.server 8000\n"
                 "  shoal -H @studio start --name render --per-core -- ./render --serve");
  AddJobOptions(command, &arguments->job);
  AddHostBounds(command, parser.invocation);
  command->add_flag("--stdin", arguments->has_stdin,
                    "Keep the input of the process open, for `shoal input`");
  AddQuiet(command, parser.invocation, "Print ids alone, and nothing on stderr but errors");
  command->callback([&parser, arguments, command] {
    parser.chosen = [&invocation = parser.invocation, arguments, command] {
      return RunStart(*arguments, *command, invocation);
    };
  });
}

}  // namespace shoal::cli
