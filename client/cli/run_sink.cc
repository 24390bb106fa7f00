#include "client/cli/run_sink.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/exit_status.h"
#include "client/cli/json.h"
#include "client/cli/standard_output.h"
#include "client/cli/table.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/status.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

constexpr absl::string_view kColours[] = {"\033[36m", "\033[33m", "\033[35m",
                                          "\033[32m", "\033[34m", "\033[31m"};
constexpr absl::string_view kPlain = "\033[0m";

}  // namespace

RunSink::RunSink(RunSinkOptions options)
    : options_(std::move(options)),
      host_names_(options_.host_names),
      tagger_({.tag = options_.tagged, .shows_controls = options_.shows_controls},
              [this](int rank, v1::StreamKind stream) { return TagOf(rank, stream); }) {
  int most = 1;
  for (size_t host = 0; host < options_.counts.size(); ++host) {
    first_ranks_.push_back(world_);
    world_ += options_.counts[host];
    most = std::max(most, options_.counts[host]);
  }
  is_single_ = world_ == 1;
  MeasureNames();
  if (options_.gather) gathered_.emplace(world_);
  widths_.rank = absl::StrCat(world_ - 1).size();
  widths_.local_rank = absl::StrCat(most - 1).size();
}

size_t RunSink::HostOf(int rank) const {
  auto next = std::upper_bound(first_ranks_.begin(), first_ranks_.end(), rank);
  return static_cast<size_t>(next - first_ranks_.begin()) - 1;
}

std::string RunSink::TagOf(int rank, v1::StreamKind stream) const {
  size_t host = HostOf(rank);
  std::string tag = options_.tag.Render(
      {rank, rank - first_ranks_[host], host_names_[host], std::string(NameOfStream(stream))},
      widths_);
  if (!options_.colours) return tag;
  return absl::StrCat(kColours[static_cast<size_t>(rank) % std::size(kColours)], tag, kPlain);
}

void RunSink::Write(v1::StreamKind stream, absl::string_view bytes) {
  if (broken_ || bytes.empty()) return;
  if (stream == v1::STREAM_KIND_STDERR ? ForwardError(bytes) : WriteOutput(bytes)) return;
  broken_ = true;
  options_.on_broken_output();
}

void RunSink::Say(absl::string_view text) {
  if (!IsQuiet()) SayLoss(text);
}

// Not silenced by -q: something is missing.
void RunSink::SayLoss(absl::string_view text) {
  Write(v1::STREAM_KIND_STDERR, absl::StrCat("shoal: ", text, "\n"));
}

Subject RunSink::SubjectOf(int rank) const {
  const auto known = subjects_.find(rank);
  Subject subject = known == subjects_.end() ? Subject() : known->second;
  subject.host = HostName(static_cast<int>(HostOf(rank)));
  subject.rank = rank;
  return subject;
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
  ++started_;
  subjects_[rank.rank] = {"", process.id(), process.name()};
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
    std::string lines;
    frames_.Data(SubjectOf(rank.rank), stream, offset, data, &lines);
    Write(v1::STREAM_KIND_STDOUT, lines);
  } else if (gathered_.has_value() && stream == v1::STREAM_KIND_STDOUT) {
    gathered_->Add(rank.rank, data);
  } else if (!options_.tagged) {
    Write(stream, data);
  } else {
    std::string lines;
    tagger_.Append(rank.rank, stream, data, &lines);
    Write(stream, lines);
  }
}

void RunSink::OnGap(RankId rank, v1::StreamKind stream, const v1::Gap& gap) {
  std::string lines;
  if (options_.json) {
    frames_.Gap(SubjectOf(rank.rank), stream, gap, &lines);
    Write(v1::STREAM_KIND_STDOUT, lines);
  } else if (options_.tagged) {
    tagger_.Insert(rank.rank, stream, absl::StrCat("[", DescribeGap(stream, gap), "]"), &lines);
    Write(stream, lines);
  } else {
    SayLoss(absl::StrCat("rank ", rank.rank, ": ", DescribeGap(stream, gap), "."));
  }
}

void RunSink::OnDescendants(RankId rank, const v1::Process& process) {
  constexpr int kMost = 8;
  if (++told_descendants_ > kMost) return;
  Say(absl::StrCat("rank ", rank.rank, " on ", HostName(rank.host),
                   " has ended and is waited for. ", DescribeDescendants(process),
                   " (--grace); Ctrl-C ends them now."));
}

// Once for a host: its disk is the same for all.
void RunSink::OnOutputStalled(RankId rank, const v1::Process& process) {
  if (!full_hosts_.insert(rank.host).second) return;
  const absl::Status why =
      ErrnoStatus(process.output_error_number(),
                  absl::StrCat("output of rank ", rank.rank, " cannot be written"));
  Say(absl::StrCat(HostName(rank.host), ": ", why.message(),
                   "; it is tried again until it can, or Ctrl-C ends the run."));
}

void RunSink::OnShimStalled(RankId rank, const v1::Process& /*process*/) {
  constexpr int kMost = 8;
  if (++told_shims_ > kMost) return;
  Say(absl::StrCat("rank ", rank.rank, " on ", HostName(rank.host),
                   " does not end: its shim does not react. It is stopped, or its host is stuck; "
                   "once it goes on, so does the end."));
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
    if (options_.json) frames_.Flush(SubjectOf(rank.rank), stream, &lines);
    Write(options_.json ? v1::STREAM_KIND_STDOUT : stream, lines);
  }
  if (process.output_error_number() != 0) {
    SayLoss(absl::StrCat(HostName(rank.host), ": rank ", rank.rank,
                         " was ended with output that could not be written; that is dropped."));
  }
  ++ended_;
  subjects_.erase(rank.rank);
  if (gathered_.has_value() && !Succeeded(process)) {
    gathered_->SetEnd(rank.rank, DescribeEnd(process));
  }
  // What was not started has its error line, whether a record of it is known here by now or not.
  if (!options_.json || process.state() == v1::STATE_FAILED_TO_START) return;
  v1::Process named = process;
  named.set_host(HostName(rank.host));
  Write(v1::STREAM_KIND_STDOUT, ProcessLine(named));
}

void RunSink::OnFailedToStart(RankId rank, const v1::RequestError& error) {
  if (!options_.json) return;
  const v1::StartFailure* failure = error.has_start_failure() ? &error.start_failure() : nullptr;
  const absl::Status answer = StatusOfAnswer(error.code(), error.message());
  StartError told = {error.message(), NotStartedStatusOf(answer)};
  if (options_.explain != nullptr) told = options_.explain(HostName(rank.host), error);
  Write(v1::STREAM_KIND_STDOUT,
        ErrorLine(SubjectOf(rank.rank), StatusOfAnswer(error.code(), told.sentence),
                  told.exit_status, failure));
}

void RunSink::OnHostLost(int host, const absl::Status& reason) {
  lost_since_[host] = BootTime::Now();
  silent_since_.erase(host);
  Say(absl::StrCat(HostName(host), ": the connection broke (", BareReason(reason),
                   "); trying again."));
}

void RunSink::OnHostRegained(int host) {
  lost_since_.erase(host);
  Say(absl::StrCat(HostName(host), ": connected again."));
}

void RunSink::OnHostSilent(int host, absl::Duration silence) {
  if (silence == absl::ZeroDuration()) {
    silent_since_.erase(host);
  } else {
    silent_since_[host] = BootTime::Now() + -silence;
  }
  Say(absl::StrCat(HostName(host), ": ", DescribeSilence(silence), "."));
}

void RunSink::OnNotContinued(int host, const absl::Status& reason) {
  Say(absl::StrCat(HostName(host), ": what was stopped could not be continued (",
                   BareReason(reason), "); `shoal signal CONT --scope tree` does it."));
}

void RunSink::OnHostOver(int host, const absl::Status& reason) {
  lost_since_.erase(host);
  silent_since_.erase(host);
  if (options_.json) {
    Write(v1::STREAM_KIND_STDOUT,
          ErrorLine({HostName(host), "", ""}, reason, ExitStatusOf(reason)));
  }
  Say(absl::StrCat(HostName(host), ": ", BareReason(reason), "."));
  TellPlaces(host);
}

void RunSink::TellPlaces(int host) {
  constexpr int kMost = 8;
  int told = 0;
  for (const auto& [key, offset] : offsets_) {
    auto subject = subjects_.find(key.first);
    if (subject == subjects_.end() || HostOf(key.first) != static_cast<size_t>(host)) continue;
    if (++told > kMost) break;
    const auto [place, is_new] = told_places_.emplace(key, offset);
    if (!is_new && std::exchange(place->second, offset) == offset) continue;
    const std::string of_rank = is_single_ ? "" : absl::StrCat(" of rank ", key.first);
    const bool is_stderr = key.second == v1::STREAM_KIND_STDERR;
    Say(absl::StrCat(NameOfStream(key.second), of_rank, " is read up to byte ", offset,
                     "; `shoal logs ", is_stderr ? "--stderr " : "", HostName(host), "/",
                     subject->second.id, ":", offset, "` reads on."));
  }
}

void RunSink::OnTick() {
  std::string out;
  std::string err;
  if (options_.tagged) tagger_.Tick(v1::STREAM_KIND_STDOUT, &out);
  if (options_.tagged) tagger_.Tick(v1::STREAM_KIND_STDERR, &err);
  Write(v1::STREAM_KIND_STDOUT, out);
  Write(v1::STREAM_KIND_STDERR, err);
  for (const auto& [host, since] : lost_since_) {
    if (BootTime::Now() - since >= options_.places_after) TellPlaces(host);
  }
  options_.on_progress(DescribeProgress());
}

std::string RunSink::DescribeProgress() const {
  if (const size_t unheard = lost_since_.size() + silent_since_.size(); unheard > 0) {
    const bool is_lost = !lost_since_.empty();
    const auto& [host, since] = is_lost ? *lost_since_.begin() : *silent_since_.begin();
    const absl::Duration silent = absl::Floor(BootTime::Now() - since, absl::Seconds(1));
    // Where the connection stands, it is waited for.
    const absl::Duration left =
        is_lost ? options_.host_patience - silent : absl::InfiniteDuration();
    const size_t more = unheard - 1;
    return absl::StrCat(
        HostName(host), " not heard of for ", FormatSpan(silent),
        left < absl::InfiniteDuration() ? absl::StrCat(", given up in ", FormatSpan(left)) : "",
        more > 0 ? absl::StrCat("; so ", Count(static_cast<int64_t>(more), "other"), "") : "");
  }
  if (started_ == 0) return absl::StrCat("starting ", Count(world_, "process", "es"));
  return absl::StrCat(started_ - std::min(started_, ended_), " of ", world_, " running, ", ended_,
                      " ended");
}

void RunSink::WriteGathered() {
  std::vector<RankAnswer> answers = gathered_->Take();
  for (RankAnswer& answer : answers) answer.host = host_names_[HostOf(answer.rank)];
  const bool shows_controls =
      options_.shows_controls && options_.shows_controls(v1::STREAM_KIND_STDOUT);
  Write(v1::STREAM_KIND_STDOUT, RenderGathered(answers, shows_controls));
}

void RunSink::Finish() {
  std::string lines;
  if (options_.tagged) tagger_.FlushAll(&lines);
  Write(v1::STREAM_KIND_STDOUT, lines);
  if (gathered_.has_value()) WriteGathered();
}

}  // namespace shoal::cli
