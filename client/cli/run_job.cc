#include "client/cli/run_job.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/exit_status.h"
#include "client/cli/input_choice.h"
#include "client/cli/leaving.h"
#include "client/cli/one_process.h"
#include "client/cli/progress.h"
#include "client/cli/standard_output.h"
#include "client/cli/suspending.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/signals.h"
#include "common/span.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

constexpr char kTtlOfManaged[] = "5s";
// Of a host that may be left out, once it has answered; an agent that is upgraded is back sooner.
constexpr absl::Duration kTimeToOpen = absl::Seconds(5);

std::vector<std::string> HostNames(const Fleet& fleet, const Invocation& invocation) {
  std::vector<std::string> names;
  for (const FleetHost& entry : fleet.hosts()) names.push_back(invocation.NameOf(*entry.host));
  return names;
}

// What -H takes for each host, if it was given: the agent's own name may not be that.
std::vector<std::string> HostFlags(const Fleet& fleet, const Invocation& invocation) {
  std::vector<std::string> flags;
  if (invocation.hosts.empty()) return flags;
  for (const FleetHost& entry : fleet.hosts()) {
    const HostAddress& address = entry.host->address();
    flags.push_back(address.is_unix() ? absl::StrCat("unix:", address.unix_path) : address.name);
  }
  return flags;
}

// Hosts as they are called in output, instead of as the library knows them.
void Rename(const Fleet& fleet, const std::vector<int>& counts,
            const std::vector<std::string>& names, JobResult* result) {
  for (size_t rank = 0, host = 0, end = 0; rank < result->processes.size(); ++rank) {
    while (host < counts.size() && rank >= end + static_cast<size_t>(counts[host])) {
      end += static_cast<size_t>(counts[host++]);
    }
    if (host < names.size()) result->processes[rank].set_host(names[host]);
  }
  if (result->first_failure.has_value()) {
    result->first_failure->host = names[static_cast<size_t>(result->first_failure->rank.host)];
  }
  for (HostSurvivors& left : result->survivors) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (fleet.hosts()[i].name() != left.host) continue;
      left.host = names[i];
      break;
    }
  }
}

// A process of Shoal, or one that such a process has started.
bool IsManaged() { return std::getenv("SHOAL_ID") != nullptr; }

bool HasNetwork(const Fleet& fleet) {
  return std::any_of(fleet.hosts().begin(), fleet.hosts().end(),
                     [](const FleetHost& entry) { return !entry.host->address().is_unix(); });
}

std::string SessionName(const std::string& program) {
  char here[256] = "";
  gethostname(here, sizeof(here) - 1);
  return absl::StrCat("run ", EscapeForMessage(program, 64), " from ", here);
}

absl::StatusOr<RunSinkOptions> MakeSinkOptions(const RunArguments& arguments, const Fleet& fleet,
                                               const std::vector<int>& counts,
                                               const Invocation& invocation) {
  RunSinkOptions options;
  options.host_names = HostNames(fleet, invocation);
  options.counts = counts;
  options.json = invocation.json();
  options.gather = arguments.gather && !options.json;
  options.colours = invocation.colours();
  if (!arguments.raw) options.shows_controls = IsTerminal;
  int world = std::accumulate(counts.begin(), counts.end(), 0);
  // Of several also without a tag: their lines are not torn.
  options.tagged = !options.json && (world > 1 || arguments.has_tag);
  auto several =
      std::count_if(counts.begin(), counts.end(), [](int count) { return count > 0; }) > 1;
  options.tag = TagTemplate::Default(several);
  if (arguments.has_tag || arguments.no_tag) {
    SHOAL_ASSIGN_OR_RETURN(options.tag, TagTemplate::Parse(arguments.tag));
    if (arguments.tag.empty()) options.colours = false;
  }
  return options;
}

// The exit status of a command that the signal has ended.
int EndedBy(int number) {
  if (number != SIGPIPE) EndBySignal(number);
  return 128 + number;
}

}  // namespace

// On the thread of signals: the hosts are told before anything that may block.
void RunJob::OnSignal(int number) {
  if (number == SIGTSTP) return OnStop();
  if (number == SIGCONT && stdin_ != nullptr) stdin_->LookAgain();
  if (number == SIGWINCH && terminal_ != nullptr) return terminal_->link().TellSize();
  if (!Interrupts::MeansAnEnd(number)) return job_->Signal(number);
  int none = 0;
  bool is_first = first_signal_.compare_exchange_strong(none, number);
  if (is_first && number == SIGHUP && arguments_.detach_on_hangup) {
    job_->Detach();
    return;
  }
  // Seen before, too: what ends at once is still to be told of.
  const bool was_over = job_->Left().empty();
  job_->Interrupt(number);
  if (was_over && job_->Left().empty()) {
    if (!is_opened_) DieBySignal(number);
    leaving_signal_ = number;
    return;
  }
  if (is_first) {
    SayAtOnce(
        absl::StrCat(SignalName(number),
                     ": ending every process; Ctrl-C once more kills them at once, and leaves."));
  } else if (!interrupts_.AwaitOver(kTimeToLeave)) {
    SayAtOnce(TellLeaving(job_->Left(), Names(), session_ttl_));
    DieBySignal(number);
  }
}

// Where nothing lives any more, all that can hold this program up is whom it tells the rest, for ever if that does not
// read. Within a pause it would have told it.
void RunJob::OnPause() {
  if (leaving_signal_ != 0) {
    SayAtOnce(TellLeaving({}, {}, session_ttl_));
    DieBySignal(leaving_signal_);
  }
  if (first_signal_ == 0 || is_said_to_rest_ || !job_->Left().empty()) return;
  is_said_to_rest_ = true;
  SayAtOnce(TellRest());
}

// What is being ended is not stopped: it would never end.
void RunJob::OnStop() {
  if (first_signal_ != 0) {
    Interrupts::StopHere();
    return;
  }
  if (terminal_ != nullptr) terminal_->link().GiveBack();
  SuspendWith(*job_, Names(), has_keeper_, invocation_.tls, session_ttl_);
  if (terminal_ != nullptr) terminal_->link().TakeAgain();
}

// What a managed process has on other hosts is not to outlive it for long, and not to lapse when its tree is stopped.
void RunJob::OnOpened(const std::vector<JobLease>& leases) {
  is_opened_ = true;
  const std::vector<KeptLease> kept = LeasesToKeep(leases);
  if (!IsManaged() || kept.empty()) return;
  const absl::Status started = keeper_.Start(kept, invocation_.tls, absl::ZeroDuration());
  has_keeper_ = started.ok();
}

std::string RunJob::LearnName(const Fleet& fleet, int host, const std::string& own_name) {
  const Host& known = *fleet.hosts()[static_cast<size_t>(host)].host;
  invocation_.LearnName(known, own_name);
  std::string name = invocation_.NameOf(known);
  MutexLock lock(&names_mu_);
  host_names_[static_cast<size_t>(host)] = name;
  return name;
}

std::vector<std::string> RunJob::Names() const {
  MutexLock lock(&names_mu_);
  return host_names_;
}

void RunJob::OnBrokenOutput() {
  int none = 0;
  const bool detach = arguments_.detach_on_hangup && OutputHasNoReader();
  if (OutputHasNoReader()) first_signal_.compare_exchange_strong(none, detach ? SIGHUP : SIGPIPE);
  if (detach) {
    job_->Detach();
  } else {
    job_->Interrupt();
    job_->DropOutput();
  }
}

absl::Status RunJob::Ship(const Fleet& fleet, const std::vector<int>& counts,
                          v1::ProcessSpec* spec) {
  if (files_.empty()) return absl::OkStatus();
  std::vector<std::shared_ptr<Host>> hosts;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) hosts.push_back(fleet.hosts()[i].host);
  }
  const Progress progress(DescribeShipping(files_, hosts.size()));
  const absl::StatusOr<std::vector<v1::ShippedFile>> shipped = ShipAll(hosts, files_);
  lost_ = invocation_.LostTo(shipped.status(), hosts);
  SHOAL_RETURN_IF_ERROR(shipped.status());
  spec->mutable_files()->Assign(shipped->begin(), shipped->end());
  return absl::OkStatus();
}

absl::Status RunJob::SetInput(int world, JobSpec* spec) {
  SHOAL_ASSIGN_OR_RETURN(const InputChoice choice, ParseInputChoice(arguments_.stdin_choice, world,
                                                                    IsInputGiven(STDIN_FILENO)));
  if (!choice.file.empty() && terminal_ != nullptr) {
    return absl::InvalidArgumentError(
        "--stdin @FILE is given with -t: a terminal is its own input");
  }
  if (!choice.file.empty()) {
    SHOAL_ASSIGN_OR_RETURN(*spec->process.mutable_input()->mutable_file(),
                           PathOnHosts(arguments_.job, choice.file));
  }
  if (!choice.is_ours) return absl::OkStatus();
  stdin_ = std::make_shared<StdinSource>(STDIN_FILENO);
  spec->input.source = stdin_;
  spec->input.rank = choice.rank;
  if (terminal_ == nullptr) return absl::OkStatus();
  spec->input.source = terminal_->Listen(stdin_);
  spec->input.writer = terminal_->writer();
  return absl::OkStatus();
}

absl::StatusOr<JobSpec> RunJob::MakeSpec(const Fleet& fleet, const std::vector<int>& counts) {
  JobSpec spec;
  SHOAL_ASSIGN_OR_RETURN(spec.process, BuildSpec(job_options_, words_, fleet));
  SHOAL_RETURN_IF_ERROR(Ship(fleet, counts, &spec.process));
  SHOAL_ASSIGN_OR_RETURN(spec.halt, ParseHaltRule(arguments_.halt));
  spec.counts = counts;
  if (arguments_.forget) spec.keep_for = absl::ZeroDuration();
  spec.session_name = SessionName(words_[0]);
  SHOAL_ASSIGN_OR_RETURN(spec.session_ttl, ParseSpan(session_ttl_));
  if (invocation_.may_skip()) spec.open_timeout = kTimeToOpen;
  SHOAL_RETURN_IF_ERROR(SetInput(std::accumulate(counts.begin(), counts.end(), 0), &spec));
  return spec;
}

absl::StatusOr<Fleet> RunJob::FindHosts() {
  if (arguments_.beside.empty()) {
    const bool asks = arguments_.job.NeedsFacts() || invocation_.json();
    return invocation_.ConnectForWork(asks ? Invocation::Ask::kAll : Invocation::Ask::kNone);
  }
  SHOAL_ASSIGN_OR_RETURN(const Selection selection, Selection::Parse({arguments_.beside}, {}));
  SHOAL_ASSIGN_OR_RETURN(const Found found, FindOneProcess(selection, "exec", invocation_));
  job_options_.beside = found.process.id();
  return Fleet::Of({FleetHost{found.host, v1::Host()}});
}

absl::Status RunJob::OpenTerminal(int world) {
  if (!arguments_.job.terminal) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(DetachKeys keys, DetachKeys::Parse(arguments_.detach_keys));
  if (world > 1) return absl::InvalidArgumentError("-t is for a single process: give -n 1");
  terminal_ = std::make_unique<RunTerminal>(std::move(keys), [this] { job_->Detach(); });
  return absl::OkStatus();
}

// Some error that is not that of a lost host would stop another round, too.
void RunJob::TakeLost(const Fleet& fleet) {
  const std::vector<JobRefusal> unopened = job_->Unopened();
  const bool are_lost = std::all_of(
      unopened.begin(), unopened.end(),
      [this](const JobRefusal& entry) { return invocation_.MayLeaveOut(entry.reason); });
  if (first_signal_ != 0 || !are_lost) return;
  for (const JobRefusal& entry : unopened) {
    const Host& host = *fleet.hosts()[static_cast<size_t>(entry.host)].host;
    lost_.push_back({host.address(), entry.reason});
  }
}

// With --stdin the user of `run` has said what its processes read, and is told nothing of it.
void RunJob::TellWaitingInput() {
  if (stdin_ == nullptr && arguments_.stdin_choice.empty()) invocation_.TellWaitingInput();
}

// The keys were typed, and the process goes on: as `attach` leaves it.
int RunJob::FinishLeft(const JobResult& result, const RunSink& sink) {
  const v1::Process& process = result.processes.front();
  const std::optional<int64_t> input_at = terminal_->LetGo();
  for (const HostLeft& left : job_->Left()) {
    if (left.is_detached) continue;
    WriteError(absl::StrCat("\r\nshoal: ", process.host(), " has not said that ", process.name(),
                            " goes on; else it ends in ", session_ttl_, ".\n"));
    return kExitUnreachable;
  }
  WriteNote(TellDetached(process, result.is_input_passed,
                         result.is_input_passed ? input_at : std::nullopt,
                         sink.shown(0, v1::STREAM_KIND_STDOUT)));
  return 0;
}

// Has the sink tell this what it hears.
void RunJob::Listen(const Fleet& fleet, RunSinkOptions* options) {
  options->on_opened = [this](const std::vector<JobLease>& leases) { OnOpened(leases); };
  options->on_broken_output = [this] { OnBrokenOutput(); };
  if (terminal_ != nullptr) {
    options->on_started = [this, &fleet](RankId rank, const v1::Process& process) {
      terminal_->OnStarted(fleet.hosts()[static_cast<size_t>(rank.host)].host, process);
    };
    options->on_input_lost = [this] { terminal_->link().Leave(); };
  }
  options->learn_name = [this, &fleet](int host, const std::string& own_name) {
    return LearnName(fleet, host, own_name);
  };
  {
    MutexLock lock(&names_mu_);
    host_names_ = options->host_names;
  }
}

absl::StatusOr<int> RunJob::Go() {
  // What was typed is checked before anything is started.
  SHOAL_RETURN_IF_ERROR(ParseHaltRule(arguments_.halt).status());
  SHOAL_RETURN_IF_ERROR(TagTemplate::Parse(arguments_.tag).status());
  if (!fleet_.has_value()) {
    SHOAL_ASSIGN_OR_RETURN(fleet_, FindHosts());
  }
  const Fleet& fleet = *fleet_;
  SHOAL_ASSIGN_OR_RETURN(std::vector<int> counts, Place(job_options_, fleet, invocation_));
  SHOAL_RETURN_IF_ERROR(OpenTerminal(std::accumulate(counts.begin(), counts.end(), 0)));
  if (!arguments_.has_session_ttl && IsManaged() && HasNetwork(fleet)) session_ttl_ = kTtlOfManaged;
  SHOAL_ASSIGN_OR_RETURN(JobSpec spec, MakeSpec(fleet, counts));
  SHOAL_ASSIGN_OR_RETURN(RunSinkOptions options,
                         MakeSinkOptions(arguments_, fleet, counts, invocation_));
  Listen(fleet, &options);
  std::optional<Progress> progress;
  options.host_patience = spec.host_patience;
  options.on_progress = [&progress](const std::string& text) {
    if (progress.has_value()) progress->Set(text);
  };
  // Who types is not written over.
  if (stdin_ == nullptr || isatty(STDIN_FILENO) == 0) progress.emplace("starting");
  RunFacts facts = KnownFacts(spec);
  options.explain = [&facts](const std::string& host, const v1::RequestError& error) {
    return ExplainStartError(error, facts.program, host, facts.shipped, facts.may_ship);
  };
  RunSink sink(std::move(options));
  SHOAL_ASSIGN_OR_RETURN(job_, Job::Create(fleet, std::move(spec), &sink));
  if (terminal_ != nullptr) SHOAL_RETURN_IF_ERROR(terminal_->Take());
  interrupts_.Deliver([this](int number) { OnSignal(number); }, [this] { OnPause(); });
  TellWaitingInput();
  absl::StatusOr<JobResult> ended = job_->Run();
  progress.reset();
  if (!ended.ok()) TakeLost(fleet);
  if (lost_.empty()) interrupts_.Over();
  if (terminal_ != nullptr) terminal_->link().GiveBack();
  if (absl::IsCancelled(ended.status()) && first_signal_ != 0) return EndedBy(first_signal_);
  SHOAL_RETURN_IF_ERROR(ended.status());
  sink.Finish();
  TellWaitingInput();
  return Tell(*std::move(ended), facts, counts, sink);
}

RunFacts RunJob::KnownFacts(const JobSpec& spec) const {
  RunFacts facts;
  facts.halt = spec.halt;
  facts.program = words_[0];
  facts.may_ship = arguments_.beside.empty();
  for (const ShipFile& file : files_) facts.shipped.push_back(file.path);
  return facts;
}

// What became of it; the exit status.
int RunJob::Tell(JobResult result, RunFacts facts, const std::vector<int>& counts,
                 const RunSink& sink) {
  facts.end_signal = first_signal_;
  if (result.first_failure.has_value()) invocation_.LearnNames(*fleet_);
  invocation_.TellOneAgentTwice(*fleet_);
  facts.host_names = HostNames(*fleet_, invocation_);
  facts.host_flags = HostFlags(*fleet_, invocation_);
  Rename(*fleet_, counts, facts.host_names, &result);
  if (result.detached && terminal_ != nullptr && terminal_->is_left()) {
    return FinishLeft(result, sink);
  }
  const int status = RunExitStatus(result, facts);
  if (invocation_.json()) Print(SummaryLine(result, facts, status));
  FlushOutput();
  if (facts.end_signal != SIGPIPE) WriteNote(ReportRun(result, facts));
  if (invocation_.quiet) WriteError(ReportNotStarted(result, facts));
  invocation_.TellSkipped();
  const bool is_ended_by_signal = facts.end_signal != 0 && status == 128 + facts.end_signal;
  return is_ended_by_signal ? EndedBy(facts.end_signal) : status;
}

}  // namespace shoal::cli
