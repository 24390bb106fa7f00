// `shoal logs`: what processes have printed, and with -f what they go on to print.
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "client/cli/json.h"
#include "client/cli/lookup.h"
#include "client/cli/standard_output.h"
#include "client/cli/units.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/span.h"
#include "shoal/fan_out.h"
#include "shoal/host/event_queue.h"
#include "shoal/line_tagger.h"

namespace shoal::cli {
namespace {

constexpr size_t kQueueBytes = size_t{4} << 20;

struct LogsArguments {
  SelectorArguments selector;
  bool follow = false;
  int64_t tail = -1;
  std::string since;
  bool only_stdout = false;
  bool only_stderr = false;
  bool raw = false;
  int64_t offset = -1;  // behind the ":" of HOST/ID:offset
};

// One frame of one host's stream, or its end.
struct Piece {
  size_t host = 0;
  std::optional<v1::ReadOutputResponse> frame;
  absl::Status status;
  bool is_end = false;
};

absl::string_view NameOf(v1::StreamKind stream) {
  return stream == v1::STREAM_KIND_STDERR ? "stderr" : "stdout";
}

class LogReader {
 public:
  LogReader(const LogsArguments& arguments, const Selection& selection, Lookup lookup,
            Invocation& invocation);

  int Run();

 private:
  struct Known {
    int number = 0;  // by which the tagger knows it
    std::string name;
    std::string host;
  };

  void AskForTheTime() const;
  v1::ReadOutputRequest MakeRequest(size_t host, v1::Selector selector) const;
  void Subscribe(size_t host, v1::Selector selector);
  Known& Find(size_t host, const std::string& id);
  void Tell(const Piece& piece);
  void TellFrame(size_t host, const v1::ReadOutputResponse& frame);
  void TellEnd(size_t host, const absl::Status& status);
  void Write(v1::StreamKind stream, absl::string_view bytes);

  const LogsArguments& arguments_;
  const Selection& selection_;
  Invocation& invocation_;
  const Lookup lookup_;
  const std::vector<HostShare> shares_;  // of lookup_
  std::map<std::string, Known> known_;   // by id
  std::vector<std::string> tags_;        // by Known::number
  std::map<std::pair<std::string, v1::StreamKind>, int64_t>
      open_;  // streams without an end: where they are
  bool tagged_ = false;
  int status_ = 0;
  LineTagger tagger_;
  EventQueue<Piece> queue_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
};

LogReader::LogReader(const LogsArguments& arguments, const Selection& selection, Lookup lookup,
                     Invocation& invocation)
    : arguments_(arguments),
      selection_(selection),
      invocation_(invocation),
      lookup_(std::move(lookup)),
      shares_(ByHost(lookup_.found)),
      tagger_({.shows_controls = arguments.raw ? nullptr : IsTerminal},
              [this](int number, v1::StreamKind) { return tags_[static_cast<size_t>(number)]; }),
      queue_(shares_.size(), kQueueBytes) {
  tagged_ = lookup_.found.size() > 1 || (arguments.follow && selection.IsOpen());
  for (size_t host = 0; host < shares_.size(); ++host) {
    for (const Found* member : shares_[host].members) {
      Known& known = Find(host, member->process.id());
      known.name = EscapeForMessage(member->process.name());
      tags_[static_cast<size_t>(known.number)] =
          shares_.size() > 1 ? absl::StrCat(known.host, "/", known.name, " │ ")
                             : absl::StrCat(known.name, " │ ");
    }
  }
  for (const absl::Status& failure : lookup_.failures) status_ = invocation_.Fail(failure);
}

LogReader::Known& LogReader::Find(size_t host, const std::string& id) {
  auto [entry, is_new] = known_.try_emplace(id);
  if (is_new) {
    entry->second = {static_cast<int>(tags_.size()), id.substr(0, kShortIdLength),
                     invocation_.NameOf(*shares_[host].host)};
    tags_.push_back(absl::StrCat(entry->second.name, " │ "));
  }
  return entry->second;
}

// What was printed when is told by the clock of its host, so a span counts back from now there. A
// host that does not answer will not be read either.
void LogReader::AskForTheTime() const {
  FanOut<v1::Host>(shares_.size(), [this](size_t host, Done<v1::Host> done) {
    shares_[host].host->GetFacts({}, std::move(done));
  });
}

v1::ReadOutputRequest LogReader::MakeRequest(size_t host, v1::Selector selector) const {
  v1::ReadOutputRequest request;
  *request.mutable_selector() = std::move(selector);
  request.set_follow(arguments_.follow);
  if (arguments_.only_stdout) request.add_streams(v1::STREAM_KIND_STDOUT);
  if (arguments_.only_stderr) request.add_streams(v1::STREAM_KIND_STDERR);
  if (arguments_.offset >= 0) {
    if (request.streams().empty()) request.add_streams(v1::STREAM_KIND_STDOUT);
    request.set_offset(arguments_.offset);
  } else if (arguments_.tail >= 0) {
    request.set_tail_lines(arguments_.tail);
  } else if (!arguments_.since.empty()) {
    const absl::Time since = shares_[host].host->AgentTime() - *ParseSpan(arguments_.since);
    if (since > absl::UnixEpoch()) {
      request.mutable_since()->set_seconds(absl::ToUnixSeconds(since));
    }
  }
  return request;
}

void LogReader::Subscribe(size_t host, v1::Selector selector) {
  OutputObserver observer;
  observer.on_frame = [this, host](v1::ReadOutputResponse&& frame) {
    const size_t bytes = frame.ByteSizeLong();
    return queue_.Push(host, bytes, {host, std::move(frame), {}, false});
  };
  observer.on_connection = [this, host](const absl::Status& status) {
    queue_.Push({host, std::nullopt, status, false});
  };
  observer.on_end = [this, host](const absl::Status& status) {
    queue_.End({host, std::nullopt, status, true});
  };
  subscriptions_.push_back(
      shares_[host].host->ReadOutput(MakeRequest(host, std::move(selector)), std::move(observer)));
}

void LogReader::Write(v1::StreamKind stream, absl::string_view bytes) {
  static_cast<void>(stream == v1::STREAM_KIND_STDERR ? ForwardError(bytes) : WriteOutput(bytes));
}

void LogReader::TellFrame(size_t host, const v1::ReadOutputResponse& frame) {
  Known& known = Find(host, frame.id());
  auto key = std::make_pair(frame.id(), frame.stream());
  if (invocation_.json()) Print(JsonLineFrom(known.host, frame));
  if (frame.has_data()) {
    open_[key] = frame.offset() + static_cast<int64_t>(frame.data().size());
    if (invocation_.json()) return;
    std::string lines;
    if (tagged_) tagger_.Append(known.number, frame.stream(), frame.data(), &lines);
    Write(frame.stream(), tagged_ ? absl::string_view(lines) : absl::string_view(frame.data()));
  } else if (frame.has_gap()) {
    open_[key] = frame.gap().to();
    if (invocation_.json()) return;
    invocation_.Note(absl::StrCat(known.name, ": bytes ", frame.gap().from(), " to ",
                                  frame.gap().to(), " of ", NameOf(frame.stream()),
                                  frame.gap().reason() == v1::Gap::REASON_ACKNOWLEDGED
                                      ? " were read before, and let go."
                                      : " were dropped."));
  } else if (frame.has_end()) {
    open_.erase(key);
    if (invocation_.json()) return;
    std::string lines;
    if (tagged_) tagger_.Flush(known.number, frame.stream(), &lines);
    Write(frame.stream(), lines);
    if (!frame.end().truncated()) return;
    invocation_.Note(absl::StrCat(known.name, ": its shim was lost; what of ",
                                  NameOf(frame.stream()), " it had not moved by then is missing."));
  }
}

// A stream that broke for good: says where to go on.
void LogReader::TellEnd(size_t host, const absl::Status& status) {
  if (status.ok()) return;
  status_ = invocation_.Fail(status);
  for (const auto& [key, offset] : open_) {
    const Known& known = known_[key.first];
    if (known.host != invocation_.NameOf(*shares_[host].host)) continue;
    invocation_.Note(absl::StrCat(NameOf(key.second), " of ", known.name, " goes on at ",
                                  known.host, "/", key.first, ":", offset));
  }
}

void LogReader::Tell(const Piece& piece) {
  std::string name = invocation_.NameOf(*shares_[piece.host].host);
  if (piece.frame.has_value()) {
    TellFrame(piece.host, *piece.frame);
  } else if (piece.is_end) {
    TellEnd(piece.host, piece.status);
  } else if (piece.status.ok()) {
    invocation_.Note(absl::StrCat(name, ": connected again."));
  } else {
    invocation_.Note(
        absl::StrCat(name, ": the connection broke (", piece.status.message(), "); trying again."));
  }
}

int LogReader::Run() {
  // To follow what is still to come, the agent has to have the selector itself, not the ids of now.
  bool open = arguments_.follow && selection_.IsOpen();
  if (!arguments_.since.empty()) AskForTheTime();
  for (size_t host = 0; host < shares_.size(); ++host) {
    v1::Selector selector = shares_[host].selector;
    if (open) {
      std::vector<v1::Selector> asked = selection_.ForHost(invocation_.NameOf(*shares_[host].host));
      selector = asked[0];
      for (size_t i = 1; i < asked.size(); ++i) selector.add_terms(asked[i].terms(0));
    }
    Subscribe(host, std::move(selector));
  }
  for (;;) {
    std::vector<EventQueue<Piece>::Entry> batch = queue_.Take();
    if (batch.empty()) break;
    for (const auto& entry : batch) Tell(entry.item);
    if (!FlushOutput()) return status_;
    for (const auto& entry : batch) {
      if (queue_.Taken(entry)) subscriptions_[*entry.source]->Resume();
    }
  }
  std::string rest;
  tagger_.FlushAll(&rest);
  Write(v1::STREAM_KIND_STDOUT, rest);
  return status_;
}

// Takes ":offset" off the one selector that has it.
absl::Status TakeOffset(LogsArguments* arguments) {
  for (std::string& term : arguments->selector.terms) {
    size_t colon = term.rfind(':');
    if (colon == std::string::npos || colon < term.rfind('/') + 1) continue;
    int64_t offset = 0;
    if (!absl::SimpleAtoi(term.substr(colon + 1), &offset) || offset < 0) continue;
    if (arguments->selector.terms.size() > 1) {
      return absl::InvalidArgumentError("an offset needs one process; give only that one");
    }
    arguments->offset = offset;
    term.resize(colon);
  }
  return absl::OkStatus();
}

int RunLogs(LogsArguments& arguments, Invocation& invocation) {
  if (absl::Status status = TakeOffset(&arguments); !status.ok()) return invocation.Fail(status);
  absl::StatusOr<Selection> selection = RequireSelection(arguments.selector, "show the output of");
  if (!selection.ok()) return invocation.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(*selection);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  absl::StatusOr<Lookup> lookup = FindProcesses(
      *fleet, *selection, invocation, {.must_match = !(arguments.follow && selection->IsOpen())});
  if (!lookup.ok()) return invocation.Fail(lookup.status());
  Lookup found = *std::move(lookup);
  return LogReader(arguments, *selection, std::move(found), invocation).Run();
}

}  // namespace

void AddLogs(Parser& parser) {
  auto arguments = std::make_shared<LogsArguments>();
  CLI::App* command = AddCommand(
      parser, "logs", "Show what processes have printed; with -f, go on with what they print",
      "  shoal logs -f web\n  shoal logs --tail 20 --stderr 'sim.*'\n"
      "  shoal logs node1/7KQ2MDAAAAAAAAAA:4096        from that byte of stdout on");
  command->add_flag("-f,--follow", arguments->follow, "Go on until the processes have ended");
  auto* tail = command->add_option("--tail", arguments->tail, "Only the last lines of each stream")
                   ->check(CLI::NonNegativeNumber)
                   ->type_name("N");
  command
      ->add_option("--since", arguments->since,
                   "Only what was printed within this span, by the clock of its host")
      ->check(IsSpan())
      ->excludes(tail)
      ->type_name("SPAN");
  auto* out = command->add_flag("--stdout", arguments->only_stdout, "Only stdout");
  command->add_flag("--stderr", arguments->only_stderr, "Only stderr")->excludes(out);
  command->add_flag("--raw", arguments->raw, kRawHelp);
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunLogs(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
