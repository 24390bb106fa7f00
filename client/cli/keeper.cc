#include "client/cli/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/command.h"
#include "client/cli/spawn_apart.h"
#include "common/keeper_name.h"
#include "common/status.h"
#include "shoal/fan_out.h"
#include "shoal/host.h"

namespace shoal::cli {
namespace {

constexpr size_t kFields = 6;
constexpr char kCannotStart[] = "cannot start a keeper of the leases";
constexpr char kEnd[] = "\n\n";

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "cannot tell the keeper of the leases");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// All before the empty line, or the end.
std::string ReadInput() {
  std::string text;
  char buffer[4096];
  while (!absl::EndsWith(text, kEnd)) {
    const ssize_t got = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

bool IsReadable(int fd, absl::Duration timeout) {
  pollfd wait = {fd, POLLIN, 0};
  return poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) > 0;
}

absl::StatusOr<std::pair<UniqueFd, UniqueFd>> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, kCannotStart);
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

}  // namespace

std::string WriteKeptLeases(const std::vector<KeptLease>& leases) {
  std::string text;
  for (const KeptLease& lease : leases) {
    const HostAddress& address = lease.address;
    absl::StrAppend(&text, address.name, "\t", address.host, "\t", address.port, "\t",
                    lease.session_id, "\t", lease.token, "\t", absl::ToInt64Milliseconds(lease.ttl),
                    "\n");
  }
  return absl::StrCat(text, "\n");
}

absl::StatusOr<std::vector<KeptLease>> ReadKeptLeases(absl::string_view text) {
  std::vector<KeptLease> leases;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, '\t');
    KeptLease lease;
    int64_t ttl_ms = 0;
    if (fields.size() != kFields || !absl::SimpleAtoi(fields[2], &lease.address.port) ||
        !absl::SimpleAtoi(fields[5], &ttl_ms) || ttl_ms <= 0) {
      return absl::InvalidArgumentError(
          "stdin: a line is not one of name, host, port, session, token and TTL in ms");
    }
    lease.address.name = fields[0];
    lease.address.host = fields[1];
    lease.session_id = fields[3];
    lease.token = fields[4];
    lease.ttl = absl::Milliseconds(ttl_ms);
    leases.push_back(std::move(lease));
  }
  if (leases.empty()) return absl::InvalidArgumentError("stdin: there is no lease");
  return leases;
}

std::vector<KeptLease> LeasesToKeep(const std::vector<JobLease>& leases) {
  std::vector<KeptLease> kept;
  for (const JobLease& lease : leases) {
    if (lease.host->address().is_unix()) continue;
    kept.push_back({lease.host->address(), lease.session_id, lease.token, lease.ttl});
  }
  return kept;
}

// Killed, since it may be stopped itself.
Keeper::~Keeper() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

absl::Status Keeper::Start(const std::vector<KeptLease>& leases, const TlsFiles& tls,
                           absl::Duration patience) {
  SHOAL_ASSIGN_OR_RETURN(auto input, MakePipe());
  SHOAL_ASSIGN_OR_RETURN(auto output, MakePipe());
  life_ = std::move(input.second);
  std::vector<std::string> words = {"shoal"};
  for (const auto& [option, file] :
       {std::pair("--tls-cert", tls.cert_file), std::pair("--tls-key", tls.key_file),
        std::pair("--tls-ca", tls.ca_file)}) {
    if (!file.empty()) words.push_back(absl::StrCat(option, "=", file));
  }
  words.emplace_back("keep");
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  const absl::StatusOr<pid_t> started =
      SpawnApart({.path = "/proc/self/exe",
                  .words = std::move(words),
                  .environment = std::move(environment),
                  .descriptors = {input.first.get(), output.second.get(), -1}});
  if (!started.ok()) {
    return absl::Status(started.status().code(),
                        absl::StrCat(kCannotStart, ": ", started.status().message()));
  }
  pid_ = *started;
  input.first.Reset();
  output.second.Reset();
  SHOAL_RETURN_IF_ERROR(WriteAll(life_.get(), WriteKeptLeases(leases)));
  char kept = 0;
  if (patience == absl::ZeroDuration() ||
      (IsReadable(output.first.get(), patience) && read(output.first.get(), &kept, 1) == 1)) {
    return absl::OkStatus();
  }
  return absl::UnavailableError("the keeper has not renewed the leases");
}

namespace {

// Renews what stdin names until stdin ends.
int RunKeeper(Invocation& invocation) {
  prctl(PR_SET_NAME, kKeeperName);
  const absl::StatusOr<std::vector<KeptLease>> leases = ReadKeptLeases(ReadInput());
  if (!leases.ok()) return invocation.Fail(leases.status());
  const absl::StatusOr<HostOptions> options = invocation.OptionsForNetwork();
  if (!options.ok()) return invocation.Fail(options.status());
  std::vector<std::shared_ptr<Host>> hosts;
  absl::Duration pace = absl::InfiniteDuration();
  for (const KeptLease& lease : *leases) {
    absl::StatusOr<std::shared_ptr<Host>> host = Host::Create(lease.address, *options);
    if (!host.ok()) return invocation.Fail(host.status());
    hosts.push_back(*std::move(host));
    pace = std::min(pace, lease.ttl / 3);
  }
  const auto renew = [&](size_t i, Done<v1::KeepAliveResponse> done) {
    v1::KeepAliveRequest request;
    request.set_session_id((*leases)[i].session_id);
    request.set_token((*leases)[i].token);
    CallOptions call;
    call.timeout = pace;
    hosts[i]->KeepAlive(std::move(request), call, std::move(done));
  };
  const auto first = FanOut<v1::KeepAliveResponse>(hosts.size(), renew);
  const bool are_kept =
      std::all_of(first.begin(), first.end(), [](const auto& answer) { return answer.ok(); });
  if (are_kept) static_cast<void>(write(STDOUT_FILENO, "k", 1));
  while (!IsReadable(STDIN_FILENO, pace)) {
    for (size_t i = 0; i < hosts.size(); ++i) {
      renew(i, [](const absl::StatusOr<v1::KeepAliveResponse>&) {
        // The one who opened it is told when it goes on.
      });
    }
  }
  return 0;
}

}  // namespace

void AddKeep(Parser& parser) {
  CLI::App* command =
      parser.app.add_subcommand("keep", "For shoal itself: renews the leases that stdin names");
  command->group("");  // not listed
  command->footer("");
  command->callback([&parser] {
    parser.chosen = [&invocation = parser.invocation] { return RunKeeper(invocation); };
  });
}

}  // namespace shoal::cli
