// `shoal run`: processes that are attached to this command and end with it.
//
//   1. signals are blocked, before any thread is there              Interrupts
//   2. the hosts are asked, the ranks placed                        Invocation::ConnectForWork, Place
//   3. what the hosts lack of --ship is sent to them                ShipAll
//   4. the job runs; its output is written as it comes              Job::Run, RunSink
//   5. what became of it goes to stderr, and into the exit status   ReportRun, RunExitStatus
#include "client/cli/run.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "client/cli/input_choice.h"
#include "client/cli/interrupts.h"
#include "client/cli/job_options.h"
#include "client/cli/keeper.h"
#include "client/cli/leaving.h"
#include "client/cli/one_process.h"
#include "client/cli/run_report.h"
#include "client/cli/run_sink.h"
#include "client/cli/ship_options.h"
#include "client/cli/standard_output.h"
#include "client/cli/stdin_source.h"
#include "client/cli/suspending.h"
#include "client/cli/terminal_link.h"
#include "client/cli/units.h"
#include "common/escape.h"
#include "common/mutex.h"
#include "common/signals.h"
#include "common/span.h"
#include "common/status.h"
#include "shoal/job.h"

namespace shoal::cli {
namespace {

constexpr char kTtlOfManaged[] = "5s";

std::vector<std::string> HostNames(const Fleet& fleet, const Invocation& invocation) {
  std::vector<std::string> names;
  for (const FleetHost& entry : fleet.hosts()) names.push_back(invocation.NameOf(*entry.host));
  return names;
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
  options.tagged = !options.json && !arguments.no_tag && (world > 1 || !arguments.tag.empty());
  auto several =
      std::count_if(counts.begin(), counts.end(), [](int count) { return count > 0; }) > 1;
  options.tag = TagTemplate::Default(several);
  if (!arguments.tag.empty()) {
    SHOAL_ASSIGN_OR_RETURN(options.tag, TagTemplate::Parse(arguments.tag));
  }
  return options;
}

// The exit status of a command that the signal has ended.
int EndedBy(int number) {
  if (number != SIGPIPE) EndBySignal(number);
  return 128 + number;
}

// One job, from the fleet to the exit status.
class Run {
 public:
  Run(const RunArguments& arguments, std::vector<std::string> words, std::vector<ShipFile> files,
      Invocation& invocation, Interrupts& interrupts)
      : arguments_(arguments),
        job_options_(arguments.job),
        words_(std::move(words)),
        files_(std::move(files)),
        invocation_(invocation),
        interrupts_(interrupts),
        session_ttl_(arguments.session_ttl) {}

  absl::StatusOr<int> Go();

 private:
  absl::StatusOr<Fleet> FindHosts();
  absl::StatusOr<JobSpec> MakeSpec(const Fleet& fleet, const std::vector<int>& counts);
  absl::Status Ship(const Fleet& fleet, const std::vector<int>& counts, v1::ProcessSpec* spec);
  void OnSignal(int number);
  void OnStop();
  void OnOpened(const std::vector<JobLease>& leases);
  void OnBrokenOutput();
  std::string LearnName(const Fleet& fleet, int host, const std::string& own_name);
  std::vector<std::string> Names() const;
  absl::Status SetInput(int world, JobSpec* spec);

  const RunArguments& arguments_;
  JobOptions job_options_;  // with the id of the process to run beside
  const std::vector<std::string> words_;
  const std::vector<ShipFile> files_;
  Invocation& invocation_;
  Interrupts& interrupts_;
  std::string session_ttl_;
  Keeper keeper_;
  std::atomic<bool> has_keeper_ = false;
  mutable Mutex names_mu_;
  // By index into the fleet; for the thread of signals, too.
  std::vector<std::string> host_names_ ABSL_GUARDED_BY(names_mu_);
  std::shared_ptr<StdinSource> stdin_;      // null: our stdin is not read
  std::unique_ptr<TerminalLink> terminal_;  // null: the process has none
  std::unique_ptr<Job> job_;
  std::atomic<int> first_signal_ = 0;
};

// On the thread of signals: the hosts are told before anything that may block.
void Run::OnSignal(int number) {
  if (number == SIGTSTP) return OnStop();
  if (number == SIGCONT && stdin_ != nullptr) stdin_->LookAgain();
  if (number == SIGWINCH && terminal_ != nullptr) return terminal_->TellSize();
  if (!Interrupts::MeansAnEnd(number)) return job_->Signal(number);
  int none = 0;
  bool is_first = first_signal_.compare_exchange_strong(none, number);
  if (is_first && number == SIGHUP && arguments_.detach_on_hangup) {
    job_->Detach();
    return;
  }
  // Seen before, too: what ends at once is still to be told of.
  const bool is_nothing_started = job_->Left().empty();
  job_->Interrupt(number);
  if (is_nothing_started && job_->Left().empty()) DieBySignal(number);
  if (is_first) {
    SayAtOnce(
        absl::StrCat(SignalName(number),
                     ": ending every process; Ctrl-C once more kills them at once, and leaves."));
  } else if (!interrupts_.AwaitOver(kTimeToLeave)) {
    SayAtOnce(TellLeaving(job_->Left(), Names(), session_ttl_));
    DieBySignal(number);
  }
}

// What is being ended is not stopped: it would never end.
void Run::OnStop() {
  if (first_signal_ != 0) {
    Interrupts::StopHere();
    return;
  }
  if (terminal_ != nullptr) terminal_->GiveBack();
  SuspendWith(*job_, Names(), has_keeper_, invocation_.tls, session_ttl_);
  if (terminal_ != nullptr) terminal_->TakeAgain();
}

// What a managed process has on other hosts is not to outlive it for long, and not to lapse when its tree is stopped.
void Run::OnOpened(const std::vector<JobLease>& leases) {
  const std::vector<KeptLease> kept = LeasesToKeep(leases);
  if (!IsManaged() || kept.empty()) return;
  const absl::Status started = keeper_.Start(kept, invocation_.tls, absl::ZeroDuration());
  has_keeper_ = started.ok();
}

std::string Run::LearnName(const Fleet& fleet, int host, const std::string& own_name) {
  const Host& known = *fleet.hosts()[static_cast<size_t>(host)].host;
  invocation_.LearnName(known, own_name);
  std::string name = invocation_.NameOf(known);
  MutexLock lock(&names_mu_);
  host_names_[static_cast<size_t>(host)] = name;
  return name;
}

std::vector<std::string> Run::Names() const {
  MutexLock lock(&names_mu_);
  return host_names_;
}

void Run::OnBrokenOutput() {
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

absl::Status Run::Ship(const Fleet& fleet, const std::vector<int>& counts, v1::ProcessSpec* spec) {
  if (files_.empty()) return absl::OkStatus();
  std::vector<std::shared_ptr<Host>> hosts;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) hosts.push_back(fleet.hosts()[i].host);
  }
  SHOAL_ASSIGN_OR_RETURN(std::vector<v1::ShippedFile> shipped, ShipAll(hosts, files_));
  spec->mutable_files()->Assign(shipped.begin(), shipped.end());
  return absl::OkStatus();
}

absl::Status Run::SetInput(int world, JobSpec* spec) {
  SHOAL_ASSIGN_OR_RETURN(const InputChoice choice, ParseInputChoice(arguments_.stdin_choice, world,
                                                                    IsInputGiven(STDIN_FILENO)));
  if (!choice.file.empty()) {
    SHOAL_ASSIGN_OR_RETURN(*spec->process.mutable_input()->mutable_file(),
                           PathOnHosts(arguments_.job, choice.file));
  }
  if (!choice.is_ours) return absl::OkStatus();
  stdin_ = std::make_shared<StdinSource>(STDIN_FILENO);
  spec->input.source = stdin_;
  spec->input.rank = choice.rank;
  return absl::OkStatus();
}

absl::StatusOr<JobSpec> Run::MakeSpec(const Fleet& fleet, const std::vector<int>& counts) {
  JobSpec spec;
  SHOAL_ASSIGN_OR_RETURN(spec.process, BuildSpec(job_options_, words_, fleet));
  SHOAL_RETURN_IF_ERROR(Ship(fleet, counts, &spec.process));
  SHOAL_ASSIGN_OR_RETURN(spec.halt, ParseHaltRule(arguments_.halt));
  spec.counts = counts;
  if (arguments_.forget) spec.keep_for = absl::ZeroDuration();
  spec.session_name = SessionName(words_[0]);
  SHOAL_ASSIGN_OR_RETURN(spec.session_ttl, ParseSpan(session_ttl_));
  SHOAL_RETURN_IF_ERROR(SetInput(std::accumulate(counts.begin(), counts.end(), 0), &spec));
  return spec;
}

absl::StatusOr<Fleet> Run::FindHosts() {
  if (arguments_.beside.empty()) {
    return invocation_.ConnectForWork(arguments_.job.NeedsFacts() || invocation_.json());
  }
  SHOAL_ASSIGN_OR_RETURN(const Selection selection, Selection::Parse({arguments_.beside}, {}));
  SHOAL_ASSIGN_OR_RETURN(const Found found, FindOneProcess(selection, "exec", invocation_));
  job_options_.beside = found.process.id();
  return Fleet::Of({FleetHost{found.host, v1::Host()}});
}

absl::StatusOr<int> Run::Go() {
  // What was typed is checked before anything is started.
  SHOAL_RETURN_IF_ERROR(ParseHaltRule(arguments_.halt).status());
  SHOAL_RETURN_IF_ERROR(TagTemplate::Parse(arguments_.tag).status());
  SHOAL_ASSIGN_OR_RETURN(const Fleet fleet, FindHosts());
  SHOAL_ASSIGN_OR_RETURN(std::vector<int> counts, Place(job_options_, fleet, invocation_));
  if (arguments_.job.terminal) {
    if (std::accumulate(counts.begin(), counts.end(), 0) > 1) {
      return absl::InvalidArgumentError("-t is for a single process: give -n 1");
    }
    terminal_ = std::make_unique<TerminalLink>();
  }
  if (!arguments_.has_session_ttl && IsManaged() && HasNetwork(fleet)) session_ttl_ = kTtlOfManaged;
  SHOAL_ASSIGN_OR_RETURN(JobSpec spec, MakeSpec(fleet, counts));
  SHOAL_ASSIGN_OR_RETURN(RunSinkOptions options,
                         MakeSinkOptions(arguments_, fleet, counts, invocation_));
  options.on_opened = [this](const std::vector<JobLease>& leases) { OnOpened(leases); };
  options.on_broken_output = [this] { OnBrokenOutput(); };
  if (terminal_ != nullptr) {
    options.on_started = [this, &fleet](RankId rank, const v1::Process& process) {
      terminal_->SetProcess(fleet.hosts()[static_cast<size_t>(rank.host)].host, process);
    };
    options.on_input_lost = [this] { terminal_->Leave(); };
  }
  options.learn_name = [this, &fleet](int host, const std::string& own_name) {
    return LearnName(fleet, host, own_name);
  };
  {
    MutexLock lock(&names_mu_);
    host_names_ = options.host_names;
  }
  RunSink sink(std::move(options));
  RunFacts facts;
  facts.halt = spec.halt;
  facts.program = words_[0];
  SHOAL_ASSIGN_OR_RETURN(job_, Job::Create(fleet, std::move(spec), &sink));
  if (terminal_ != nullptr && stdin_ != nullptr) {
    SHOAL_RETURN_IF_ERROR(terminal_->Take());
    stdin_->SetOnForeground([this] { terminal_->TakeAgain(); });
  }
  interrupts_.Deliver([this](int number) { OnSignal(number); });
  if (stdin_ == nullptr) invocation_.TellWaitingInput();
  absl::StatusOr<JobResult> ended = job_->Run();
  interrupts_.Over();
  if (terminal_ != nullptr) terminal_->GiveBack();
  if (absl::IsCancelled(ended.status()) && first_signal_ != 0) return EndedBy(first_signal_);
  SHOAL_ASSIGN_OR_RETURN(JobResult result, std::move(ended));
  sink.Finish();
  if (stdin_ == nullptr) invocation_.TellWaitingInput();
  facts.end_signal = first_signal_;
  if (result.first_failure.has_value()) invocation_.LearnNames(fleet);
  invocation_.TellOneAgentTwice(fleet);
  facts.host_names = HostNames(fleet, invocation_);
  Rename(fleet, counts, facts.host_names, &result);
  std::string report = ReportRun(result, facts);
  if (facts.end_signal != SIGPIPE) WriteError(report);
  const int status = RunExitStatus(result, facts);
  const bool is_ended_by_signal = facts.end_signal != 0 && status == 128 + facts.end_signal;
  return is_ended_by_signal ? EndedBy(facts.end_signal) : status;
}

}  // namespace

int RunAttached(const RunArguments& arguments, const CLI::App& command, Invocation& invocation) {
  absl::StatusOr<std::vector<std::string>> words = CommandWords(command, invocation);
  if (!words.ok()) return invocation.Fail(words.status());
  absl::StatusOr<std::vector<ShipFile>> files = ParseShip(arguments.job.ship);
  if (!files.ok()) return invocation.Fail(files.status());
  (*words)[0] = ProgramThere((*words)[0], *files);
  // Lives until the program ends: closing every channel in order would only take time.
  static auto* const run = new std::unique_ptr<Run>;
  Interrupts interrupts(Interrupts::Take::kMessages);
  *run = std::make_unique<Run>(arguments, *std::move(words), *std::move(files), invocation,
                               interrupts);
  absl::StatusOr<int> status = (*run)->Go();
  return status.ok() ? *status : invocation.Fail(status.status());
}

void AddAttachedOptions(CLI::App* command, RunArguments* arguments) {
  command->add_flag("--forget", arguments->forget,
                    "Let the hosts forget everything at the end; else `ps -a` and `why` know the "
                    "exits for an hour, without the output that was shown here");
  command
      ->add_option(
          "--session-ttl", arguments->session_ttl,
          "The processes are ended when this command was not heard of for so long "
          "($SHOAL_SESSION_TTL; default: 15s, or 5s with other hosts from within a process "
          "of Shoal)")
      ->envname("SHOAL_SESSION_TTL")
      ->check(IsSpan())
      ->type_name("SPAN");
}

void AddRun(Parser& parser) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* command = AddCommand(
      parser, "run",
      "Run a command on every slot, or as often as you say; it ends when this command does",
      "  shoal run -n 4 -- sh -c 'echo rank $SHOAL_RANK of $SHOAL_WORLD_SIZE'\n"
      "  shoal -H node[1-16] run --per-host 1 --gather -- uname -r");
  AddJobOptions(command, &arguments->job);
  auto* tag =
      command
          ->add_option("--tag", arguments->tag,
                       "What stands before each line: {rank}, {local_rank}, {host}, {stream}")
          ->type_name("TEMPLATE");
  command->add_flag("--no-tag", arguments->no_tag, "Bytes as they come")->excludes(tag);
  command->add_flag("--raw", arguments->raw, kRawHelp);
  command->add_flag("--gather", arguments->gather, "Equal answers of many as one line, at the end");
  command->add_option("--halt", arguments->halt, "never, or now|soon,fail|success|done=N|P%")
      ->capture_default_str()
      ->type_name("RULE");
  command
      ->add_option("--stdin", arguments->stdin_choice,
                   "Who reads stdin: all, none, the number of a rank; or @FILE, of the hosts "
                   "(default: a single process; of several none)")
      ->type_name("WHO");
  command->add_flag(
      "--detach-on-hangup", arguments->detach_on_hangup,
      "When the terminal is lost the processes go on, detached, instead of being ended");
  AddAttachedOptions(command, arguments.get());
  command->callback([&parser, arguments, command] {
    arguments->has_session_ttl = command->count("--session-ttl") > 0;
    if (arguments->job.terminal && !arguments->job.has_counts()) arguments->job.count = 1;
    parser.chosen = [&invocation = parser.invocation, arguments, command] {
      return RunAttached(*arguments, *command, invocation);
    };
  });
}

}  // namespace shoal::cli
