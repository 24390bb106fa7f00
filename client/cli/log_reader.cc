#include "client/cli/log_reader.h"

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "client/cli/standard_output.h"
#include "client/cli/wording.h"
#include "common/span.h"
#include "shoal/fan_out.h"

namespace shoal::cli {
namespace {

constexpr size_t kQueueBytes = size_t{4} << 20;
constexpr absl::Duration kLeastLead = absl::Milliseconds(2);
constexpr absl::Duration kTick = absl::Milliseconds(500);
// What a host has not sent by then of what was there before is taken not to be there: at first it may be slow to
// answer, or have nothing of the span that was asked for.
constexpr absl::Duration kFirstFramePatience = absl::Seconds(3);
constexpr absl::Duration kNextFramePatience = absl::Milliseconds(500);
constexpr absl::Duration kProcessNamePatience = absl::Seconds(5);

// Lines of two streams may come between each other; alone, bytes pass as they are.
bool HasTwoStreams(const Lookup& lookup) {
  int streams = 0;
  for (const Found& entry : lookup.found) {
    for (const v1::StreamPosition& position : entry.process.output()) {
      if (position.end_offset() > 0) ++streams;
    }
  }
  return streams > 1;
}

}  // namespace

LogReader::LogReader(const LogsArguments& arguments, const Selection& selection, const Fleet& fleet,
                     Lookup lookup, Invocation& invocation)
    : arguments_(arguments),
      selection_(selection),
      fleet_(fleet),
      invocation_(invocation),
      lookup_(std::move(lookup)),
      printer_({lookup_.found.size() > 1 || IsOpen(),
                (IsOpen() ? fleet.hosts().size() : ByHost(lookup_.found).size()) > 1, arguments.raw,
                arguments.timestamps, !arguments.follow && HasTwoStreams(lookup_)},
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

// What was printed when is told by the clock of its host: a span counts back from now there, and clocks are compared. A
// host that does not answer will not be read either.
void LogReader::AskForTheTime() const {
  std::vector<Host*> hosts;
  for (size_t host = 0; host < fleet_.hosts().size(); ++host) {
    if (failed_.count(host) == 0) hosts.push_back(fleet_.hosts()[host].host.get());
  }
  FanOut<v1::Host>(hosts.size(), [&hosts](size_t i, Done<v1::Host> done) {
    hosts[i]->GetFacts({}, std::move(done));
  });
}

v1::ReadOutputRequest LogReader::MakeRequest(size_t host, v1::Selector selector) const {
  v1::ReadOutputRequest request;
  *request.mutable_selector() = std::move(selector);
  request.set_follow(arguments_.follow);
  request.set_by_time(true);
  request.set_times(arguments_.timestamps || IsMerging());
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
    for (v1::Selector& selector :
         selection_.ForHost(invocation_.NamesOf(*fleet_.hosts()[host].host))) {
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
      return queue->Push(i, bytes, {host, std::move(frame), {}, false, i});
    };
    observer.on_connection = [queue, i, host = sources[i].host](const absl::Status& status) {
      queue->Push({host, std::nullopt, status, false, i});
    };
    observer.on_end = [queue, i, host = sources[i].host](const absl::Status& status) {
      queue->End({host, std::nullopt, status, true, i});
    };
    subscriptions_.push_back(
        fleet_.hosts()[sources[i].host].host->ReadOutput(sources[i].request, std::move(observer)));
  }
}

// How far the clock of a host is ahead of that of the first, as far as that is proven: those that agree, in the
// milliseconds in which agents tell them, are not touched.
LogReader::Merge LogReader::MakeMerge(const std::vector<Source>& sources) const {
  std::vector<absl::Duration> leads;
  for (const Source& source : sources) {
    const absl::Duration lead = fleet_.hosts()[source.host].host->AgentTime() -
                                fleet_.hosts()[sources[0].host].host->AgentTime();
    leads.push_back(absl::AbsDuration(lead) < kLeastLead ? absl::ZeroDuration() : lead);
  }
  return Merge(leads);
}

bool LogReader::HasOutput(size_t host) const {
  return absl::c_any_of(lookup_.found, [&](const Found& entry) {
    return HostOf(*entry.host) == host &&
           absl::c_any_of(entry.process.output(), [](const v1::StreamPosition& position) {
             return position.end_offset() > 0;
           });
  });
}

void LogReader::Put(Queue::Entry entry, Merge* merge) {
  const Piece& piece = entry.item;
  const size_t source = piece.source;
  absl::Time time = absl::InfinitePast();
  Past& past = pasts_[source];
  past.silent_since = BootTime::Now();
  if (piece.frame.has_value()) {
    past.has_sent = true;
    time = ToTime(piece.frame->has_time(), piece.frame->time());
    past.is_over = past.is_over || time >= past.end;
  } else {
    past.is_over = past.is_over || piece.is_end;
    merge->SetAway(source, piece.is_end || !piece.status.ok());
  }
  merge->Put(source, time, std::move(entry));
}

bool LogReader::IsInPast(Merge* merge) {
  bool is_in_past = false;
  for (size_t source = 0; source < pasts_.size(); ++source) {
    Past& past = pasts_[source];
    const absl::Duration patience = past.has_sent ? kNextFramePatience : kFirstFramePatience;
    past.is_over = past.is_over || BootTime::Now() - past.silent_since >= patience;
    if (past.is_over) merge->SetAway(source, true);
    is_in_past = is_in_past || !past.is_over;
  }
  return is_in_past;
}

void LogReader::TellEntry(const Queue::Entry& entry, Queue* queue) {
  Tell(entry.item);
  if (queue->Taken(entry)) subscriptions_[*entry.source]->Resume();
}

int LogReader::Run() {
  bool is_merging = IsMerging();
  if (!arguments_.since.empty() || is_merging) AskForTheTime();
  const std::vector<Source> sources = Sources();
  Queue queue(sources.size(), kQueueBytes);
  Merge merge = MakeMerge(sources);
  for (const Source& source : sources) {
    pasts_.push_back(
        {.end = fleet_.hosts()[source.host].host->AgentTime(), .is_over = !HasOutput(source.host)});
  }
  Subscribe(sources, &queue);
  bool is_read = true;
  while (is_read) {
    std::optional<std::vector<Queue::Entry>> batch = queue.TakeFor(kTick);
    if (arguments_.follow && BootTime::Now() - last_tick_ >= kTick) {
      printer_.Tick();
      last_tick_ = BootTime::Now();
    }
    if (batch.has_value() && batch->empty()) break;
    if (!batch.has_value()) batch.emplace();
    for (Queue::Entry& entry : *batch) {
      if (is_merging) {
        Put(std::move(entry), &merge);
      } else {
        TellEntry(entry, &queue);
      }
    }
    if (arguments_.follow && is_merging) is_merging = IsInPast(&merge);
    while (std::optional<Queue::Entry> entry = merge.Take()) TellEntry(*entry, &queue);
    is_read = FlushOutput();
  }
  subscriptions_.clear();  // before the queue that they push into
  if (is_read) printer_.Finish();
  return status_;
}

}  // namespace shoal::cli
