#include "shoal/job/job_input.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "common/ids.h"
#include "shoal/error.h"

namespace shoal {
namespace {

constexpr size_t kPiece = size_t{256} << 10;
constexpr int64_t kMostHeld = int64_t{4} << 20;
// One call waits no longer for room in the window, so that a connection that died unseen costs no
// more.
constexpr absl::Duration kCallTime = absl::Seconds(35);

bool HasClosed(const absl::Status& status) {
  const std::optional<v1::ErrorInfo> info = ErrorInfoOf(status);
  return (info.has_value() && info->reason() == "INPUT_CLOSED") || absl::IsNotFound(status);
}

}  // namespace

JobInput::JobInput(std::shared_ptr<InputSource> source, OnLost on_lost, std::string writer)
    : source_(std::move(source)),
      on_lost_(std::move(on_lost)),
      writer_(writer.empty() ? NewId() : std::move(writer)) {}

void JobInput::Add(int rank, std::shared_ptr<Host> host, std::string process_id) {
  auto reader = std::make_shared<Reader>();
  reader->rank = rank;
  reader->host = std::move(host);
  reader->process_id = std::move(process_id);
  AddReader(reader);
}

void JobInput::AddEmpty(int rank, std::shared_ptr<Host> host, std::string process_id) {
  auto reader = std::make_shared<Reader>();
  reader->rank = rank;
  reader->host = std::move(host);
  reader->process_id = std::move(process_id);
  reader->is_empty = true;
  AddReader(reader);
}

void JobInput::AddReader(const ReaderPtr& reader) {
  {
    MutexLock lock(&mu_);
    readers_.push_back(reader);
  }
  WriteNext(reader);
}

void JobInput::BeginReading() {
  bool is_unread = false;
  {
    MutexLock lock(&mu_);
    is_whole_ = true;
    is_unread = IsUnread();
  }
  if (is_unread) return source_->OnUnread();
  try {
    thread_ = std::thread([this] { ReadAll(); });
  } catch (const std::system_error& error) {
    on_lost_(-1, absl::ResourceExhaustedError(error.what()));
    Put("", /*is_last=*/true);
  }
}

void JobInput::Stop() {
  {
    MutexLock lock(&mu_);
    is_stopped_ = true;
  }
  source_->Stop();
  if (thread_.joinable()) thread_.join();
}

bool JobInput::AwaitPassed(absl::Duration timeout) {
  MutexLock lock(&mu_);
  const auto is_passed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (const ReaderPtr& reader : readers_) {
      const bool has_all = !reader->is_empty && reader->offset == end_;
      if (!reader->is_over && !has_all) return false;
    }
    return true;
  };
  return mu_.AwaitWithTimeout(is_passed, timeout);
}

bool JobInput::IsUnread() const {
  bool had_any = false;
  for (const ReaderPtr& reader : readers_) {
    if (!reader->is_empty && !reader->is_over) return false;
    had_any = had_any || !reader->is_empty;
  }
  return is_whole_ && had_any;
}

bool JobInput::HasRoom() const { return is_stopped_ || IsUnread() || end_ - begin_ < kMostHeld; }

void JobInput::ReadAll() {
  while (true) {
    {
      MutexLock lock(&mu_);
      mu_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return HasRoom(); });
      if (is_stopped_ || IsUnread()) return;
    }
    absl::StatusOr<std::string> bytes = source_->Read(kPiece);
    {
      MutexLock lock(&mu_);
      if (is_stopped_ || IsUnread()) return;
    }
    if (!bytes.ok()) on_lost_(-1, bytes.status());
    const bool is_last = !bytes.ok() || bytes->empty();
    Put(bytes.ok() ? *std::move(bytes) : "", is_last);
    if (is_last) return;
  }
}

void JobInput::Put(std::string bytes, bool is_last) {
  std::vector<ReaderPtr> readers;
  {
    MutexLock lock(&mu_);
    end_ += static_cast<int64_t>(bytes.size());
    if (!bytes.empty()) held_.push_back(std::move(bytes));
    has_all_ = is_last;
    readers = readers_;
  }
  for (const ReaderPtr& reader : readers) WriteNext(reader);
}

bool JobInput::Next(const Reader& reader, v1::WriteInputRequest* request) const {
  if (reader.is_empty) {
    request->set_end(true);
    return true;
  }
  int64_t at = begin_;
  const std::string* piece = nullptr;
  for (const std::string& held : held_) {
    const auto size = static_cast<int64_t>(held.size());
    if (reader.offset < at + size) {
      piece = &held;
      break;
    }
    at += size;
  }
  if (piece == nullptr && !has_all_) return false;
  if (piece != nullptr) request->set_data(piece->substr(static_cast<size_t>(reader.offset - at)));
  request->set_offset(reader.offset);
  request->set_end(has_all_ &&
                   reader.offset + static_cast<int64_t>(request->data().size()) == end_);
  return true;
}

// One call at a time for each reader.
void JobInput::WriteNext(const ReaderPtr& reader) {
  v1::WriteInputRequest request;
  {
    MutexLock lock(&mu_);
    if (reader->is_over || reader->is_asked || is_stopped_) return;
    if (!Next(*reader, &request)) return;
    reader->is_asked = true;
  }
  request.set_selector(reader->process_id);
  request.set_writer(writer_);
  CallOptions options;
  options.timeout = kCallTime;
  reader->host->WriteInput(
      std::move(request), options,
      [self = shared_from_this(), reader](const absl::StatusOr<v1::WriteInputResponse>& answer) {
        self->OnWritten(reader, answer);
      });
}

void JobInput::OnWritten(const ReaderPtr& reader,
                         const absl::StatusOr<v1::WriteInputResponse>& answer) {
  {
    MutexLock lock(&mu_);
    reader->is_asked = false;
    if (is_stopped_) return;
    if (answer.ok()) {
      reader->offset = std::max(reader->offset, answer->position().kept_offset());
      reader->is_over = answer->position().ended();
      DropHad();
    }
  }
  const absl::Status& status = answer.status();
  const bool is_to_be_tried = absl::IsDeadlineExceeded(status) || absl::IsUnavailable(status);
  if (answer.ok() && answer->position().closed() && !answer->position().ended()) {
    return Leave(reader, absl::OkStatus());
  }
  if (!answer.ok() && !is_to_be_tried) {
    return Leave(reader, HasClosed(status) ? absl::OkStatus() : status);
  }
  WriteNext(reader);
}

void JobInput::Leave(const ReaderPtr& reader, const absl::Status& reason) {
  bool is_last = false;
  {
    MutexLock lock(&mu_);
    if (std::exchange(reader->is_over, true)) return;
    is_last = !reader->is_empty && IsUnread();
    DropHad();
  }
  if (!reason.ok()) on_lost_(reader->rank, reason);
  if (!is_last) return;
  source_->Stop();
  source_->OnUnread();
}

// What every reader has.
void JobInput::DropHad() {
  int64_t had = end_;
  for (const ReaderPtr& reader : readers_) {
    if (!reader->is_over && !reader->is_empty) had = std::min(had, reader->offset);
  }
  while (!held_.empty() && begin_ + static_cast<int64_t>(held_.front().size()) <= had) {
    begin_ += static_cast<int64_t>(held_.front().size());
    held_.pop_front();
  }
}

}  // namespace shoal
