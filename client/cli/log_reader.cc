#include "client/cli/log_reader.h"

#include "absl/strings/str_cat.h"
#include "client/cli/standard_output.h"
#include "client/cli/wording.h"
#include "common/span.h"
#include "shoal/fan_out.h"

namespace shoal::cli {
namespace {

constexpr size_t kQueueBytes = size_t{4} << 20;
constexpr absl::Duration kTick = absl::Milliseconds(500);
constexpr absl::Duration kProcessNamePatience = absl::Seconds(5);

}  // namespace

LogReader::LogReader(const LogsArguments& arguments, const Selection& selection, const Fleet& fleet,
                     Lookup lookup, Invocation& invocation)
    : arguments_(arguments),
      selection_(selection),
      fleet_(fleet),
      invocation_(invocation),
      lookup_(std::move(lookup)),
      printer_(
          {lookup_.found.size() > 1 || IsOpen(),
           (IsOpen() ? fleet.hosts().size() : ByHost(lookup_.found).size()) > 1, arguments.raw},
          invocation) {
  if (IsOpen() && fleet.hosts().size() > 1) invocation.LearnNames(fleet);
  for (const Found& entry : lookup_.found) {
    printer_.Learn(HostName(HostOf(*entry.host)), entry.process);
  }
  for (const absl::Status& failure : lookup_.failures) {
    status_ = invocation_.Fail(failure);
    for (size_t host = 0; host < fleet.hosts().size(); ++host) {
      if (Invocation::HostOf(failure) == HostName(host)) failed_.insert(host);
    }
  }
}

std::string LogReader::HostName(size_t host) const {
  return invocation_.NameOf(*fleet_.hosts()[host].host);
}

size_t LogReader::HostOf(const Host& host) const {
  size_t index = 0;
  while (fleet_.hosts()[index].host.get() != &host) ++index;
  return index;
}

// The name of a process that has come since is asked for by its id.
void LogReader::TellFrame(size_t host, const v1::ReadOutputResponse& frame) {
  if (!printer_.Knows(frame.id())) {
    CallOptions options;
    options.timeout = kProcessNamePatience;
    absl::StatusOr<v1::Process> process =
        fleet_.hosts()[host].host->Get(frame.id(), /*live_usage=*/false, options);
    v1::Process unnamed;
    unnamed.set_id(frame.id());
    printer_.Learn(HostName(host), process.ok() ? *process : unnamed);
  }
  printer_.Print(frame);
}

// A stream that broke for good: says where to go on.
void LogReader::TellEnd(size_t host, const absl::Status& status) {
  if (status.ok()) return;
  failed_.insert(host);
  status_ = invocation_.Fail(status, {HostName(host), "", ""});
  printer_.TellPlaces(HostName(host));
}

void LogReader::Tell(const Piece& piece) {
  if (piece.frame.has_value()) {
    TellFrame(piece.host, *piece.frame);
  } else if (piece.is_end) {
    TellEnd(piece.host, piece.status);
  } else if (piece.status.ok()) {
    invocation_.Note(absl::StrCat(HostName(piece.host), ": connected again."));
  } else {
    invocation_.Note(absl::StrCat(HostName(piece.host), ": the connection broke (",
                                  BareReason(piece.status), "); trying again."));
  }
}

// What was printed when is told by the clock of its host, so a span counts back from now there. A
// host that does not answer will not be read either.
void LogReader::AskForTheTime() const {
  fleet_.FanOut<v1::Host>(
      [](Host& host, Done<v1::Host> done) { host.GetFacts({}, std::move(done)); });
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
    const absl::Time since = fleet_.hosts()[host].host->AgentTime() - *ParseSpan(arguments_.since);
    if (since > absl::UnixEpoch()) {
      request.mutable_since()->set_seconds(absl::ToUnixSeconds(since));
    }
  }
  return request;
}

// To follow what is still to start, the agent has to have the selector itself, not the ids of now.
std::vector<LogReader::Source> LogReader::Sources() const {
  std::vector<Source> sources;
  const auto add = [&](size_t host, v1::Selector selector) {
    if (failed_.count(host) == 0) sources.push_back({host, MakeRequest(host, std::move(selector))});
  };
  if (!IsOpen()) {
    for (HostShare& share : ByHost(lookup_.found)) {
      add(HostOf(*share.host), std::move(share.selector));
    }
    return sources;
  }
  for (size_t host = 0; host < fleet_.hosts().size(); ++host) {
    for (v1::Selector& selector : selection_.ForHost(HostName(host), fleet_.hosts()[host].name())) {
      add(host, std::move(selector));
    }
  }
  return sources;
}

void LogReader::Subscribe(const std::vector<Source>& sources, Queue* queue) {
  subscriptions_.clear();
  for (size_t i = 0; i < sources.size(); ++i) {
    OutputObserver observer;
    observer.on_frame = [queue, i, host = sources[i].host](v1::ReadOutputResponse&& frame) {
      const size_t bytes = frame.ByteSizeLong();
      return queue->Push(i, bytes, {host, std::move(frame), {}, false});
    };
    observer.on_connection = [queue, host = sources[i].host](const absl::Status& status) {
      queue->Push({host, std::nullopt, status, false});
    };
    observer.on_end = [queue, host = sources[i].host](const absl::Status& status) {
      queue->End({host, std::nullopt, status, true});
    };
    subscriptions_.push_back(
        fleet_.hosts()[sources[i].host].host->ReadOutput(sources[i].request, std::move(observer)));
  }
}

int LogReader::Run() {
  if (!arguments_.since.empty()) AskForTheTime();
  const std::vector<Source> sources = Sources();
  Queue queue(sources.size(), kQueueBytes);
  Subscribe(sources, &queue);
  bool is_read = true;
  while (is_read) {
    const std::optional<std::vector<Queue::Entry>> batch = queue.TakeFor(kTick);
    if (BootTime::Now() - last_tick_ >= kTick) {
      printer_.Tick();
      last_tick_ = BootTime::Now();
    }
    if (!batch.has_value()) continue;
    if (batch->empty()) break;
    for (const Queue::Entry& entry : *batch) Tell(entry.item);
    is_read = FlushOutput();
    for (const Queue::Entry& entry : *batch) {
      if (queue.Taken(entry)) subscriptions_[*entry.source]->Resume();
    }
  }
  subscriptions_.clear();  // before the queue that they push into
  if (is_read) printer_.Finish();
  return status_;
}

}  // namespace shoal::cli
