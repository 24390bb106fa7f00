#include "client/cli/run_sink.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/gather.h"
#include "client/cli/json.h"
#include "client/cli/standard_output.h"
#include "client/cli/table.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

constexpr absl::string_view kColours[] = {"\033[36m", "\033[33m", "\033[35m",
                                          "\033[32m", "\033[34m", "\033[31m"};
constexpr absl::string_view kPlain = "\033[0m";

absl::string_view NameOf(v1::StreamKind stream) {
  return stream == v1::STREAM_KIND_STDERR ? "stderr" : "stdout";
}

}  // namespace

RunSink::RunSink(RunSinkOptions options)
    : options_(std::move(options)),
      host_names_(options_.host_names),
      tagger_({.tag = options_.tagged, .shows_controls = options_.shows_controls},
              [this](int rank, v1::StreamKind stream) { return TagOf(rank, stream); }) {
  int world = 0;
  int most = 1;
  for (size_t host = 0; host < options_.counts.size(); ++host) {
    first_ranks_.push_back(world);
    world += options_.counts[host];
    most = std::max(most, options_.counts[host]);
  }
  is_single_ = world == 1;
  MeasureNames();
  widths_.rank = absl::StrCat(world - 1).size();
  widths_.local_rank = absl::StrCat(most - 1).size();
}

size_t RunSink::HostOf(int rank) const {
  auto next = std::upper_bound(first_ranks_.begin(), first_ranks_.end(), rank);
  return static_cast<size_t>(next - first_ranks_.begin()) - 1;
}

std::string RunSink::TagOf(int rank, v1::StreamKind stream) const {
  size_t host = HostOf(rank);
  std::string tag = options_.tag.Render(
      {rank, rank - first_ranks_[host], host_names_[host], std::string(NameOf(stream))}, widths_);
  if (!options_.colours) return tag;
  return absl::StrCat(kColours[static_cast<size_t>(rank) % std::size(kColours)], tag, kPlain);
}

void RunSink::Write(v1::StreamKind stream, absl::string_view bytes) {
  if (broken_ || bytes.empty()) return;
  if (stream == v1::STREAM_KIND_STDERR ? ForwardError(bytes) : WriteOutput(bytes)) return;
  broken_ = true;
  options_.on_broken_output();
}

void RunSink::MeasureNames() {
  for (size_t host = 0; host < options_.counts.size(); ++host) {
    if (options_.counts[host] == 0) continue;
    widths_.host = std::max(widths_.host, DisplayWidth(host_names_[host]));
  }
}

void RunSink::LearnName(int host, const std::string& own_name) {
  if (!options_.learn_name || own_name.empty() || !learned_.insert(host).second) return;
  host_names_[static_cast<size_t>(host)] = options_.learn_name(host, own_name);
  MeasureNames();
}

void RunSink::OnStarted(RankId rank, const v1::Process& process) {
  LearnName(rank.host, process.host());
  ids_[rank.rank] = process.id();
  options_.on_started(rank, process);
}

int64_t RunSink::shown(int rank, v1::StreamKind stream) const {
  const auto found = offsets_.find({rank, stream});
  return found == offsets_.end() ? 0 : found->second;
}

void RunSink::OnOutput(RankId rank, v1::StreamKind stream, int64_t offset, absl::string_view data) {
  if (broken_) return;
  offsets_[{rank.rank, stream}] = offset + static_cast<int64_t>(data.size());
  if (options_.json) {
    v1::ReadOutputResponse frame;
    frame.set_id(ids_[rank.rank]);
    frame.set_stream(stream);
    frame.set_offset(offset);
    frame.set_data(data.data(), data.size());
    Write(v1::STREAM_KIND_STDOUT, JsonLineFrom(HostName(rank.host), frame));
  } else if (options_.gather && stream == v1::STREAM_KIND_STDOUT) {
    gathered_[rank.rank].append(data.data(), data.size());
  } else if (!options_.tagged) {
    Write(stream, data);
  } else {
    std::string lines;
    tagger_.Append(rank.rank, stream, data, &lines);
    Write(stream, lines);
  }
}

void RunSink::OnGap(RankId rank, v1::StreamKind stream, const v1::Gap& gap) {
  Write(v1::STREAM_KIND_STDERR,
        absl::StrCat("shoal: rank ", rank.rank, ": bytes ", gap.from(), " to ", gap.to(), " of ",
                     NameOf(stream), " were dropped.\n"));
}

void RunSink::OnDescendants(RankId rank, const v1::Process& process) {
  constexpr int kMost = 8;
  if (++told_descendants_ > kMost) return;
  Write(v1::STREAM_KIND_STDERR,
        absl::StrCat("shoal: rank ", rank.rank, " on ", HostName(rank.host),
                     " has ended and is waited for. ", DescribeDescendants(process),
                     " (--grace); Ctrl-C ends them now.\n"));
}

// Once for a host: its disk is the same for all.
void RunSink::OnOutputStalled(RankId rank, const v1::Process& process) {
  if (!full_hosts_.insert(rank.host).second) return;
  const absl::Status why =
      ErrnoStatus(process.output_error_number(),
                  absl::StrCat("output of rank ", rank.rank, " cannot be written"));
  Write(v1::STREAM_KIND_STDERR,
        absl::StrCat("shoal: ", HostName(rank.host), ": ", why.message(),
                     "; it is tried again until it can, or Ctrl-C ends the run.\n"));
}

void RunSink::OnInputLost(int rank, const absl::Status& reason) {
  const std::string what =
      rank < 0 ? "" : absl::StrCat("the input of rank ", rank, " was not written: ");
  options_.on_input_lost();
  WriteError(absl::StrCat("shoal: ", what, reason.message(), ".\n"));
}

void RunSink::OnComplete(RankId rank, const v1::Process& process) {
  for (v1::StreamKind stream : {v1::STREAM_KIND_STDOUT, v1::STREAM_KIND_STDERR}) {
    std::string lines;
    if (options_.tagged) tagger_.Flush(rank.rank, stream, &lines);
    Write(stream, lines);
  }
  if (process.output_error_number() != 0) {
    Write(v1::STREAM_KIND_STDERR,
          absl::StrCat("shoal: ", HostName(rank.host), ": rank ", rank.rank,
                       " was ended with output that could not be written; that is dropped.\n"));
  }
  ids_.erase(rank.rank);
  if (!options_.json) return;
  v1::Process named = process;
  named.set_host(HostName(rank.host));
  Write(v1::STREAM_KIND_STDOUT, JsonLine(named));
}

void RunSink::OnFailedToStart(RankId rank, const v1::RequestError& error) {
  if (options_.json) Write(v1::STREAM_KIND_STDOUT, JsonLineFrom(HostName(rank.host), error));
}

void RunSink::OnHostLost(int host, const absl::Status& reason) {
  Write(v1::STREAM_KIND_STDERR,
        absl::StrCat("shoal: ", HostName(host), ": the connection broke (",
                     EscapeForMessage(reason.message(), 512), "); trying again.\n"));
  TellPlaces(host);
}

void RunSink::OnHostRegained(int host) {
  Write(v1::STREAM_KIND_STDERR, absl::StrCat("shoal: ", HostName(host), ": connected again.\n"));
}

void RunSink::OnNotContinued(int host, const absl::Status& reason) {
  Write(v1::STREAM_KIND_STDERR,
        absl::StrCat("shoal: ", HostName(host), ": what was stopped could not be continued (",
                     EscapeForMessage(reason.message(), 512),
                     "); `shoal signal CONT --scope tree` does it.\n"));
}

void RunSink::OnHostOver(int host, const absl::Status& reason) {
  Write(v1::STREAM_KIND_STDERR, absl::StrCat("shoal: ", HostName(host), ": ",
                                             EscapeForMessage(reason.message(), 512), ".\n"));
  TellPlaces(host);
}

void RunSink::TellPlaces(int host) {
  constexpr int kMost = 8;
  int told = 0;
  for (const auto& [key, offset] : offsets_) {
    auto id = ids_.find(key.first);
    if (id == ids_.end() || HostOf(key.first) != static_cast<size_t>(host)) continue;
    if (++told > kMost) break;
    const std::string of_rank = is_single_ ? "" : absl::StrCat(" of rank ", key.first);
    Write(v1::STREAM_KIND_STDERR,
          absl::StrCat("shoal: ", NameOf(key.second), of_rank, " is read up to byte ", offset,
                       " of ", HostName(host), "/", id->second, "\n"));
  }
}

void RunSink::WriteGathered() {
  std::vector<RankAnswer> answers;
  for (const auto& [rank, text] : gathered_) {
    answers.push_back({rank, host_names_[HostOf(rank)], text});
  }
  const bool shows_controls =
      options_.shows_controls && options_.shows_controls(v1::STREAM_KIND_STDOUT);
  Write(v1::STREAM_KIND_STDOUT, RenderGathered(answers, shows_controls));
}

void RunSink::Finish() {
  std::string lines;
  if (options_.tagged) tagger_.FlushAll(&lines);
  Write(v1::STREAM_KIND_STDOUT, lines);
  if (options_.gather) WriteGathered();
}

}  // namespace shoal::cli
