#include "shoal/host/input_feed.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace shoal {
namespace {

constexpr int64_t kMostHeld = int64_t{4} << 20;
// Sent and not kept yet: agents hold it in memory while processes do not read. Of all readers together, but each may
// have the least.
constexpr int64_t kMostAhead = int64_t{8} << 20;
constexpr int64_t kLeastAhead = int64_t{64} << 10;
// Calls to one host at once: the agent takes 512 of one identity, which may have other programs.
constexpr size_t kMostCalls = 256;
// Joined to what was put before.
constexpr size_t kSmall = size_t{4} << 10;
// One call that ends an input waits no longer, so that a connection that died unseen costs no more.
constexpr absl::Duration kCallTime = absl::Seconds(35);

}  // namespace

InputFeed::InputFeed(OnLeft on_left, std::string writer, absl::Duration patience)
    : on_left_(std::move(on_left)),
      writer_(std::move(writer)),
      patience_(patience),
      turns_(kMostCalls) {}

InputFeed::ReaderPtr InputFeed::AddReader(Reader reader) {
  auto added = std::make_shared<Reader>(std::move(reader));
  MutexLock lock(&mu_);
  readers_.push_back(added);
  return added;
}

void InputFeed::Add(int rank, std::shared_ptr<Host> host, std::string process_id, int64_t offset) {
  AddReader({rank, std::move(host), std::move(process_id), offset, /*is_empty=*/false});
}

void InputFeed::AddEmpty(int rank, std::shared_ptr<Host> host, std::string process_id) {
  Wake(AddReader({rank, std::move(host), std::move(process_id), 0, /*is_empty=*/true}));
}

bool InputFeed::Complete() {
  MutexLock lock(&mu_);
  is_whole_ = true;
  return IsUnreadLocked();
}

void InputFeed::Put(std::string bytes) {
  if (bytes.empty()) return;
  {
    MutexLock lock(&mu_);
    end_ += static_cast<int64_t>(bytes.size());
    if (!held_.empty() && bytes.size() + held_.back().size() <= kSmall) {
      held_.back() += bytes;
    } else {
      held_.push_back(std::move(bytes));
    }
    DropPassed();
  }
  WakeAll();
}

void InputFeed::Finish(bool ends) {
  {
    MutexLock lock(&mu_);
    has_all_ = true;
    ends_ = ends;
  }
  WakeAll();
}

bool InputFeed::AwaitRoom(absl::Duration timeout) {
  MutexLock lock(&mu_);
  const auto has_room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return is_stopped_ || IsUnreadLocked() || end_ - begin_ < kMostHeld;
  };
  return mu_.AwaitWithTimeout(has_room, timeout);
}

bool InputFeed::IsUnread() const {
  MutexLock lock(&mu_);
  return is_stopped_ || IsUnreadLocked();
}

bool InputFeed::IsUnreadLocked() const {
  bool had_any = false;
  for (const ReaderPtr& reader : readers_) {
    if (!reader->is_empty && !reader->is_over) return false;
    had_any = had_any || !reader->is_empty;
  }
  return is_whole_ && had_any;
}

bool InputFeed::AwaitPassed(absl::Duration timeout) {
  MutexLock lock(&mu_);
  const auto is_passed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (is_stopped_) return true;
    for (const ReaderPtr& reader : readers_) {
      const bool has_all = !reader->is_empty && reader->kept == end_ && !(has_all_ && ends_);
      if (!reader->is_over && !has_all) return false;
    }
    return true;
  };
  return mu_.AwaitWithTimeout(is_passed, timeout);
}

int64_t InputFeed::passed() const {
  MutexLock lock(&mu_);
  int64_t least = end_;
  for (const ReaderPtr& reader : readers_) {
    if (!reader->is_empty) least = std::min(least, reader->kept);
  }
  return least;
}

void InputFeed::Stop() {
  std::vector<std::shared_ptr<Subscription>> streams;
  {
    MutexLock lock(&mu_);
    is_stopped_ = true;
    streams = std::move(ended_);
    for (const ReaderPtr& reader : readers_) streams.push_back(std::move(reader->stream));
  }
  for (const auto& stream : streams) {
    if (stream != nullptr) stream->Cancel();
  }
}

void InputFeed::PassTurns() {
  std::vector<std::shared_ptr<Subscription>> ended, blocked;
  std::map<const Host*, size_t> wanted;  // turns, by those who wait
  {
    MutexLock lock(&mu_);
    are_turns_passed_ = true;
    if (is_stopped_) return;
    ended = std::exchange(ended_, {});
    for (const ReaderPtr& reader : readers_) {
      const Host* const host = reader->host.get();
      wanted.try_emplace(host, turns_.waiting(host));
      const bool is_blocked = reader->stream != nullptr && !reader->is_yielding &&
                              std::exchange(reader->kept_before, reader->kept) == reader->kept;
      if (!is_blocked || wanted[host] == 0) continue;
      --wanted[host];
      reader->is_yielding = true;
      blocked.push_back(reader->stream);
    }
  }
  for (const auto& stream : blocked) stream->Cancel();
  for (const auto& [host, waiting] : wanted) BeginNext(host);
}

void InputFeed::WakeAll() {
  std::vector<ReaderPtr> readers;
  {
    MutexLock lock(&mu_);
    readers = readers_;
  }
  for (const ReaderPtr& reader : readers) Wake(reader);
}

void InputFeed::Wake(const ReaderPtr& reader) {
  std::shared_ptr<Subscription> stream;
  {
    MutexLock lock(&mu_);
    if (reader->is_over || is_stopped_) return;
    stream = reader->stream;
    if (stream == nullptr) {
      if (std::exchange(reader->is_begun, true)) return;
      if (!turns_.Take(reader->host.get(), reader)) return;
    }
  }
  if (stream != nullptr) return stream->Resume();
  Begin(reader);
}

// Those whose turn it is now.
void InputFeed::BeginNext(const Host* host) {
  while (true) {
    ReaderPtr reader;
    {
      MutexLock lock(&mu_);
      if (is_stopped_) return;
      std::optional<ReaderPtr> next = turns_.Next(host);
      if (!next.has_value()) return;
      reader = *std::move(next);
    }
    Begin(reader);
  }
}

// REQUIRES: it has its turn.
void InputFeed::Begin(const ReaderPtr& reader) {
  if (reader->is_empty) return SendEnd(reader);
  const std::shared_ptr<InputFeed> self = shared_from_this();
  InputObserver observer;
  observer.on_begin = [self, reader] {
    MutexLock lock(&self->mu_);
    reader->sent = reader->kept;
    reader->is_named = reader->is_end_sent = false;
  };
  observer.next = [self, reader](v1::StreamInputRequest* request) {
    return self->Next(reader.get(), request);
  };
  observer.on_position = [self, reader](const v1::InputPosition& position) {
    self->OnPosition(reader, position);
  };
  observer.on_end = [self, reader](const absl::Status& status) {
    self->OnStreamEnd(reader, status);
  };
  int round = 0;
  {
    MutexLock lock(&mu_);
    round = reader->round;
    reader->kept_before = -1;
  }
  std::shared_ptr<Subscription> stream = reader->host->StreamInput(std::move(observer), patience_);
  {
    MutexLock lock(&mu_);
    // It may be over already, and another one under way.
    if (!is_stopped_ && reader->round == round) reader->stream = stream;
  }
  stream->Resume();  // for what was put meanwhile
}

Supply InputFeed::Next(Reader* reader, v1::StreamInputRequest* request) {
  request->Clear();
  MutexLock lock(&mu_);
  if (is_stopped_) return Supply::kNothing;
  if (reader->is_over || reader->is_end_sent) return Supply::kEnd;
  const auto readers = static_cast<int64_t>(readers_.size());
  const int64_t ahead = std::max(kMostAhead / std::max<int64_t>(readers, 1), kLeastAhead);
  const int64_t size = std::min(
      {end_ - reader->sent, ahead - (reader->sent - reader->kept), static_cast<int64_t>(kPiece)});
  const bool is_last = has_all_ && reader->sent + size == end_;
  if (size == 0 && !is_last) return Supply::kNothing;
  if (is_last && size == 0 && !ends_) return Supply::kEnd;
  if (!std::exchange(reader->is_named, true)) {
    request->set_selector(reader->process_id);
    request->set_writer(writer_);
  }
  request->set_offset(reader->begin + reader->sent);
  Append(reader->sent, size, request->mutable_data());
  reader->sent += size;
  reader->is_end_sent = is_last;
  request->set_end(is_last && ends_);
  return Supply::kMessage;
}

void InputFeed::Append(int64_t from, int64_t size, std::string* to) const {
  int64_t at = begin_;
  for (const std::string& piece : held_) {
    const auto length = static_cast<int64_t>(piece.size());
    const int64_t skipped = std::max<int64_t>(from - at, 0);
    if (skipped < length) {
      const int64_t taken = std::min(length - skipped, size);
      to->append(piece, static_cast<size_t>(skipped), static_cast<size_t>(taken));
      from += taken;
      size -= taken;
      if (size == 0) return;
    }
    at += length;
  }
}

void InputFeed::OnPosition(const ReaderPtr& reader, const v1::InputPosition& position) {
  std::shared_ptr<Subscription> yielding;
  {
    MutexLock lock(&mu_);
    if (is_stopped_) return;
    reader->kept = std::clamp(position.kept_offset() - reader->begin, reader->kept, reader->sent);
    DropPassed();
    const bool is_idle = !has_all_ && reader->kept == end_ && reader->stream != nullptr;
    if (is_idle && !reader->is_yielding && turns_.waiting(reader->host.get()) > 0) {
      reader->is_yielding = true;
      yielding = reader->stream;
    }
  }
  if (yielding != nullptr) yielding->Cancel();
}

bool InputFeed::HasMore(const Reader& reader) const {
  return reader.kept < end_ || (has_all_ && ends_);
}

// Whether a reader whose call has ended so has other calls before it.
bool InputFeed::MayGoOn(const ReaderPtr& reader, const absl::Status& status) {
  const bool is_refused = absl::IsResourceExhausted(status) && are_turns_passed_;
  const bool has_yielded = std::exchange(reader->is_yielding, false) && absl::IsCancelled(status);
  if (!is_refused && !has_yielded) return false;
  const Host* const host = reader->host.get();
  reader->is_begun = reader->is_empty || HasMore(*reader);
  if (reader->is_begun) turns_.Wait(host, reader);
  return true;
}

void InputFeed::OnStreamEnd(const ReaderPtr& reader, const absl::Status& status) {
  bool may_go_on = false;
  {
    MutexLock lock(&mu_);
    if (is_stopped_) return;
    ++reader->round;
    if (reader->stream != nullptr) ended_.push_back(std::move(reader->stream));
    reader->stream = nullptr;
    turns_.Pass(reader->host.get());
    may_go_on = MayGoOn(reader, status);
  }
  if (!may_go_on) Leave(reader, status);
  // One that was refused begins at PassTurns(), when there may be room.
  if (!absl::IsResourceExhausted(status)) BeginNext(reader->host.get());
}

// One small call, and no stream, for the end of an input without bytes.
void InputFeed::SendEnd(const ReaderPtr& reader) {
  {
    MutexLock lock(&mu_);
    if (reader->is_over || is_stopped_) return;
  }
  v1::WriteInputRequest request;
  request.set_selector(reader->process_id);
  request.set_writer(writer_);
  request.set_end(true);
  CallOptions options;
  options.timeout = kCallTime;
  reader->host->WriteInput(
      std::move(request), options,
      [self = shared_from_this(), reader](const absl::StatusOr<v1::WriteInputResponse>& answer) {
        const absl::Status& status = answer.status();
        if (absl::IsDeadlineExceeded(status) || absl::IsUnavailable(status)) {
          return self->SendEnd(reader);
        }
        self->OnStreamEnd(reader, status);
      });
}

void InputFeed::Leave(const ReaderPtr& reader, const absl::Status& reason) {
  bool is_last = false;
  {
    MutexLock lock(&mu_);
    if (std::exchange(reader->is_over, true)) return;
    is_last = !reader->is_empty && IsUnreadLocked();
    DropPassed();
  }
  on_left_(reader->rank, reason, is_last);
}

// What every reader has.
void InputFeed::DropPassed() {
  int64_t passed = end_;
  for (const ReaderPtr& reader : readers_) {
    if (!reader->is_over && !reader->is_empty) passed = std::min(passed, reader->kept);
  }
  while (!held_.empty() && begin_ + static_cast<int64_t>(held_.front().size()) <= passed) {
    begin_ += static_cast<int64_t>(held_.front().size());
    held_.pop_front();
  }
}

}  // namespace shoal
