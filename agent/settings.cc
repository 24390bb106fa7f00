#include "agent/settings.h"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/settings_file.h"
#include "agent/version.h"
#include "common/escape.h"
#include "common/help_page.h"
#include "common/man_page.h"
#include "common/parse_error.h"
#include "common/span.h"
#include "common/status.h"
#include "common/toml_file.h"
#include "common/user_directories.h"

namespace shoal::agent {
namespace {

constexpr char kFooter[] =
    "Signals: SIGTERM ends the agent and leaves its processes running; the next agent finds them "
    "again. SIGHUP reads certificates and revocation lists again. Where no agent can run, `shoald "
    "--terminate all` ends them.\n"
    "Exit status: 0 it was told to end, 1 it could not start, 2 wrong usage, 75 worth trying "
    "again; "
    "with --terminate 0 all are over, 1 not all are, 75 an agent runs.\n"
    "Files: /etc/shoal/shoald.toml is what the systemd unit gives as --config.\n"
    "Examples: an agent that serves TCP with mutual TLS\n"
    "  shoald --listen 0.0.0.0:7420 --tls-cert host.pem --tls-key host.key --tls-ca ca.pem \\\n"
    "         --allow-identity spiffe://example.org/ops";

constexpr int kMostIdleShims = 64;
constexpr int kMostSlots = 1 << 20;
constexpr size_t kMostOfHostName = 253;  // as DNS has it

// A check for what an unset variable of a script must not turn into the default, or into an agent that serves.
CLI::Validator IsGiven(const std::string& wanted) {
  return CLI::Validator(
      [wanted](std::string& text) {
        return text.empty() ? absl::StrCat("the value is empty; ", wanted) : std::string();
      },
      "");
}

bool IsSize(std::string text, int64_t* bytes) {
  try {
    const bool is_size = CLI::AsSizeValue(/*kb_is_1000=*/false)(text).empty();
    return is_size && absl::SimpleAtoi(text, bytes);
  } catch (const CLI::ValidationError&) {  // of a unit
    return false;
  }
}

// A number that nothing has open would be that of what the agent itself opens next: its database has been.
std::string CheckReadyFd(const std::string& text) {
  int fd = -1;
  if (!absl::SimpleAtoi(text, &fd) || fd < -1) {
    return absl::StrCat("\"", EscapeForMessage(text), "\" is no number from -1 on");
  }
  if (fd == -1) return "";
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return absl::StrCat("descriptor ", fd, " is not open");
  if ((flags & O_ACCMODE) == O_RDONLY) {
    return absl::StrCat("descriptor ", fd, " is not open for writing");
  }
  return "";
}

void DropEmpty(std::vector<std::string>* words) {
  words->erase(std::remove(words->begin(), words->end(), ""), words->end());
}

void AddDuration(CLI::App* app, const std::string& flag, absl::Duration* target,
                 const std::string& help, const std::string& default_span,
                 SpanBounds bounds = SpanBounds::kAny) {
  app->add_option_function<std::string>(
         flag,
         [flag, target, bounds](const std::string& text) {
           const absl::StatusOr<absl::Duration> span = ParseSpan(text, bounds);
           if (!span.ok()) throw CLI::ValidationError(flag, std::string(span.status().message()));
           *target = *span;
         },
         help)
      ->type_name("SPAN")
      ->default_str(default_span);
}

void AddSize(CLI::App* app, const std::string& flag, int64_t* target, const std::string& help,
             const std::string& usual) {
  app->add_option_function<std::string>(
         flag,
         [flag, target](const std::string& text) {
           if (text.empty() || text[0] == '-' || !IsSize(text, target)) {
             throw CLI::ValidationError(
                 flag, absl::StrCat("\"", EscapeForMessage(text), "\" is no size; try 8GiB"));
           }
         },
         help)
      ->type_name("SIZE")
      ->default_str(usual);
}

void AddLabels(CLI::App* app, std::map<std::string, std::string>* labels) {
  app->add_option_function<std::vector<std::string>>(
         "--label",
         [labels](const std::vector<std::string>& words) {
           for (const std::string& word : words) {
             size_t equals = word.find('=');
             if (word.empty()) continue;
             if (equals == std::string::npos || equals == 0) {
               throw CLI::ValidationError("--label", "'" + word + "' is not KEY=VALUE");
             }
             (*labels)[word.substr(0, equals)] = word.substr(equals + 1);
           }
         },
         "Label of this host, KEY=VALUE; may be given several times")
      ->type_name("KEY=VALUE");
}

void AddPathsAndAccess(CLI::App* app, Settings* settings) {
  app->add_option("--state-dir", settings->state_dir,
                  "Database and output; one agent per directory")
      ->check(IsGiven("name a directory"))
      ->type_name("DIR");
  app->add_option("--run-dir", settings->run_dir,
                  "Records and locks, on tmpfs; with --socket, by default its directory")
      ->check(IsGiven("name a directory"))
      ->type_name("DIR");
  app->add_option("--socket", settings->socket, "Unix socket; by default shoald.sock in --run-dir")
      ->type_name("PATH");
  app->add_option("--listen", settings->listen, "Serve TCP here, with mutual TLS")
      ->type_name("HOST:PORT");

  app->add_flag(
      "--insecure-loopback", settings->insecure_loopback,
      "Serve --listen on loopback addresses in plain text, to every local user; not as root");
  app->add_option("--tls-cert", settings->tls_cert, "Certificate of this agent, PEM")
      ->type_name("FILE");
  app->add_option("--tls-key", settings->tls_key, "Its private key, PEM")->type_name("FILE");
  app->add_option("--tls-ca", settings->tls_ca, "The CA that signs the clients', PEM")
      ->type_name("FILE");
  app->add_option("--tls-crl-dir", settings->tls_crl_dir,
                  "Revocation lists of that CA, PEM; read again when they change")
      ->type_name("DIR");
  app->add_option_function<std::vector<std::string>>(
         "--allow-identity",
         [settings](std::vector<std::string> patterns) {
           DropEmpty(&patterns);
           absl::StatusOr<AllowedIdentities> allowed = AllowedIdentities::Parse(patterns);
           if (!allowed.ok()) {
             throw CLI::ValidationError(std::string(allowed.status().message()));
           }
           settings->allow_identity = *std::move(allowed);
         },
         "Identity that TCP serves: the URI (a SPIFFE id) or DNS name of its certificate; all "
         "below "
         "…/* or *.…")
      ->type_name("URI");
  AddDuration(app, "--max-connection-age", &settings->max_connection_age,
              "TCP connections are made anew after this", "24h", SpanBounds::kAboveZero);
}

// It stands before the slash of HOST/SELECTOR, and in lists of hosts.
std::string CheckHostName(const std::string& name) {
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
  });
  if (is_plain && name.size() <= kMostOfHostName) return "";
  return absl::StrCat("\"", EscapeForMessage(name),
                      "\" is no name of a host: letters, digits, '.', "
                      "'-' and '_', ",
                      kMostOfHostName, " at most");
}

void AddHostAndSelf(CLI::App* app, Settings* settings) {
  app->add_option("--slots", settings->slots, "Room for how many processes; 0: the usable cores")
      ->check(CLI::Range(0, kMostSlots).description(""))
      ->type_name("N");
  AddLabels(app, &settings->labels);
  app->add_option("--host-name", settings->host_name, "Name of this host; by default its hostname")
      ->check(CLI::Validator(CheckHostName, ""))
      ->type_name("NAME");
  app->add_option("--cgroup-base", settings->cgroup_base,
                  "cgroup v2 directory for the processes; by default one is looked for")
      ->type_name("PATH");
  app->add_option("--idle-shims", settings->idle_shims,
                  "Shims that wait for the next start; 0: each start executes one; by default the "
                  "usable cores")
      ->check(CLI::Range(0, kMostIdleShims))
      ->type_name("N");
  AddDuration(app, "--retention", &settings->retention, "Forget ended processes after this", "24h");
  app->add_option("--retention-count", settings->retention_count,
                  "and when there are more than this many")
      ->capture_default_str()
      ->type_name("N");
  AddSize(app, "--blob-cap", &settings->blob_cap_bytes,
          "Disk for shipped files, such as 8GiB; beyond it the least recently used go", "8GiB");
  AddDuration(
      app, "--dead-man", &settings->dead_man,
      "Without an agent, end templates after this, and the processes of a session this long "
      "after its TTL",
      "10m", SpanBounds::kFinite);
  AddDuration(app, "--idle-exit", &settings->idle_exit,
              "End after this long without process, session and client; 0s: never", "0s");
  app->add_option("--ready-fd", settings->ready_fd,
                  "Descriptor that gets 'ready unix:PATH' or 'error: …'")
      ->check(CLI::Validator(CheckReadyFd, ""))
      ->type_name("N");
  app->add_option("--log-level", settings->log_level, "What is logged on stderr")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}))
      ->capture_default_str();
}

void AddAudit(CLI::App* app, Settings* settings) {
  app->add_option("--audit-log", settings->audit_log,
                  "File of the audit, rotated at 64 MiB, or journald; by default audit.log in "
                  "--state-dir")
      ->type_name("FILE|journald");
  app->add_flag("--audit-required", settings->audit_required,
                "Carry out what changes something only once its decision stands in the audit; "
                "while it cannot be written, such calls are UNAVAILABLE, ends go on");
}

void AddTerminate(CLI::App* app, Settings* settings) {
  CLI::Option* terminate =
      app->add_option("--terminate", settings->terminate,
                      "Do not serve: end this process, or all, of --run-dir without an agent, and "
                      "without a thread or a database; exit 0 if all are over")
          ->check(IsGiven("give the id of a process, or all"))
          ->type_name("ID|all")
          ->configurable(false);
  app->add_option_function<std::string>(
         "--grace",
         [settings](const std::string& text) {
           const absl::StatusOr<absl::Duration> span = ParseSpan(text, SpanBounds::kFinite);
           if (!span.ok()) {
             throw CLI::ValidationError("--grace", std::string(span.status().message()));
           }
           settings->grace = *span;
         },
         "With --terminate: from SIGTERM to SIGKILL; by default that of each process")
      ->type_name("SPAN")
      ->needs(terminate)
      ->configurable(false);
}

absl::Status ApplyConfig(const std::string& path, CLI::App* app) {
  if (path.empty()) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(const TomlFile file, ReadToml(path, path));
  return ApplySettingsFile(file, app);
}

// What a client is told, or another program, is to mean the same in its directory.
void MakeAbsolute(std::string* path) {
  if (path->empty() || path->front() == '/') return;
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(*path, error);
  if (!error) *path = absolute.lexically_normal().string();
}

void FillInPaths(Settings* settings) {
  for (std::string* path : {&settings->state_dir, &settings->run_dir, &settings->socket}) {
    MakeAbsolute(path);
  }
  if (settings->audit_log != kJournald) MakeAbsolute(&settings->audit_log);
  if (settings->state_dir.empty()) settings->state_dir = StateDirectory();
  if (settings->run_dir.empty() && !settings->socket.empty()) {
    settings->run_dir = settings->socket.substr(0, settings->socket.rfind('/'));
  }
  if (settings->run_dir.empty()) settings->run_dir = RuntimeDirectory();
  if (settings->socket.empty()) settings->socket = settings->run_dir + "/shoald.sock";
  if (settings->audit_log.empty()) settings->audit_log = settings->state_dir + "/audit.log";
}

}  // namespace

std::optional<Settings> ParseSettings(int argc, char** argv, int* exit_code) {
  Settings settings;
  CLI::App app("The agent of Shoal: runs in the foreground and logs to stderr", "shoald");
  app.formatter(std::make_shared<HelpFormatter>(HelpWidth()));
  app.footer(kFooter);
  std::vector<std::string> pages;
  app.add_option("--pages", pages, "For the build: writes the manual page into DIR, with DATE")
      ->expected(2)
      ->group("")  // not listed
      ->configurable(false);
  app.set_version_flag("--version", std::string("shoald ") + kVersion);
  std::string config;
  app.add_option("--config", config, "TOML file with these flags, without dashes, as keys")
      ->check(IsGiven("name a file"))
      ->type_name("FILE")
      ->configurable(false);
  AddPathsAndAccess(&app, &settings);
  AddHostAndSelf(&app, &settings);
  AddAudit(&app, &settings);
  AddTerminate(&app, &settings);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    *exit_code = error.get_exit_code() == 0 ? 0 : 2;
    if (*exit_code == 0) {
      app.exit(error);
    } else {
      const std::string left_over = TellWordsLeftOver(app);
      const std::string told = left_over.empty() ? TellParseError(error.what()) : left_over;
      const bool is_question = absl::EndsWith(told, "?");
      std::cerr << "shoald: " << told << (is_question ? " See" : "; see") << " shoald --help\n";
    }
    return std::nullopt;
  }
  if (!pages.empty()) {
    const absl::Status written = WriteManPage(
        app, {"shoald", "shoald", 8, pages[1], absl::StrCat("shoal ", kVersion), {"shoal(1)"}},
        pages[0]);
    if (!written.ok()) std::cerr << "shoald: " << written.message() << "\n";
    *exit_code = written.ok() ? 0 : 1;
    return std::nullopt;
  }
  if (const absl::Status applied = ApplyConfig(config, &app); !applied.ok()) {
    std::cerr << "shoald: " << applied.message() << "\n";
    *exit_code = 2;
    return std::nullopt;
  }
  DropEmpty(&settings.listen);
  FillInPaths(&settings);
  if (settings.insecure_loopback && geteuid() == 0) {
    std::cerr << "shoald: --insecure-loopback is refused for root: every local user could run "
                 "commands as root; give --tls-cert, --tls-key, --tls-ca and --allow-identity, or "
                 "start this agent as another user\n";
    *exit_code = 2;
    return std::nullopt;
  }
  return settings;
}

}  // namespace shoal::agent
