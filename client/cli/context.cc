#include "client/cli/context.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/exit_status.h"
#include "client/cli/private_agent.h"
#include "client/cli/units.h"
#include "common/cpu_count.h"
#include "common/status.h"

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

bool IsWrittenAsAddress(const HostAddress& address) {
  unsigned char bytes[sizeof(in6_addr)];
  if (address.is_unix()) return true;
  if (!absl::StartsWith(address.name, address.host) && !absl::StartsWith(address.name, "[")) {
    return false;  // a name of [hosts]
  }
  return inet_pton(AF_INET, address.host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, address.host.c_str(), bytes) == 1;
}

// A host that does not exist is a better answer than that it needs a certificate.
absl::Status CheckThatNamesResolve(const std::vector<HostAddress>& addresses) {
  for (const HostAddress& address : addresses) {
    if (address.is_loopback()) continue;
    addrinfo* found = nullptr;
    int error = getaddrinfo(address.host.c_str(), nullptr, nullptr, &found);
    if (found != nullptr) freeaddrinfo(found);
    if (error != EAI_NONAME && error != EAI_AGAIN && error != EAI_NODATA) continue;
    return absl::UnavailableError(absl::StrCat("host \"", address.name, "\" does not resolve"));
  }
  return absl::OkStatus();
}

}  // namespace

bool Context::colours() const {
  return std::getenv("NO_COLOR") == nullptr && isatty(STDOUT_FILENO) != 0;
}

bool Context::NobodyIsHere() const {
  return NamedHosts(hosts).empty() && !IsAnswering(DefaultSocketPath());
}

absl::StatusOr<const Config*> Context::LoadConfigOnce() {
  if (!config_.has_value()) {
    SHOAL_ASSIGN_OR_RETURN(config_, LoadConfig());
  }
  return &*config_;
}

absl::StatusOr<std::string> Context::HostsFromStdin() {
  std::string text(std::istreambuf_iterator<char>(std::cin), {});
  std::vector<std::string> names =
      absl::StrSplit(text, absl::ByAnyChar(", \t\r\n"), absl::SkipEmpty());
  if (names.empty()) return absl::InvalidArgumentError("-H -: there is no host on stdin");
  return absl::StrJoin(names, ",");
}

// Names of [hosts] become what stands there, and keep their names.
absl::StatusOr<std::vector<HostAddress>> Context::Addresses(absl::string_view hosts_text) {
  auto groups = [this](absl::string_view group) -> absl::StatusOr<std::string> {
    SHOAL_ASSIGN_OR_RETURN(const Config* config, LoadConfigOnce());
    return config->Group(group);
  };
  SHOAL_ASSIGN_OR_RETURN(std::vector<HostAddress> addresses, ParseHostList(hosts_text, groups));
  if (AllAreUnix(addresses)) return addresses;
  SHOAL_ASSIGN_OR_RETURN(const Config* config, LoadConfigOnce());
  for (HostAddress& address : addresses) {
    auto known = config->hosts.find(address.name);
    if (known == config->hosts.end() || known->second.empty()) continue;
    SHOAL_ASSIGN_OR_RETURN(std::vector<HostAddress> meant, ParseHostList(known->second));
    if (meant.size() != 1) {
      return absl::InvalidArgumentError(absl::StrCat(WithTilde(config->path), ": ", address.name,
                                                     " = \"", known->second,
                                                     "\" is not one address"));
    }
    meant[0].name = address.name;
    address = meant[0];
  }
  return addresses;
}

absl::StatusOr<std::vector<HostAddress>> Context::Named() {
  std::string named = NamedHosts(hosts);
  if (named == "-") {
    SHOAL_ASSIGN_OR_RETURN(named, HostsFromStdin());
  }
  if (named.empty()) return std::vector<HostAddress>{};
  return Addresses(named);
}

absl::StatusOr<Fleet> Context::Connect(std::vector<HostAddress> addresses, bool ask_facts) {
  FleetOptions options;
  options.ask_facts = ask_facts;
  if (!AllAreUnix(addresses)) {
    SHOAL_ASSIGN_OR_RETURN(const Config* config, LoadConfigOnce());
    TlsFiles files = tls;
    bool from_elsewhere = !files.cert_file.empty() || !files.key_file.empty() ||
                          !files.ca_file.empty() || std::getenv("SHOAL_TLS_CERT") != nullptr;
    if (!from_elsewhere) files = {config->tls_cert, config->tls_key, config->tls_ca};
    SHOAL_ASSIGN_OR_RETURN(options.host.credentials, Credentials::FromEnvironment(files));
    if (!options.host.credentials.has_certificate()) {
      SHOAL_RETURN_IF_ERROR(CheckThatNamesResolve(addresses));
    }
  }
  absl::StatusOr<Fleet> fleet = Fleet::Connect(std::move(addresses), std::move(options));
  if (!fleet.ok()) return fleet;
  for (const FleetHost& entry : fleet->hosts()) LearnName(*entry.host, entry.facts.name());
  return fleet;
}

absl::StatusOr<Fleet> Context::ConnectForWork(bool ask_facts) {
  SHOAL_ASSIGN_OR_RETURN(std::vector<HostAddress> addresses, Named());
  if (addresses.empty()) {
    std::string socket = DefaultSocketPath();
    SHOAL_ASSIGN_OR_RETURN(bool started, EnsureAgent(socket));
    if (started) {
      Note(absl::StrCat("started an agent for you on unix:", socket, " (",
                        Count(CpuCount(), "slot"), "; stop it with `shoal agent stop`)"));
    }
    addresses.push_back(UnixAddress(socket));
  }
  return Connect(std::move(addresses), ask_facts);
}

absl::StatusOr<Fleet> Context::ConnectExisting(const Selection& selection) {
  SHOAL_ASSIGN_OR_RETURN(std::vector<HostAddress> addresses, Named());
  if (addresses.empty()) {
    HostAddress here = UnixAddress(DefaultSocketPath());
    std::vector<std::string> elsewhere = selection.hosts();
    elsewhere.erase(std::remove(elsewhere.begin(), elsewhere.end(), here.name), elsewhere.end());
    if (!elsewhere.empty()) {
      SHOAL_ASSIGN_OR_RETURN(addresses, Addresses(absl::StrJoin(elsewhere, ",")));
    }
    bool wants_here = selection.has_free_terms() || elsewhere.size() != selection.hosts().size();
    if (wants_here && !IsAnswering(here.unix_path)) {
      return absl::NotFoundError(
          "no agent is running on this machine, so there are no processes; `shoal run` or `shoal "
          "start` starts one");
    }
    if (wants_here) addresses.insert(addresses.begin(), here);
  }
  return Connect(std::move(addresses), /*ask_facts=*/false);
}

std::string Context::NameOf(const Host& host) const {
  auto known = own_names_.find(&host);
  return known == own_names_.end() ? host.name() : known->second;
}

void Context::LearnName(const Host& host, const std::string& own_name) {
  if (!own_name.empty() && IsWrittenAsAddress(host.address())) own_names_[&host] = own_name;
}

void Context::LearnNames(const Fleet& fleet) {
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
  for (const HostResult<v1::Host>& answer : answers) {
    if (answer.result.ok()) LearnName(*answer.host, answer.result->name());
  }
}

void Context::Note(absl::string_view sentence) const {
  FlushOutput();
  std::string line = absl::StrCat("shoal: ", sentence, "\n");
  std::fwrite(line.data(), 1, line.size(), stderr);
}

int Context::Fail(const absl::Status& status) {
  std::string sentence = ToSentence(status);
  if (absl::StrContains(status.message(), "does not resolve")) {
    absl::StatusOr<const Config*> config = LoadConfigOnce();
    std::string known = config.ok() ? (*config)->KnownHosts() : "";
    if (!known.empty()) absl::StrAppend(&sentence, " ", known, ".");
  }
  Note(sentence);
  return ExitStatusOf(status);
}

void Print(absl::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void FlushOutput() { std::fflush(stdout); }

}  // namespace shoal::cli
