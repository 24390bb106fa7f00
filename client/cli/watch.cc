// `shoal watch`: PIDs and changes of state as they happen, one line each.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/funnel.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/wording.h"
#include "common/ids.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

constexpr size_t kNameWidth = 16;
constexpr size_t kHostWidth = 8;
constexpr size_t kPidWidth = 7;

// What one host's stream says.
struct News {
  size_t host = 0;
  std::optional<v1::WatchResponse> event;  // absent: the connection, or the end
  absl::Status connection;
  bool is_end = false;
};

class Watcher {
 public:
  Watcher(const Fleet& fleet, const Selection& selection, Context& context)
      : fleet_(fleet),
        selection_(selection),
        context_(context),
        synced_(fleet.hosts().size()),
        funnel_(CountStreams()) {}

  int Run();

 private:
  // One stream for each selector of each host.
  int CountStreams() const;
  void Subscribe(size_t host, v1::Selector selector);
  void Tell(const News& news);
  void TellProcess(size_t host, const v1::Process& process);
  std::string NameOf(size_t host) const { return context_.NameOf(*fleet_.hosts()[host].host); }

  const Fleet& fleet_;
  const Selection& selection_;
  Context& context_;
  std::vector<bool> synced_;                 // by host
  std::map<std::string, std::string> told_;  // by id: the last line without its time
  int status_ = 0;
  Funnel<News> funnel_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
};

int Watcher::CountStreams() const {
  size_t count = 0;
  for (const FleetHost& entry : fleet_.hosts())
    count += selection_.ForHost(context_.NameOf(*entry.host)).size();
  return static_cast<int>(count);
}

void Watcher::Subscribe(size_t host, v1::Selector selector) {
  v1::WatchRequest request;
  if (!selector.all()) *request.mutable_selector() = std::move(selector);
  WatchObserver observer;
  observer.on_event = [this, host](const v1::WatchResponse& event) {
    return funnel_.Push({host, event, {}, false}, event.ByteSizeLong());
  };
  observer.on_reset = [] {};
  observer.on_connection = [this, host](const absl::Status& status) {
    funnel_.Push({host, std::nullopt, status, false}, 0);
  };
  observer.on_end = [this, host](const absl::Status& status) {
    funnel_.End({host, std::nullopt, status, true});
  };
  subscriptions_.push_back(
      fleet_.hosts()[host].host->Watch(std::move(request), std::move(observer)));
}

void Watcher::TellProcess(size_t host, const v1::Process& process) {
  context_.LearnName(*fleet_.hosts()[host].host, process.host());
  bool over = HasEnded(process) && process.tree_empty();
  if (over && !synced_[host]) return;
  std::string line =
      absl::StrCat(Pad(process.name(), kNameWidth), "  ", process.id().substr(0, kShortIdLength),
                   "  ", Pad(NameOf(host), kHostWidth), "  ",
                   Pad(process.pid() == 0 ? "–" : absl::StrCat(process.pid()), kPidWidth), "  ",
                   StateWord(process), over ? ", tree empty" : "");
  std::string& last = told_[process.id()];
  if (line == last) return;
  last = line;
  Print(absl::StrCat(absl::FormatTime("%H:%M:%E3S", absl::Now(), absl::LocalTimeZone()), "  ", line,
                     "\n"));
}

void Watcher::Tell(const News& news) {
  if (!news.event.has_value()) {
    if (news.is_end) {
      if (!news.connection.ok()) status_ = context_.Fail(news.connection);
    } else if (news.connection.ok()) {
      context_.Note(absl::StrCat(NameOf(news.host), ": connected again."));
    } else {
      context_.Note(absl::StrCat(NameOf(news.host), ": the connection broke (",
                                 news.connection.message(), "); trying again."));
    }
    return;
  }
  if (news.event->has_synced()) synced_[news.host] = true;
  if (context_.json()) {
    if (!news.event->has_heartbeat()) Print(JsonLineFrom(NameOf(news.host), *news.event));
  } else if (news.event->has_upsert()) {
    TellProcess(news.host, news.event->upsert());
  } else if (!news.event->deleted_id().empty()) {
    told_.erase(news.event->deleted_id());
  }
}

int Watcher::Run() {
  for (size_t host = 0; host < fleet_.hosts().size(); ++host) {
    for (v1::Selector& selector : selection_.ForHost(NameOf(host))) {
      Subscribe(host, std::move(selector));
    }
  }
  for (;;) {
    std::vector<News> batch = funnel_.Pop();
    if (batch.empty()) return status_;
    for (const News& news : batch) Tell(news);
    FlushOutput();
    for (auto& subscription : subscriptions_) subscription->Resume();
  }
}

int RunWatch(const SelectorArguments& arguments, Context& context) {
  absl::StatusOr<Selection> selection = Selection::Parse(arguments.terms, arguments.labels);
  if (!selection.ok()) return context.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = context.ConnectExisting(*selection);
  if (!fleet.ok()) return context.Fail(fleet.status());
  if (!selection->hosts().empty()) context.LearnNames(*fleet);
  return Watcher(*fleet, *selection, context).Run();
}

}  // namespace

void AddWatch(Parser& parser) {
  auto arguments = std::make_shared<SelectorArguments>();
  CLI::App* command =
      AddCommand(parser, "watch", "Follow PIDs and changes of state, one line each, until Ctrl-C",
                 "  shoal watch\n  shoal -H node[1-3] watch -l job=render");
  AddSelector(command, arguments.get());
  command->callback([&parser, arguments] {
    parser.chosen = [&context = parser.context, arguments] {
      return RunWatch(*arguments, context);
    };
  });
}

}  // namespace shoal::cli
