#include "agent/rpc/watch_stream.h"

#include <algorithm>
#include <vector>

#include "agent/rpc/process_conversion.h"
#include "agent/rpc/status_to_grpc.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr size_t kWatchQueueBytes = 64 << 10;
constexpr absl::Duration kHeartbeat = absl::Seconds(15);

absl::StatusOr<Selector> SelectorOf(const v1::WatchRequest& request) {
  if (request.from_revision() < 0) {
    return absl::InvalidArgumentError("from_revision is negative");
  }
  if (request.has_selector()) return ToSelectorOfSome(request.selector());
  Selector selector;
  selector.all = true;
  return selector;
}

}  // namespace

grpc::ServerWriteReactor<v1::WatchResponse>* WatchStream::Begin(
    const Edge* edge, const absl::StatusOr<Permit>& permit, const v1::WatchRequest& request) {
  std::shared_ptr<Stream> stream = Stream::Begin(edge, permit, request, kWatchQueueBytes);
  absl::StatusOr<Selector> selector = permit.ok() ? SelectorOf(request) : permit.status();
  if (!selector.ok()) {
    stream->End(ToGrpc(selector.status()));
    return stream.get();
  }
  using Kind = CallQuota::Kind;
  auto lease = edge->quota->Take(selector->IsWide() ? Kind::kWideStream : Kind::kStream, *permit);
  if (!lease.ok()) {
    stream->End(ToGrpc(lease.status()));
    return stream.get();
  }
  std::shared_ptr<WatchStream> watch(
      new WatchStream(edge, *permit, *std::move(selector), request.from_revision(), stream));
  stream->SetHooks(
      [watch] { watch->edge_->Post(watch->permit_, [watch] { watch->Flush(); }); },
      [watch, lease = *std::move(lease)] { watch->edge_->loop->Post([watch] { watch->Stop(); }); });
  edge->Post(*permit, [watch] { watch->Subscribe(); });
  return stream.get();
}

WatchStream::WatchStream(const Edge* edge, Permit permit, Selector selector, int64_t from_revision,
                         std::shared_ptr<Stream> stream)
    : edge_(edge),
      permit_(std::move(permit)),
      selector_(std::move(selector)),
      from_revision_(from_revision),
      stream_(std::move(stream)) {}

void WatchStream::Subscribe() {
  if (stream_->IsEnding()) return;
  if (from_revision_ > 0) {
    absl::Status status = NoteChanges();
    if (!status.ok()) return stream_->End(ToGrpc(status));
  }
  // As of now: what changes while the list is made is news behind `synced`.
  synced_revision_ = edge_->supervisor->revision();
  edge_->supervisor->observers(permit_).Follow(this, selector_);
  subscribed_ = true;
  last_push_ = edge_->clock->BootTime();
  ArmHeartbeat(kHeartbeat);
  edge_->slices->Run(permit_.caller(), [self = shared_from_this()] { return self->ListNext(); });
}

absl::Status WatchStream::NoteChanges() {
  SHOAL_ASSIGN_OR_RETURN(Changes changes, edge_->supervisor->ChangesSince(permit_, from_revision_));
  for (const ProcessEntry* process : changes.upserts) {
    if (!Matches(selector_, *process)) continue;
    FollowProcess(process->id);
    Note(process->id, process->revision, /*deleted=*/false);
  }
  // Whether the watcher knew them is not known; one that it did not know means nothing to it.
  for (const auto& [id, revision] : changes.deleted) Note(id, revision, /*deleted=*/true);
  return absl::OkStatus();
}

// After a resume it is what the watcher saw before it broke off: its deletion will be news to it.
bool WatchStream::ListNext() {
  if (!subscribed_ || stream_->IsEnding()) return false;
  const ProcessEntry* next = nullptr;
  edge_->supervisor->ForEachFrom(permit_, listed_to_, [&next](const ProcessEntry& process) {
    next = &process;
    return false;
  });
  if (next == nullptr) {
    is_listed_ = true;
    Flush();
    return false;
  }
  listed_to_ = next->id;
  if (!Matches(selector_, *next)) return true;
  FollowProcess(next->id);
  if (from_revision_ > 0) {
    known_.insert(next->id);
    return true;
  }
  if (const auto noted = news_of_.find(next->id); noted != news_of_.end()) {
    news_.erase(noted->second);
    news_of_.erase(noted);
  }
  snapshot_.push_back(next->id);
  in_snapshot_.insert(next->id);
  return true;
}

void WatchStream::Stop() {
  if (heartbeat_ != 0) edge_->loop->Cancel(heartbeat_);
  heartbeat_ = 0;
  edge_->supervisor->observers(permit_).Remove(this);
  subscribed_ = false;
}

void WatchStream::FollowProcess(const std::string& id) {
  edge_->supervisor->observers(permit_).FollowProcess(this, id);
}

void WatchStream::Note(const std::string& id, int64_t revision, bool deleted) {
  auto [noted, is_new] = news_of_.emplace(id, revision);
  if (!is_new) {
    news_.erase(noted->second);
    noted->second = revision;
  }
  news_[revision] = {id, deleted};
}

void WatchStream::OnChanged(const ProcessEntry& process) {
  if (in_snapshot_.contains(process.id)) return;  // will be sent as it is then
  // One that has just ceased to match is told of once more.
  bool matches = Matches(selector_, process);
  if (!matches && !known_.contains(process.id) && !news_of_.contains(process.id)) return;
  FollowProcess(process.id);
  Note(process.id, process.revision, /*deleted=*/false);
}

void WatchStream::OnDeleted(const std::string& id, int64_t revision) {
  in_snapshot_.erase(id);
  if (!known_.contains(id)) {
    if (auto noted = news_of_.find(id); noted != news_of_.end()) {
      news_.erase(noted->second);
      news_of_.erase(noted);
    }
    return;
  }
  Note(id, revision, /*deleted=*/true);
}

void WatchStream::OnOutput(const ProcessEntry&) {}
void WatchStream::OnSessionOver(const std::string&) {}

// Not before: changes are told in the order of ids, and a later one may have an earlier revision.
void WatchStream::OnTurnEnd() { FlushSoon(); }

void WatchStream::FlushSoon() {
  if (std::exchange(is_flush_posted_, true)) return;
  edge_->Post(permit_, [self = shared_from_this()] {
    self->is_flush_posted_ = false;
    self->Flush();
  });
}

void WatchStream::Flush() {
  if (!subscribed_ || !is_listed_) return;
  stream_->Hold();
  FlushSome();
  stream_->Release();
}

void WatchStream::FlushSome() {
  if (!FlushSnapshot()) return;
  // After a resume the news up to `synced_revision_` are what was missed.
  if (!synced_ && from_revision_ > 0 && !FlushNews()) return;
  if (!synced_) {
    v1::WatchResponse event;
    event.mutable_synced();
    event.set_revision(std::max(synced_revision_, pushed_revision_));
    if (!Push(std::move(event))) return;
    synced_ = true;
  }
  FlushNews();
}

bool WatchStream::FlushSnapshot() {
  while (!snapshot_.empty()) {
    if (!PushProcess(snapshot_.front(), 0)) return false;
    in_snapshot_.erase(snapshot_.front());
    snapshot_.pop_front();
  }
  return true;
}

bool WatchStream::FlushNews() {
  while (!news_.empty()) {
    auto& [revision, news] = *news_.begin();
    if (news.deleted) {
      v1::WatchResponse event;
      event.set_deleted_id(news.id);
      event.set_revision(revision);
      if (!Push(std::move(event))) return false;
      known_.erase(news.id);
    } else if (!PushProcess(news.id, revision)) {
      return false;
    }
    news_of_.erase(news.id);
    news_.erase(news_.begin());
  }
  return true;
}

bool WatchStream::PushProcess(const std::string& id, int64_t revision) {
  const ProcessEntry* process = edge_->supervisor->Find(permit_, id);
  if (process == nullptr) return true;  // its deletion is on its way
  if (!stream_->HasRoom()) return false;
  v1::WatchResponse event;
  SetProcess(*process, edge_->host_name, SpecView::kWithoutEnv, event.mutable_upsert());
  event.set_revision(revision);
  bool pushed = Push(std::move(event));
  if (pushed && Matches(selector_, *process)) known_.insert(id);
  if (pushed && !Matches(selector_, *process)) known_.erase(id);
  return pushed;
}

bool WatchStream::Push(v1::WatchResponse&& event) {
  const size_t bytes = event.ByteSizeLong();
  const int64_t revision = event.revision();
  if (!stream_->Push(std::move(event), bytes)) return false;
  last_push_ = edge_->clock->BootTime();
  pushed_revision_ = std::max(pushed_revision_, revision);
  return true;
}

void WatchStream::ArmHeartbeat(absl::Duration delay) {
  heartbeat_ = edge_->loop->After(delay, [self = shared_from_this()] { self->OnHeartbeatDue(); });
}

void WatchStream::OnHeartbeatDue() {
  heartbeat_ = 0;
  if (!subscribed_) return;
  absl::Duration quiet = edge_->clock->BootTime() - last_push_;
  if (quiet < kHeartbeat) return ArmHeartbeat(kHeartbeat - quiet);
  v1::WatchResponse event;
  event.mutable_heartbeat();
  event.set_revision(news_.empty() && synced_ ? edge_->supervisor->revision() : 0);
  Push(std::move(event));
  ArmHeartbeat(kHeartbeat);
}

}  // namespace shoal::agent
