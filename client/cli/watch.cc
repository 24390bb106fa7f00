// `shoal watch`: PIDs and changes of state as they happen, one line each.
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/json.h"
#include "client/cli/lookup.h"
#include "client/cli/silence_watch.h"
#include "client/cli/standard_output.h"
#include "client/cli/table.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/ids.h"
#include "shoal/host/event_queue.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

constexpr size_t kNameWidth = 16;
constexpr size_t kHostWidth = 8;
constexpr size_t kPidWidth = 7;
constexpr size_t kQueueBytes = size_t{4} << 20;

bool IsOver(const v1::Process& process) { return HasEnded(process) && process.tree_empty(); }

// What one host's stream says.
struct News {
  size_t host = 0;
  std::optional<v1::WatchResponse> event;  // absent: the connection, or the end
  absl::Status connection;
  bool is_end = false;
};

class Watcher {
 public:
  Watcher(const Fleet& fleet, const Selection& selection, Invocation& invocation)
      : fleet_(fleet),
        selection_(selection),
        invocation_(invocation),
        synced_(fleet.hosts().size()),
        queue_(CountStreams(), kQueueBytes) {}

  int Run();

 private:
  // One stream for each selector of each host.
  size_t CountStreams() const;
  void Subscribe(size_t host, v1::Selector selector);
  void Tell(const News& news);
  // What was last told of a process.
  struct Told {
    Subject subject;
    int pid = 0;  // 0: it has none
    std::string state;
  };
  void TellProcess(size_t host, const v1::Process& process);
  void TellDeleted(const std::string& id);
  static void PrintTold(const Told& told);
  void TellInJson(size_t host, const v1::WatchResponse& event);
  std::vector<v1::Selector> SelectorsOf(size_t host) const {
    return selection_.ForHost(invocation_.NamesOf(*fleet_.hosts()[host].host));
  }
  std::string NameOf(size_t host) const { return invocation_.NameOf(*fleet_.hosts()[host].host); }

  const Fleet& fleet_;
  const Selection& selection_;
  Invocation& invocation_;
  std::vector<bool> synced_;              // by host
  std::set<std::string> over_before_;     // ids; an agent that is started anew tells of them again
  std::map<std::string, Told> told_;      // by id
  std::map<std::string, Subject> known_;  // by id; for what is deleted
  int status_ = 0;
  EventQueue<News> queue_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
};

size_t Watcher::CountStreams() const {
  size_t count = 0;
  for (size_t host = 0; host < fleet_.hosts().size(); ++host) count += SelectorsOf(host).size();
  return count;
}

void Watcher::Subscribe(size_t host, v1::Selector selector) {
  v1::WatchRequest request;
  if (!selector.all()) *request.mutable_selector() = std::move(selector);
  WatchObserver observer;
  const size_t stream = subscriptions_.size();
  observer.on_event = [this, host, stream](v1::WatchResponse&& event) {
    const size_t bytes = event.ByteSizeLong();
    return queue_.Push(stream, bytes, {host, std::move(event), {}, false});
  };
  observer.on_connection = [this, host](const absl::Status& status) {
    queue_.Push({host, std::nullopt, status, false});
  };
  observer.on_end = [this, host](const absl::Status& status) {
    queue_.End({host, std::nullopt, status, true});
  };
  subscriptions_.push_back(
      fleet_.hosts()[host].host->Watch(std::move(request), std::move(observer)));
}

void Watcher::TellProcess(size_t host, const v1::Process& process) {
  const bool over = IsOver(process);
  Told told = {SubjectOf(process), process.pid(),
               absl::StrCat(StateWord(process), over ? ", tree empty" : "")};
  told.subject.host = NameOf(host);
  const auto [known, is_new] = told_.emplace(process.id(), told);
  if (!is_new && known->second.pid == told.pid && known->second.state == told.state) return;
  known->second = told;
  PrintTold(told);
}

void Watcher::TellDeleted(const std::string& id) {
  const auto known = told_.extract(id);
  if (known.empty()) return;
  PrintTold({known.mapped().subject, 0, "deleted"});
}

void Watcher::PrintTold(const Told& told) {
  Print(absl::StrCat(
      absl::FormatTime("%H:%M:%E3S", absl::Now(), absl::LocalTimeZone()), "  ",
      Pad(EscapeForMessage(told.subject.name), kNameWidth), "  ",
      told.subject.id.substr(0, kShortIdLength), "  ", Pad(told.subject.host, kHostWidth), "  ",
      Pad(told.pid == 0 ? "–" : absl::StrCat(told.pid), kPidWidth), "  ", told.state, "\n"));
}

// Lines of kind "process", "deleted" and "synced".
void Watcher::TellInJson(size_t host, const v1::WatchResponse& event) {
  if (event.has_upsert()) {
    v1::Process process = event.upsert();
    process.set_host(NameOf(host));
    known_[process.id()] = SubjectOf(process);
    Print(ProcessLine(process));
  } else if (event.has_synced()) {
    Print(JsonLine("synced")
              .Text("host", NameOf(host))
              .Number("revision", event.revision())
              .ToString());
  } else if (!event.deleted_id().empty()) {
    auto known = known_.extract(event.deleted_id());
    const Subject subject =
        known.empty() ? Subject{NameOf(host), event.deleted_id(), ""} : known.mapped();
    Print(JsonLine("deleted").About(subject).Number("revision", event.revision()).ToString());
  }
}

void Watcher::Tell(const News& news) {
  if (!news.event.has_value()) {
    if (news.is_end) {
      if (!news.connection.ok()) {
        status_ = invocation_.Fail(news.connection, {NameOf(news.host), "", ""});
      }
    } else if (news.connection.ok()) {
      invocation_.Note(absl::StrCat(NameOf(news.host), ": connected again."));
    } else {
      invocation_.Note(absl::StrCat(NameOf(news.host), ": the connection broke (",
                                    BareReason(news.connection), "); trying again."));
    }
    return;
  }
  if (news.event->has_synced()) synced_[news.host] = true;
  if (news.event->has_upsert()) {
    const v1::Process& process = news.event->upsert();
    invocation_.LearnName(*fleet_.hosts()[news.host].host, process.host());
    // What was over before is no news.
    if (!synced_[news.host] && IsOver(process)) over_before_.insert(process.id());
    if (over_before_.contains(process.id())) return;
  }
  if (!news.event->deleted_id().empty() && over_before_.erase(news.event->deleted_id()) > 0) return;
  if (invocation_.json()) {
    TellInJson(news.host, *news.event);
  } else if (news.event->has_upsert()) {
    TellProcess(news.host, news.event->upsert());
  } else if (!news.event->deleted_id().empty()) {
    TellDeleted(news.event->deleted_id());
  }
}

int Watcher::Run() {
  for (size_t host = 0; host < fleet_.hosts().size(); ++host) {
    for (v1::Selector& selector : SelectorsOf(host)) {
      Subscribe(host, std::move(selector));
    }
  }
  for (;;) {
    std::vector<EventQueue<News>::Entry> batch = queue_.Take();
    if (batch.empty()) return status_;
    for (const auto& entry : batch) Tell(entry.item);
    if (!FlushOutput()) return status_;
    for (const auto& entry : batch) {
      if (queue_.Taken(entry)) subscriptions_[*entry.source]->Resume();
    }
  }
}

int RunWatch(const SelectorArguments& arguments, Invocation& invocation) {
  absl::StatusOr<Selection> selection = Selection::Parse(arguments.terms, arguments.labels);
  if (!selection.ok()) return invocation.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(*selection);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  if (!selection->ExactTerms().empty()) {
    const absl::Status there =
        FindProcesses(*fleet, *selection, invocation, {.may_come = true}).status();
    if (!there.ok()) return invocation.Fail(there);
  } else if (const absl::Status known = CheckHosts(*fleet, *selection, invocation); !known.ok()) {
    return invocation.Fail(known);
  }
  if (fleet->hosts().size() > 1) invocation.LearnNames(*fleet);
  const SilenceWatch silence(*fleet, invocation);
  return Watcher(*fleet, *selection, invocation).Run();
}

}  // namespace

void AddWatch(Parser& parser) {
  auto arguments = std::make_shared<SelectorArguments>();
  CLI::App* command = AddCommand(
      parser, "watch",
      "Follow PIDs and changes of state, one line each, of what is there and of what comes, until "
      "Ctrl-C",
      "  shoal watch\n  shoal watch 'web-*'                   those to come, too\n  shoal -H "
      "node[1-3] watch -l job=render");
  AddSelector(command, arguments.get());
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunWatch(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
