#include "client/cli/invocation.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/exit_status.h"
#include "client/cli/host_names.h"
#include "client/cli/names.h"
#include "client/cli/private_agent.h"
#include "client/cli/progress.h"
#include "client/cli/raw_terminal.h"
#include "client/cli/standard_output.h"
#include "client/cli/units.h"
#include "client/cli/waiting_input.h"
#include "common/cpu_count.h"
#include "common/escape.h"
#include "common/status.h"
#include "shoal/error.h"

namespace shoal::cli {
namespace {

std::string NamedHosts(const std::string& flag) {
  if (!flag.empty()) return flag;
  const char* value = std::getenv("SHOAL_HOSTS");
  return value == nullptr ? "" : value;
}

bool AllAreUnix(const std::vector<HostAddress>& addresses) {
  return absl::c_all_of(addresses, [](const HostAddress& address) { return address.is_unix(); });
}

constexpr absl::Duration kNamePatience = absl::Seconds(5);
constexpr char kHostOfError[] = "shoal/host";

bool IsWrittenAsAddress(const HostAddress& address) {
  unsigned char bytes[sizeof(in6_addr)];
  // What is called otherwise has its name from [hosts].
  if (address.is_unix()) {
    return absl::StartsWith(address.name, "unix:") ||
           address.name == UnixAddress(address.unix_path).name;
  }
  if (!absl::StartsWith(address.name, address.host) && !absl::StartsWith(address.name, "[")) {
    return false;
  }
  return inet_pton(AF_INET, address.host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, address.host.c_str(), bytes) == 1;
}

}  // namespace

bool Invocation::colours() const {
  return std::getenv("NO_COLOR") == nullptr && isatty(STDOUT_FILENO) != 0;
}

TableLook Invocation::look(bool no_trunc) const {
  const std::optional<v1::TerminalSize> size = SizeOfTerminal(STDOUT_FILENO);
  const bool is_bounded = size.has_value() && !no_trunc;
  return {colours(), is_bounded ? static_cast<size_t>(size->columns()) : 0};
}

bool Invocation::NobodyIsHere() const {
  if (!hosts.empty() || std::getenv("SHOAL_HOSTS") != nullptr) return false;
  const absl::StatusOr<AgentHere> here = FindAgentHere();
  return here.ok() && !here->is_answering;
}

absl::StatusOr<const Config*> Invocation::LoadConfigOnce() {
  if (!config_.has_value()) {
    SHOAL_ASSIGN_OR_RETURN(config_, LoadConfig());
  }
  return &*config_;
}

absl::StatusOr<std::string> Invocation::HostsFromStdin() {
  std::string text(std::istreambuf_iterator<char>(std::cin), {});
  std::vector<absl::string_view> names;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = line.substr(0, line.find('#'));  // a comment
    for (absl::string_view name :
         absl::StrSplit(line, absl::ByAnyChar(", \t\r"), absl::SkipEmpty())) {
      names.push_back(name);
    }
  }
  if (names.empty()) return absl::InvalidArgumentError("-H -: there is no host on stdin");
  return absl::StrJoin(names, ",");
}

// Names of [hosts] become what stands there, and keep their names.
absl::StatusOr<std::vector<HostAddress>> Invocation::Addresses(absl::string_view hosts_text) {
  auto groups = [this](absl::string_view group) -> absl::StatusOr<std::string> {
    SHOAL_ASSIGN_OR_RETURN(const Config* config, LoadConfigOnce());
    return config->Group(group);
  };
  std::vector<std::string> repeated;
  SHOAL_ASSIGN_OR_RETURN(std::vector<HostAddress> addresses,
                         ParseHostList(hosts_text, groups, &repeated));
  if (!repeated.empty()) {
    Note(absl::StrCat("named more than once, and counted once: ", FoldNames(repeated), "."));
  }
  if (AllAreUnix(addresses)) return addresses;
  SHOAL_ASSIGN_OR_RETURN(const Config* config, LoadConfigOnce());
  for (HostAddress& address : addresses) {
    auto known = config->hosts.find(address.name);
    if (known == config->hosts.end() || known->second.empty()) continue;
    SHOAL_ASSIGN_OR_RETURN(std::vector<HostAddress> meant, ParseHostList(known->second));
    meant[0].name = address.name;
    address = meant[0];
  }
  return MergeOneAddress(std::move(addresses));
}

// Names that [hosts] has for one address.
std::vector<HostAddress> Invocation::MergeOneAddress(std::vector<HostAddress> addresses) const {
  std::map<std::string, std::string> name_of_target;
  std::vector<HostAddress> merged;
  for (HostAddress& address : addresses) {
    auto [first, is_new] = name_of_target.emplace(address.target(), address.name);
    if (is_new) {
      merged.push_back(std::move(address));
    } else {
      Note(absl::StrCat(address.name, " is the address of ", first->second,
                        ", too, and counted once."));
    }
  }
  return merged;
}

absl::StatusOr<std::vector<HostAddress>> Invocation::Named() {
  SHOAL_RETURN_IF_ERROR(LoadConfigOnce().status());  // also where nothing of it is needed
  std::string named = NamedHosts(hosts);
  if (named == "-") {
    SHOAL_ASSIGN_OR_RETURN(named, HostsFromStdin());
  }
  if (named.empty()) {
    SHOAL_RETURN_IF_ERROR(DefaultHosts().status());
    return std::vector<HostAddress>{};
  }
  return Addresses(named);
}

absl::StatusOr<HostOptions> Invocation::OptionsForNetwork() {
  SHOAL_ASSIGN_OR_RETURN(const Config* config, LoadConfigOnce());
  TlsFiles files = tls;
  bool from_elsewhere = !files.cert_file.empty() || !files.key_file.empty() ||
                        !files.ca_file.empty() || std::getenv("SHOAL_TLS_CERT") != nullptr;
  if (!from_elsewhere) files = {config->tls_cert, config->tls_key, config->tls_ca};
  HostOptions options;
  SHOAL_ASSIGN_OR_RETURN(options.credentials, Credentials::FromEnvironment(files));
  return options;
}

absl::StatusOr<Fleet> Invocation::Connect(std::vector<HostAddress> addresses,
                                          FleetOptions options) {
  if (!AllAreUnix(addresses)) {
    SHOAL_ASSIGN_OR_RETURN(options.host, OptionsForNetwork());
    if (!options.host.credentials.has_certificate() && options.require_all) {
      SHOAL_RETURN_IF_ERROR(CheckThatNamesResolve(addresses));
    }
  }
  std::optional<Progress> progress;
  if (options.ask_facts) {
    progress.emplace(
        absl::StrCat("asking ", Count(static_cast<int64_t>(addresses.size()), "host")));
  }
  absl::StatusOr<Fleet> fleet = Fleet::Connect(std::move(addresses), std::move(options));
  progress.reset();
  if (!fleet.ok()) return fleet;
  for (const FleetHost& entry : fleet->hosts()) ++called_so_[entry.host->name()];
  for (const FleetHost& entry : fleet->hosts()) LearnName(*entry.host, entry.facts.name());
  TellOneAgentTwice(*fleet);
  return fleet;
}

// An agent is started only where it finds again what the last one there has left.
absl::Status Invocation::EnsureHere(const std::string& socket, bool may_start) {
  SHOAL_ASSIGN_OR_RETURN(const bool is_answering, IsAnswering(socket));
  if (is_answering) return absl::OkStatus();
  if (!may_start || socket != DefaultSocketPath()) return AgentIsAway(socket);
  SHOAL_ASSIGN_OR_RETURN(bool started, EnsureAgent(socket));
  if (started) {
    Note(absl::StrCat("started an agent for you on unix:", socket, " (", Count(CpuCount(), "slot"),
                      "; stop it with `shoal agent stop`)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Fleet> Invocation::ConnectForWork(Ask ask) {
  SHOAL_ASSIGN_OR_RETURN(std::vector<HostAddress> addresses, Named());
  if (addresses.empty()) {
    SHOAL_ASSIGN_OR_RETURN(HostAddress here, LocalAddress());
    addresses.push_back(std::move(here));
    SHOAL_RETURN_IF_ERROR(EnsureHere(addresses[0].unix_path, /*may_start=*/true));
  }
  FleetOptions options;
  options.ask_facts =
      ask == Ask::kAll || (ask == Ask::kSeveral && addresses.size() > 1) || may_skip();
  options.require_all = !may_skip();
  SHOAL_ASSIGN_OR_RETURN(Fleet fleet, Connect(std::move(addresses), std::move(options)));
  skipped_ = fleet.unreachable();
  SHOAL_RETURN_IF_ERROR(CheckEnough(fleet.hosts().size()));
  return fleet;
}

bool Invocation::MayLeaveOut(const absl::Status& reason) const {
  return may_skip() && (IsUnreachable(reason) || absl::IsDeadlineExceeded(reason));
}

std::vector<UnreachableHost> Invocation::LostTo(
    const absl::Status& reason, const std::vector<std::shared_ptr<Host>>& among) const {
  std::vector<UnreachableHost> lost;
  if (!MayLeaveOut(reason)) return lost;
  for (const std::shared_ptr<Host>& host : among) {
    if (host->name() == HostOf(reason)) lost.push_back({host->address(), reason});
  }
  return lost;
}

absl::StatusOr<Fleet> Invocation::LeaveOut(const Fleet& fleet, std::vector<UnreachableHost> lost) {
  std::vector<FleetHost> left;
  for (const FleetHost& entry : fleet.hosts()) {
    const bool is_lost = absl::c_any_of(
        lost, [&](const UnreachableHost& host) { return host.address.name == entry.name(); });
    if (!is_lost) left.push_back(entry);
  }
  if (left.empty()) return lost.front().reason;
  absl::c_move(lost, std::back_inserter(skipped_));
  SHOAL_RETURN_IF_ERROR(CheckEnough(left.size()));
  return Fleet::Of(std::move(left));
}

absl::Status Invocation::CheckEnough(size_t answered) const {
  if (answered >= static_cast<size_t>(min_hosts)) return absl::OkStatus();
  std::vector<std::string> why;
  for (const UnreachableHost& host : skipped_) why.emplace_back(host.reason.message());
  return absl::UnavailableError(absl::StrCat(Count(static_cast<int64_t>(answered), "host"),
                                             " answered, and --min-hosts asks for ", min_hosts,
                                             why.empty() ? "" : ": ", absl::StrJoin(why, "; ")));
}

void Invocation::TellSkipped() {
  for (const UnreachableHost& host : skipped_) {
    const absl::Status left_out(host.reason.code(),
                                absl::StrCat("left out: ", host.reason.message()));
    if (json()) Print(ErrorLine({host.address.name, "", ""}, left_out, 0));
    Note(ToSentence(left_out));
  }
  skipped_.clear();
}

absl::StatusOr<Fleet> Invocation::ConnectExisting(const Selection& selection) {
  SHOAL_ASSIGN_OR_RETURN(std::vector<HostAddress> addresses, Named());
  if (addresses.empty()) {
    SHOAL_ASSIGN_OR_RETURN(const HostAddress here, LocalAddress());
    std::vector<std::string> elsewhere = selection.hosts();
    elsewhere.erase(std::remove(elsewhere.begin(), elsewhere.end(), here.name), elsewhere.end());
    if (!elsewhere.empty()) {
      SHOAL_ASSIGN_OR_RETURN(addresses, Addresses(absl::StrJoin(elsewhere, ",")));
    }
    bool wants_here = selection.has_free_terms() || elsewhere.size() != selection.hosts().size();
    if (wants_here) {
      SHOAL_RETURN_IF_ERROR(EnsureHere(here.unix_path, /*may_start=*/IsOwnAgent(here.unix_path)));
      addresses.insert(addresses.begin(), here);
    }
  }
  FleetOptions options;
  options.ask_facts = false;
  return Connect(std::move(addresses), std::move(options));
}

std::string Invocation::NameOf(const Host& host) const {
  auto known = own_names_.find(&host);
  if (known == own_names_.end()) return host.name();
  // Clones and containers may all call themselves the same.
  const bool are_told_apart =
      absl::c_all_of(called_so_, [](const auto& called) { return called.second <= 1; });
  return are_told_apart ? known->second : host.name();
}

std::string Invocation::OwnNameOf(const Host& host) const {
  const auto known = own_names_.find(&host);
  if (known == own_names_.end()) return host.name();
  const auto called = called_so_.find(known->second);
  return called != called_so_.end() && called->second > 1 ? host.name() : known->second;
}

std::vector<std::string> Invocation::NamesOf(const Host& host) const {
  std::vector<std::string> names = {OwnNameOf(host), host.name()};
  // The name of a single one is that of this machine.
  const HostAddress& address = host.address();
  if (address.is_unix()) names.push_back(absl::StrCat("unix:", address.unix_path));
  return names;
}

void Invocation::TellOneAgentTwice(const Fleet& fleet) {
  std::map<std::string, const Host*> host_of_agent;
  for (const FleetHost& entry : fleet.hosts()) {
    const std::string agent = entry.host->identity().agent_id;
    if (agent.empty()) continue;
    auto [first, is_new] = host_of_agent.emplace(agent, entry.host.get());
    if (!is_new) TellOneAgentTwice(*first->second, *entry.host);
  }
}

void Invocation::TellOneAgentTwice(const Host& first, const Host& second) {
  if (!told_twice_.insert(&second).second) return;
  Note(absl::StrCat(first.name(), " and ", second.name(), " are two names of one agent."));
}

std::string Invocation::TellAsking(const Fleet& fleet) const {
  const size_t count = fleet.hosts().size();
  return absl::StrCat("asking ", count == 1 ? NameOf(*fleet.hosts().front().host)
                                            : Count(static_cast<int64_t>(count), "host"));
}

void Invocation::LearnAgents(const Fleet& fleet) {
  CallOptions options;
  options.timeout = kNamePatience;
  fleet.FanOut<v1::Host>([&](Host& host, Done<v1::Host> done) {
    if (host.identity().agent_id.empty()) {
      host.GetFacts(options, std::move(done));
    } else {
      done(v1::Host());
    }
  });
  TellOneAgentTwice(fleet);
}

void Invocation::LearnName(const Host& host, const std::string& own_name) {
  if (own_name.empty() || !IsWrittenAsAddress(host.address())) return;
  auto [known, is_new] = own_names_.emplace(&host, EscapeForMessage(own_name));
  if (!is_new) return;
  --called_so_[host.name()];
  ++called_so_[known->second];
}

void Invocation::LearnNames(const Fleet& fleet) {
  CallOptions options;
  options.timeout = kNamePatience;
  auto answers = fleet.FanOut<v1::Host>([&](Host& host, Done<v1::Host> done) {
    bool wanted = IsWrittenAsAddress(host.address()) && own_names_.count(&host) == 0;
    if (wanted) {
      host.GetFacts(options, std::move(done));
    } else {
      done(v1::Host());
    }
  });
  LearnNames(answers);
}

void Invocation::LearnNames(const std::vector<HostResult<v1::Host>>& answers) {
  for (const HostResult<v1::Host>& answer : answers) {
    if (answer.result.ok()) LearnName(*answer.host, answer.result->name());
  }
}

void Invocation::TellWaitingInput(absl::string_view instead) {
  if (is_input_told_ || !IsInputWaiting()) return;
  is_input_told_ = true;
  Note(absl::StrCat("what waits on stdin is given to no process; ", instead, "."));
}

void Invocation::Note(absl::string_view sentence) const {
  FlushOutput();
  WriteNote(absl::StrCat("shoal: ", sentence, "\n"));
}

void Invocation::TellLoss(absl::string_view sentence) const {
  FlushOutput();
  WriteError(absl::StrCat("shoal: ", sentence, "\n"));
}

absl::Status Invocation::WithHost(absl::Status status, absl::string_view host) {
  if (!status.ok()) status.SetPayload(kHostOfError, absl::Cord(host));
  return status;
}

std::string Invocation::HostOf(const absl::Status& status) {
  const absl::optional<absl::Cord> host = status.GetPayload(kHostOfError);
  return host.has_value() ? std::string(*host) : "";
}

int Invocation::Fail(const absl::Status& status, Subject subject) {
  return Fail(status, ExitStatusOf(status), std::move(subject));
}

int Invocation::FailToStart(const absl::Status& status, Subject subject) {
  return Fail(status, NotStartedStatusOf(status), std::move(subject));
}

int Invocation::Fail(const absl::Status& status, int exit_status, Subject subject) {
  std::string sentence = ToSentence(status);
  if (absl::StrContains(status.message(), "does not resolve")) {
    absl::StatusOr<const Config*> config = LoadConfigOnce();
    std::string known = config.ok() ? (*config)->KnownHosts() : "";
    if (!known.empty()) absl::StrAppend(&sentence, " ", known, ".");
  }
  if (json()) {
    if (subject.host.empty()) subject.host = HostOf(status);
    Print(ErrorLine(subject, status, exit_status));
  }
  FlushOutput();
  WriteError(absl::StrCat("shoal: ", sentence, "\n"));
  return exit_status;
}

}  // namespace shoal::cli
