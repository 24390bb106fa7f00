#include "shoal/host/shared_output.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/time/time.h"
#include "shoal/host/output_cursor.h"

namespace shoal {
namespace {

constexpr size_t kMerged = 8;  // streams of one level become one of the next
constexpr int kTopLevel = 3;   // up to 512 processes: some 50 KiB of a request

std::set<v1::StreamKind> StreamsOf(const v1::ProcessSpec& spec) {
  std::set<v1::StreamKind> streams = {v1::STREAM_KIND_STDOUT};
  if (!spec.output().merge_stderr()) streams.insert(v1::STREAM_KIND_STDERR);
  if (spec.output().result()) streams.insert(v1::STREAM_KIND_RESULT);
  return streams;
}

// The lowest level whose streams may have so many processes.
int LevelOf(size_t processes) {
  int level = 0;
  for (size_t most = 1; most < processes; most *= kMerged) ++level;
  return level;
}

}  // namespace

// A process whose output is followed.
struct SharedOutput::Member {
  Member(Link* link, const v1::Process& process, OutputObserver the_observer,
         int64_t acknowledge_bytes)
      : id(process.id()),
        observer(std::move(the_observer)),
        cursor(link, acknowledge_bytes),
        open(StreamsOf(process.spec())) {}

  const std::string id;

  // Of the callbacks of its carrier, which come one at a time.
  OutputObserver observer;
  OutputCursor cursor;

  // Guarded by SharedOutput::mu_.
  std::set<v1::StreamKind> open;  // their end has not come
  Carrier* carrier = nullptr;     // null once it has left
  bool is_asked = false;          // by the attempt of the carrier's stream that is under way
  bool is_telling = false;        // a callback is under way
  std::optional<absl::Status> ending;
  bool has_ended = false;  // on_end has returned
};

// One stream and its processes. Guarded by SharedOutput::mu_.
struct SharedOutput::Carrier {
  Members members;
  size_t asked = 0;                 // members that the attempt under way was begun for
  std::shared_ptr<Stream> stream;   // null: it has ended
  std::shared_ptr<Carrier> target;  // to which it hands its members over when it ends
  int awaited = 0;                  // carriers whose target this is
  bool is_suspect = false;          // may be what another one failed for: is not merged
  bool is_emptied = false;          // its stream is cancelled, since it was of use to no member
};

struct SharedOutput::Work {
  std::vector<std::shared_ptr<Stream>> start;
  std::vector<std::shared_ptr<Member>> fail;

  void Do(SharedOutput* output, const absl::Status& status) {
    for (const auto& stream : start) stream->Start();
    for (const auto& member : fail) output->End(member.get(), status);
  }
};

class SharedOutput::Reading final : public Subscription {
 public:
  Reading(std::shared_ptr<SharedOutput> output, std::shared_ptr<Member> member)
      : output_(std::move(output)), member_(std::move(member)) {}
  ~Reading() override {
    Cancel();
    MutexLock lock(&output_->mu_);
    output_->mu_.Await([this] { return member_->has_ended; });
  }
  void Cancel() override { output_->End(member_.get(), absl::CancelledError("cancelled")); }
  void Resume() override {
    MutexLock lock(&output_->mu_);
    const Carrier* carrier = member_->carrier;
    if (carrier != nullptr && carrier->stream != nullptr) carrier->stream->Resume();
  }

 private:
  const std::shared_ptr<SharedOutput> output_;
  const std::shared_ptr<Member> member_;
};

std::unique_ptr<Subscription> SharedOutput::Read(const v1::Process& process,
                                                 OutputObserver observer,
                                                 int64_t acknowledge_bytes) {
  auto member = std::make_shared<Member>(link_, process, std::move(observer), acknowledge_bytes);
  Work work;
  {
    MutexLock lock(&mu_);
    Renew(AddCarrier({{member->id, member}}), &work);
  }
  work.Do(this, absl::OkStatus());
  Merge();
  return std::make_unique<Reading>(shared_from_this(), std::move(member));
}

std::shared_ptr<SharedOutput::Carrier> SharedOutput::AddCarrier(Members members) {
  auto carrier = std::make_shared<Carrier>();
  carrier->members = std::move(members);
  for (const auto& [id, member] : carrier->members) member->carrier = carrier.get();
  carriers_.push_back(carrier);
  return carrier;
}

void SharedOutput::Remove(const Carrier* carrier) {
  std::erase_if(carriers_, [carrier](const auto& entry) { return entry.get() == carrier; });
}

// Gives a carrier without one a stream.
void SharedOutput::Renew(const std::shared_ptr<Carrier>& carrier, Work* work) {
  Link::OutputHooks hooks;
  hooks.prepare = [self = shared_from_this(), carrier](v1::ReadOutputRequest* request) {
    self->Prepare(carrier.get(), request);
  };
  hooks.on_message = [self = shared_from_this(), carrier](v1::ReadOutputResponse&& frame) {
    return self->OnFrame(carrier.get(), std::move(frame));
  };
  hooks.on_connection = [self = shared_from_this(), carrier](const absl::Status& status) {
    self->OnConnection(carrier.get(), status);
  };
  hooks.on_end = [self = shared_from_this(), carrier](const absl::Status& status) {
    self->OnEnd(carrier, status);
  };
  carrier->stream =
      link_->ReadOutput(v1::ReadOutputRequest(), std::move(hooks), absl::InfiniteDuration());
  work->start.push_back(carrier->stream);
}

void SharedOutput::Merge() {
  MutexLock lock(&mu_);
  for (int level = 0; level < kTopLevel; ++level) {
    std::vector<std::shared_ptr<Carrier>> same;
    for (const auto& carrier : carriers_) {
      bool is_busy = carrier->target != nullptr || carrier->awaited > 0 || carrier->is_suspect ||
                     carrier->is_emptied;
      if (!is_busy && LevelOf(carrier->members.size()) == level) same.push_back(carrier);
    }
    for (; same.size() >= kMerged; same.resize(same.size() - kMerged)) {
      const std::shared_ptr<Carrier>& target = same.back();
      target->awaited = kMerged - 1;
      for (size_t i = same.size() - kMerged; i + 1 < same.size(); ++i) {
        same[i]->target = target;
        same[i]->stream->Cancel();
      }
    }
  }
}

void SharedOutput::Prepare(Carrier* carrier, v1::ReadOutputRequest* request) {
  request->Clear();
  request->set_follow(true);
  request->add_streams(v1::STREAM_KIND_STDOUT);
  request->add_streams(v1::STREAM_KIND_STDERR);
  request->add_streams(v1::STREAM_KIND_RESULT);
  MutexLock lock(&mu_);
  carrier->asked = carrier->members.size();
  for (const auto& [id, member] : carrier->members) {
    request->mutable_selector()->add_terms(id);
    v1::ReadOutputRequest own;
    member->cursor.WriteResume(&own);
    request->mutable_resume()->MergeFrom(own.resume());
    member->is_asked = true;
  }
}

Flow SharedOutput::OnFrame(Carrier* carrier, v1::ReadOutputResponse&& frame) {
  const v1::StreamKind stream = frame.stream();
  const bool is_end = frame.has_end();
  std::shared_ptr<Member> member;
  {
    MutexLock lock(&mu_);
    auto found = carrier->members.find(frame.id());
    if (found == carrier->members.end()) return Flow::kGoOn;
    member = found->second;
    member->is_telling = true;
    carrier->is_suspect = false;
  }
  Flow flow = member->cursor.Take(std::move(frame), [&](v1::ReadOutputResponse&& news) {
    return member->observer.on_frame(std::move(news));
  });
  bool is_over = false;
  {
    MutexLock lock(&mu_);
    member->is_telling = false;
    if (is_end) member->open.erase(stream);
    if (member->open.empty() && !member->ending.has_value()) {
      member->ending = absl::OkStatus();
      Leave(member.get());
    }
    is_over = member->ending.has_value();
  }
  if (!is_over) return flow;
  Finish(member.get());
  return Flow::kGoOn;
}

void SharedOutput::OnConnection(Carrier* carrier, const absl::Status& status) {
  std::vector<std::shared_ptr<Member>> members;
  {
    MutexLock lock(&mu_);
    for (const auto& [id, member] : carrier->members) {
      if (!member->observer.on_connection) continue;
      member->is_telling = true;
      members.push_back(member);
    }
  }
  for (const auto& member : members) {
    member->observer.on_connection(status);
    bool is_over = false;
    {
      MutexLock lock(&mu_);
      member->is_telling = false;
      is_over = member->ending.has_value();
    }
    if (is_over) Finish(member.get());
  }
}

// The member's carrier does without it. What was asked for but is not wanted any more is not sent
// again.
void SharedOutput::Leave(Member* member) {
  Carrier* carrier = std::exchange(member->carrier, nullptr);
  if (carrier == nullptr) return;
  carrier->members.erase(member->id);
  if (member->open.empty() || carrier->stream == nullptr) return;
  if (carrier->members.empty()) {
    carrier->is_emptied = true;
    carrier->stream->Cancel();
  } else {
    carrier->stream->Restart();
  }
}

void SharedOutput::End(Member* member, const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    if (member->ending.has_value()) return;
    member->ending = status;
    Leave(member);
    if (member->is_telling) return;  // OnFrame finishes it
  }
  Finish(member);
}

void SharedOutput::Finish(Member* member) {
  if (member->observer.on_end) member->observer.on_end(*member->ending);
  MutexLock lock(&mu_);
  member->has_ended = true;
}

void SharedOutput::OnEnd(const std::shared_ptr<Carrier>& carrier, const absl::Status& status) {
  Work work;
  {
    MutexLock lock(&mu_);
    carrier->stream = nullptr;
    const bool was_emptied = std::exchange(carrier->is_emptied, false);
    if (carrier->target != nullptr) {
      HandOver(carrier.get(), &work);
    } else if (carrier->awaited > 0) {
      // The last one that hands over renews it.
    } else if (was_emptied && !carrier->members.empty()) {
      Renew(carrier, &work);
    } else {
      TakeApart(carrier, status, &work);
    }
  }
  work.Do(this, status);
  Merge();
}

void SharedOutput::HandOver(Carrier* carrier, Work* work) {
  std::shared_ptr<Carrier> target = std::exchange(carrier->target, nullptr);
  for (const auto& [id, member] : carrier->members) {
    member->carrier = target.get();
    member->is_asked = false;
  }
  target->members.merge(carrier->members);
  Remove(carrier);
  if (--target->awaited > 0) return;
  if (target->members.empty()) {
    if (target->stream == nullptr) return Remove(target.get());
    target->is_emptied = true;
    return target->stream->Cancel();
  }
  // It has ended by itself meanwhile, or is asked anew.
  if (target->stream == nullptr) return Renew(target, work);
  target->stream->Restart();
}

void SharedOutput::TakeApart(const std::shared_ptr<Carrier>& carrier, const absl::Status& status,
                             Work* work) {
  Remove(carrier.get());
  Members members = std::exchange(carrier->members, {});
  Members late;  // came when this stream could not be asked any more
  std::vector<std::shared_ptr<Member>> asked;
  for (const auto& [id, member] : members) {
    member->carrier = nullptr;
    if (member->is_asked || absl::IsCancelled(status)) {
      asked.push_back(member);
    } else {
      late.insert({id, member});
    }
  }
  if (!late.empty()) Renew(AddCarrier(std::move(late)), work);
  if (carrier->asked == 1 || absl::IsCancelled(status)) {
    work->fail = std::move(asked);
    return;
  }
  Members halves[2];
  for (size_t i = 0; i < asked.size(); ++i) {
    asked[i]->is_asked = false;
    halves[i % 2].insert({asked[i]->id, asked[i]});
  }
  for (Members& half : halves) {
    if (half.empty()) continue;
    std::shared_ptr<Carrier> suspect = AddCarrier(std::move(half));
    suspect->is_suspect = true;
    Renew(suspect, work);
  }
}

}  // namespace shoal
