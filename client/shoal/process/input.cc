#include "shoal/input.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/boot_time.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"
#include "shoal/duration.h"
#include "shoal/host/input_feed.h"

namespace shoal {
namespace {

// One call waits no longer for room, so that a connection that died unseen costs no more.
constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr absl::Duration kAnswerMargin = absl::Seconds(5);
// How long a connection may be broken.
constexpr absl::Duration kStreamPatience = absl::Minutes(1);
// Most bytes that go by one call: a stream costs as much as two of them, and a call for each piece of many bytes would
// wait for the one before. The agent takes 512 KiB.
constexpr size_t kMostByCall = size_t{64} << 10;

}  // namespace

// What goes to the process by a stream.
class Input::Feed {
 public:
  explicit Feed(
      const Input& input, std::function<void()> on_unread = [] {})
      : left_(std::make_shared<Left>()),
        feed_(std::make_shared<InputFeed>(
            [left = left_, on_unread = std::move(on_unread)](int, const absl::Status& reason,
                                                             bool) {
              {
                MutexLock lock(&left->mu);
                left->reason = reason;
              }
              on_unread();
            },
            input.writer_, kStreamPatience)) {
    feed_->Add(0, input.host_, input.process_, input.offset());
    feed_->Complete();
  }
  ~Feed() { feed_->Stop(); }
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  InputFeed& operator*() { return *feed_; }
  // Nothing goes there any more: why, and in `offset` how far it is kept.
  absl::Status End(int64_t* offset) {
    feed_->Stop();
    *offset += feed_->passed();
    MutexLock lock(&left_->mu);
    return left_->reason;
  }

 private:
  struct Left {
    Mutex mu;
    absl::Status reason ABSL_GUARDED_BY(mu);
  };

  const std::shared_ptr<Left> left_;
  const std::shared_ptr<InputFeed> feed_;
};

Input::Input(std::shared_ptr<Host> host, std::string process)
    : host_(std::move(host)), process_(std::move(process)), writer_(NewId()) {}

absl::StatusOr<v1::InputPosition> Input::Position(absl::Duration timeout) {
  v1::WriteInputRequest request;
  request.set_selector(process_);
  CallOptions options;
  options.timeout = timeout;
  SHOAL_ASSIGN_OR_RETURN(v1::WriteInputResponse answer,
                         host_->WriteInput(std::move(request), options));
  return answer.position();
}

absl::Status Input::SetHold(absl::Duration span, bool steal, absl::Duration timeout) {
  v1::WriteInputRequest request;
  request.set_selector(process_);
  request.set_writer(writer_);
  *request.mutable_hold() = ToProto(span);
  request.set_steal(steal);
  SHOAL_ASSIGN_OR_RETURN(const v1::WriteInputResponse answer,
                         host_->WriteInput(std::move(request), CallOptions{.timeout = timeout}));
  if (!offset_.has_value()) offset_ = answer.position().kept_offset();
  return absl::OkStatus();
}

absl::Status Input::Hold(bool steal) { return SetHold(kInputHold, steal, absl::Seconds(30)); }
absl::Status Input::Release(absl::Duration timeout) {
  return SetHold(absl::ZeroDuration(), /*steal=*/false, timeout);
}

absl::Status Input::Begin(absl::Duration timeout) {
  if (offset_.has_value()) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(v1::InputPosition position,
                         Position(std::min(timeout, kPatience + kAnswerMargin)));
  offset_ = position.kept_offset();
  return absl::OkStatus();
}

absl::Status Input::Send(absl::string_view data, bool end, v1::WriteInputRequest::Until until,
                         absl::Duration timeout) {
  const BootTime deadline = BootTime::Now() + timeout;
  SHOAL_RETURN_IF_ERROR(Begin(timeout));
  int64_t sent = 0;  // of `data`
  const int64_t begin = *offset_;
  const auto size = static_cast<int64_t>(data.size());
  while (true) {
    const absl::Duration left = deadline - BootTime::Now();
    if (left <= absl::ZeroDuration()) {
      return TellLate(begin + size);
    }
    const absl::string_view piece = data.substr(static_cast<size_t>(sent), kMostByCall);
    const bool is_last = sent + static_cast<int64_t>(piece.size()) == size;
    v1::WriteInputRequest request;
    request.set_selector(process_);
    request.set_offset(begin + sent);
    request.set_data(std::string(piece));
    request.set_end(end && is_last);
    request.set_writer(writer_);
    request.set_until(is_last ? until : v1::WriteInputRequest::UNTIL_KEPT);
    CallOptions options;
    options.timeout = std::min(left, kPatience) + kAnswerMargin;
    absl::StatusOr<v1::WriteInputResponse> answer = host_->WriteInput(std::move(request), options);
    if (absl::IsDeadlineExceeded(answer.status())) continue;
    if (!answer.ok()) return answer.status();
    sent = std::clamp<int64_t>(answer->position().kept_offset() - begin, sent, size);
    offset_ = begin + sent;
    if (is_last && !answer->timed_out()) return absl::OkStatus();
  }
}

absl::Status Input::TellLate(int64_t wanted) const {
  return absl::DeadlineExceededError(
      absl::StrCat("the input of ", process_, " is kept up to ", offset(), ", not up to ", wanted));
}

absl::Status Input::Stream(absl::string_view data, absl::Duration timeout) {
  const BootTime deadline = BootTime::Now() + timeout;
  SHOAL_RETURN_IF_ERROR(Begin(timeout));
  const int64_t wanted = *offset_ + static_cast<int64_t>(data.size());
  Feed feed(*this);
  bool has_room = true;
  for (size_t at = 0; has_room && at < data.size(); at += InputFeed::kPiece) {
    has_room = (*feed).AwaitRoom(deadline - BootTime::Now());
    if (has_room) (*feed).Put(std::string(data.substr(at, InputFeed::kPiece)));
  }
  if (has_room) (*feed).Finish(/*ends=*/false);
  (*feed).AwaitPassed(deadline - BootTime::Now());
  SHOAL_RETURN_IF_ERROR(feed.End(&*offset_));
  return *offset_ == wanted ? absl::OkStatus() : TellLate(wanted);
}

absl::Status Input::Write(absl::string_view data, absl::Duration timeout) {
  if (data.empty()) return absl::OkStatus();
  if (data.size() > kMostByCall) return Stream(data, timeout);
  return Send(data, /*end=*/false, v1::WriteInputRequest::UNTIL_KEPT, timeout);
}

absl::Status Input::WriteFrom(InputSource& source) {
  SHOAL_RETURN_IF_ERROR(Begin(absl::InfiniteDuration()));
  Feed feed(*this, [&source] { source.Stop(); });
  absl::Status read;
  while (true) {
    (*feed).AwaitRoom(absl::InfiniteDuration());
    if ((*feed).IsUnread()) break;
    absl::StatusOr<std::string> bytes = source.Read(InputFeed::kPiece);
    read = bytes.status();
    if (!read.ok() || bytes->empty()) break;
    (*feed).Put(*std::move(bytes));
  }
  (*feed).Finish(/*ends=*/false);
  (*feed).AwaitPassed(absl::InfiniteDuration());
  const absl::Status written = feed.End(&*offset_);
  if (!written.ok()) source.OnUnread();
  return written.ok() ? read : written;
}

absl::Status Input::Close(absl::Duration timeout) {
  return Send("", /*end=*/true, v1::WriteInputRequest::UNTIL_KEPT, timeout);
}

absl::Status Input::AwaitTaken(absl::Duration timeout) {
  return Send("", /*end=*/false, v1::WriteInputRequest::UNTIL_TAKEN, timeout);
}

}  // namespace shoal
