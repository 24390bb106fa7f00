#include "agent/output/output_follower.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace shoal::agent {
namespace {

OutputUpdate UpdateOf(const ProcessEntry& process) {
  OutputUpdate update;
  update.id = process.id;
  update.streams = process.streams;
  update.segment_bytes = process.segment_bytes;
  update.started = process.start_time.value_or(absl::InfinitePast());
  for (int stream = 0; stream < record::kStreams; ++stream) {
    update.has[static_cast<size_t>(stream)] = process.spec->HasStream(stream);
  }
  update.complete = process.output_complete;
  update.truncated = (process.flags & kFlagOutputTruncated) != 0;
  update.drops_oldest = process.spec->drop_oldest;
  return update;
}

}  // namespace

std::shared_ptr<OutputFollower> OutputFollower::Create(const OutputSource* source,
                                                       OutputQuery query,
                                                       std::shared_ptr<OutputSink> sink) {
  std::shared_ptr<OutputFollower> follower(
      new OutputFollower(source, std::move(query), std::move(sink)));
  auto ask = [weak = std::weak_ptr<OutputFollower>(follower), source](const std::string& id) {
    source->loop->Post([weak, id] {
      if (std::shared_ptr<OutputFollower> asked = weak.lock()) asked->Answer(id);
    });
  };
  OutputForm form = follower->query_.form;
  follower->large_frames_ = source->thread->large_frames().Take();
  if (follower->large_frames_ != nullptr) form.frame_bytes = kLargeFrameBytes;
  follower->reader_ =
      std::make_shared<OutputReader>(source->directory, follower->query_.wanted,
                                     follower->query_.start, form, follower->sink_, std::move(ask));
  return follower;
}

OutputFollower::OutputFollower(const OutputSource* source, OutputQuery query,
                               std::shared_ptr<OutputSink> sink)
    : source_(source), query_(std::move(query)), sink_(std::move(sink)) {}

void OutputFollower::Begin() {
  const Caller& caller = query_.permit.caller();
  source_->turns->Post(caller.name, caller.connection,
                       [self = shared_from_this()] { self->Subscribe(); });
}

void OutputFollower::OnRoom() { Wake(); }

void OutputFollower::Stop() {
  source_->loop->Post([self = shared_from_this()] {
    self->source_->supervisor->observers(self->query_.permit).Remove(self.get());
  });
}

absl::Status OutputFollower::CheckOffsets(const std::vector<const ProcessEntry*>& selected) const {
  bool absolute = query_.start.from == OutputStart::From::kOffset && query_.start.number > 0;
  auto streams = std::count(query_.wanted.begin(), query_.wanted.end(), true);
  if (absolute && (selected.size() != 1 || streams != 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("offset ", query_.start.number,
                     " needs exactly one process and one of streams; use resume for several"));
  }
  for (const ProcessEntry* process : selected) {
    for (int stream = 0; stream < record::kStreams; ++stream) {
      auto index = static_cast<size_t>(stream);
      if (!query_.wanted[index]) continue;
      auto resume = query_.start.resume.find({process->id, stream});
      int64_t offset = absolute ? query_.start.number : 0;
      if (resume != query_.start.resume.end()) offset = resume->second;
      if (offset <= process->streams[index].end) continue;
      return absl::OutOfRangeError(
          absl::StrCat("offset ", offset, " is beyond the end ", process->streams[index].end,
                       " of ", record::kStreamTable[stream].name, " of ", process->id));
    }
  }
  return absl::OkStatus();
}

void OutputFollower::Subscribe() {
  source_->supervisor->Select(
      query_.permit, query_.selector, [sink = sink_] { return !sink->IsEnding(); },
      [self = shared_from_this()](absl::StatusOr<std::vector<const ProcessEntry*>> selected) {
        // What is still to come need not be there.
        const bool may_come = self->query_.follow && self->query_.selector.IsOpen();
        if (may_come && absl::IsNotFound(selected.status())) {
          selected = std::vector<const ProcessEntry*>();
        }
        if (selected.ok()) {
          if (absl::Status checked = self->CheckOffsets(*selected); !checked.ok())
            selected = checked;
        }
        if (!selected.ok()) return self->sink_->Fail(selected.status());
        self->Follow(*selected);
      });
}

void OutputFollower::Follow(const std::vector<const ProcessEntry*>& selected) {
  if (sink_->IsEnding()) return;
  if (query_.follow && query_.selector.IsOpen()) {
    source_->supervisor->observers(query_.permit).Follow(this, query_.selector);
  }
  for (const ProcessEntry* process : selected) {
    if (query_.follow)
      source_->supervisor->observers(query_.permit).FollowProcess(this, process->id);
    Tell(*process, /*is_new=*/false, /*checked=*/false);
  }
  session_over_ = !source_->supervisor->IsSessionOpen(query_.permit, query_.selector.session_id);
  MaybeEnd();
  Wake();
}

void OutputFollower::Tell(const ProcessEntry& process, bool is_new, bool checked) {
  auto [followed, first] = followed_.try_emplace(process.id, false);
  if (first) ++incomplete_;
  if (process.output_complete && !std::exchange(followed->second, true)) --incomplete_;
  OutputUpdate update = UpdateOf(process);
  update.is_new = is_new && first;
  update.checked = checked;
  // Of a process that has written nothing yet there is nothing to read.
  has_news_ |= update.complete || std::any_of(update.streams.begin(), update.streams.end(),
                                              [](const auto& stream) { return stream.end > 0; });
  reader_->Tell(std::move(update));
}

// The reader found no segment where it was told there is one.
void OutputFollower::Answer(const std::string& id) {
  const ProcessEntry* process = source_->supervisor->Find(query_.permit, id);
  if (process != nullptr) {
    Tell(*process, /*is_new=*/false, /*checked=*/true);
  } else {
    TellGone(id);
  }
  Wake();
}

void OutputFollower::TellGone(const std::string& id) {
  OutputUpdate update;
  update.id = id;
  update.gone = true;
  has_news_ = true;
  reader_->Tell(std::move(update));
}

void OutputFollower::OnOutput(const ProcessEntry& process) {
  if (followed_.contains(process.id)) Tell(process, /*is_new=*/false, /*checked=*/false);
}

void OutputFollower::OnChanged(const ProcessEntry& process) {
  bool is_new = !followed_.contains(process.id);
  if (is_new) source_->supervisor->observers(query_.permit).FollowProcess(this, process.id);
  Tell(process, is_new, /*checked=*/false);
}

void OutputFollower::OnDeleted(const std::string& id, int64_t revision) {
  static_cast<void>(revision);
  auto followed = followed_.find(id);
  if (followed == followed_.end()) return;
  if (!followed->second) --incomplete_;
  followed_.erase(followed);
  TellGone(id);
}

void OutputFollower::OnSessionOver(const std::string& session_id) {
  if (session_id == query_.selector.session_id) session_over_ = true;
}

void OutputFollower::OnTurnEnd() {
  MaybeEnd();
  if (std::exchange(has_news_, false)) Wake();
}

void OutputFollower::MaybeEnd() {
  bool more_may_come =
      query_.selector.IsOpen() && (query_.selector.session_id.empty() || !session_over_);
  bool over = !query_.follow || (incomplete_ == 0 && !more_may_come);
  if (!over || std::exchange(told_final_, true)) return;
  reader_->TellFinal();
  has_news_ = true;
}

void OutputFollower::Wake() { source_->thread->Wake(reader_); }

}  // namespace shoal::agent
