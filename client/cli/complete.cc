// `shoal complete -- WORD…`, for the shells (deploy/completion): what may stand where the cursor is.
//
// The first line says what: "words", "files", "directories", or "command N": the words from number N on are a command of
// the user. Each further line is a word, a tab, and what it is. It says nothing else, and is gone after a second, or
// after the span that $SHOAL_COMPLETE_TIMEOUT is.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cli/command.h"
#include "client/cli/completion.h"
#include "client/cli/config.h"
#include "client/cli/exit_status.h"
#include "client/cli/standard_output.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/signals.h"
#include "common/span.h"
#include "shoal/fleet.h"
#include "shoal/host_list.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

using Kind = Completion::Kind;

constexpr absl::Duration kPatience = absl::Seconds(1);
// The share of it that a host has to answer.
constexpr double kHostShare = 0.7;
constexpr size_t kMostOfCommand = 40;
constexpr size_t kMostProcesses = 1000;

absl::Duration WholePatience() {
  const char* const text = std::getenv("SHOAL_COMPLETE_TIMEOUT");
  if (text == nullptr) return kPatience;
  const absl::StatusOr<absl::Duration> span = ParseSpan(text);
  const bool is_of_use =
      span.ok() && *span > absl::ZeroDuration() && *span != absl::InfiniteDuration();
  return is_of_use ? *span : kPatience;
}

// Ends the program, which has printed nothing yet, when a name does not resolve in time, or the like.
class Patience {
 public:
  Patience() {
    struct sigaction action = {};
    action.sa_handler = [](int) { _exit(kExitTryAgain); };
    sigaction(SIGALRM, &action, &before_);
    Set(WholePatience());
  }
  ~Patience() {
    Set(absl::ZeroDuration());
    sigaction(SIGALRM, &before_, nullptr);
  }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

 private:
  static void Set(absl::Duration span) {
    itimerval timer = {};
    timer.it_value = absl::ToTimeval(span);
    setitimer(ITIMER_REAL, &timer, nullptr);
  }

  struct sigaction before_ = {};
};

// Groups, names for addresses, and the members of groups.
std::vector<Candidate> KnownHostWords() {
  absl::StatusOr<Config> config = LoadConfig();
  if (!config.ok()) return {};
  std::vector<Candidate> found;
  std::map<std::string, std::string> hosts = config->hosts;
  for (const auto& [name, members] : config->groups) {
    found.push_back({absl::StrCat("@", name), members});
    absl::StatusOr<std::vector<HostAddress>> addresses = ParseHostList(members);
    if (!addresses.ok()) continue;
    for (const HostAddress& address : *addresses) {
      hosts.emplace(address.name, absl::StrCat("of @", name));
    }
  }
  for (const auto& [name, address] : hosts) found.push_back({name, address});
  return found;
}

std::vector<Candidate> SignalWords() {
  std::vector<Candidate> found;
  for (int number = 1; number < 32; ++number) {
    std::string name = SignalName(number);
    if (absl::StartsWith(name, "SIG")) found.push_back({name.substr(3), absl::StrCat(number)});
  }
  return found;
}

// Ended ones are of use to these.
bool IsWanted(const CLI::App& command, const v1::Process& process) {
  static const auto* const kAll = new std::set<std::string>{"inspect", "logs", "why"};
  if (command.get_name() == "rm") return HasEnded(process);
  return !HasEnded(process) || kAll->count(command.get_name()) != 0;
}

std::string AboutProcess(const v1::Process& process) {
  return absl::StrCat(process.host(), ", ", StateWord(process), ", PID ", process.pid(), ": ",
                      CommandLine(process, kMostOfCommand));
}

// "sim" of its rank "sim.3", where the command takes the ranks of a job by it.
std::optional<std::string> JobOf(const CLI::App& command, const v1::Process& process) {
  static const auto* const kOfOne = new std::set<std::string>{"attach", "exec", "input"};
  const std::string end = absl::StrCat(".", process.rank());
  if (!process.has_rank() || kOfOne->count(command.get_name()) != 0) return std::nullopt;
  if (!absl::EndsWith(process.name(), end)) return std::nullopt;
  return process.name().substr(0, process.name().size() - end.size());
}

void TakeValues(const std::map<std::string, std::string>& values, Invocation* invocation) {
  for (const auto& [name, value] : values) {
    if (name == "hosts") invocation->hosts = value;
    if (name == "tls-cert") invocation->tls.cert_file = value;
    if (name == "tls-key") invocation->tls.key_file = value;
    if (name == "tls-ca") invocation->tls.ca_file = value;
  }
}

// What each host that answers in time has, each process with the name of its host.
std::vector<v1::Process> ListOn(const Fleet& fleet, Invocation& invocation) {
  CallOptions options;
  options.timeout = WholePatience() * kHostShare;
  auto answers =
      fleet.FanOut<std::vector<v1::Process>>([&](Host& host, Done<std::vector<v1::Process>> done) {
        v1::ListRequest request;
        request.mutable_selector()->set_all(true);
        host.List(std::move(request), options, std::move(done));
      });
  std::vector<v1::Process> found;
  for (HostResult<std::vector<v1::Process>>& answer : answers) {
    if (!answer.result.ok()) continue;
    for (v1::Process& process : *answer.result) {
      invocation.LearnName(*answer.host, process.host());
      process.set_host(invocation.NameOf(*answer.host));
      found.push_back(std::move(process));
    }
  }
  return found;
}

// By name, or HOST/NAME where the word begins so.
std::vector<Candidate> ProcessWords(Completion* completion, Invocation& invocation) {
  TakeValues(completion->values, &invocation);
  const size_t slash = completion->prefix.rfind('/');
  std::string host;
  Selection selection;
  if (slash != std::string::npos) {
    host = completion->prefix.substr(0, slash);
    absl::StrAppend(&completion->kept, host, "/");
    completion->prefix.erase(0, slash + 1);
    absl::StatusOr<Selection> of_host = Selection::Parse({absl::StrCat(host, "/*")}, {});
    if (!of_host.ok()) return {};
    selection = *std::move(of_host);
  }
  if (invocation.hosts == "-" || (host.empty() && invocation.NobodyIsHere())) return {};
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(selection);
  if (!fleet.ok()) return {};
  std::map<std::string, std::string> about;
  std::map<std::string, int> jobs;  // ranks, by name
  for (const v1::Process& process : ListOn(*fleet, invocation)) {
    if (!IsWanted(*completion->command, process)) continue;
    if (!host.empty() && process.host() != host) continue;
    if (!absl::StartsWith(process.name(), completion->prefix)) continue;
    if (about.size() < kMostProcesses) about.emplace(process.name(), AboutProcess(process));
    const std::optional<std::string> job = JobOf(*completion->command, process);
    if (job.has_value() && absl::StartsWith(*job, completion->prefix)) ++jobs[*job];
  }
  for (const auto& [job, ranks] : jobs) {
    if (ranks > 1) about.emplace(job, absl::StrCat("a job of ", ranks, " ranks"));
  }
  std::vector<Candidate> found;
  found.reserve(about.size());
  for (auto& [name, text] : about) found.push_back({name, std::move(text)});
  return found;
}

std::string FirstLine(const Completion& completion) {
  switch (completion.kind) {
    case Kind::kFiles:
      return "files";
    case Kind::kDirectories:
      return "directories";
    case Kind::kCommand:
      return absl::StrCat("command ", completion.command_at);
    default:
      return "words";
  }
}

int RunComplete(const CLI::App& shoal, Invocation& invocation) {
  Patience patience;
  Completion completion = CompletionOf(shoal, invocation.words_after_separator);
  switch (completion.kind) {
    case Kind::kHosts:
      completion.candidates = KnownHostWords();
      break;
    case Kind::kSignals:
      completion.candidates = SignalWords();
      break;
    case Kind::kProcesses:
      completion.candidates = ProcessWords(&completion, invocation);
      break;
    default:
      break;
  }
  Print(absl::StrCat(FirstLine(completion), "\n"));
  for (const Candidate& candidate : WithPrefix(completion.candidates, completion.prefix)) {
    Print(absl::StrCat(completion.kept, candidate.word, "\t", EscapeForMessage(candidate.about),
                       "\n"));
  }
  return 0;
}

}  // namespace

void AddComplete(Parser& parser) {
  CLI::App* command = parser.app.add_subcommand(
      "complete", "For the shells: what may stand at the end of these words");
  command->group("");  // not listed
  command->footer("");
  command->callback([&parser] {
    parser.chosen = [&app = parser.app, &invocation = parser.invocation] {
      return RunComplete(app, invocation);
    };
  });
}

}  // namespace shoal::cli
