#include "client/cli/typed_input.h"

#include <unistd.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

constexpr size_t kPieceBytes = size_t{64} << 10;
constexpr size_t kMostTyped = size_t{8} << 20;  // read and not yet sent; beyond it nothing is read
constexpr absl::Duration kTimeToWrite = absl::Seconds(1);

}  // namespace

TypedInput::TypedInput(std::shared_ptr<Host> host, std::string process_id, DetachKeys keys,
                       TypedInputObserver observer)
    : host_(std::move(host)),
      process_id_(std::move(process_id)),
      keys_(std::move(keys)),
      observer_(std::move(observer)),
      source_(STDIN_FILENO),
      input_(host_, process_id_) {}

absl::Status TypedInput::Hold(bool steal) { return input_.Hold(steal); }

void TypedInput::SetOnForeground(std::function<void()> on_foreground) {
  source_.SetOnForeground(std::move(on_foreground));
}

void TypedInput::Begin(bool passes_end) {
  passes_end_ = passes_end;
  hold_ = std::make_unique<InputHold>(host_, process_id_, input_.writer());
  reading_ = std::thread([this] { ReadAll(); });
  writing_ = std::thread([this] { WriteAll(); });
}

void TypedInput::Watch() {
  reading_ = std::thread([this] { ReadAll(); });
}

// So that the keys are seen whatever becomes of the rest.
void TypedInput::ReadAll() {
  bool is_left = false;
  bool is_at_end = false;
  absl::Status lost;
  while (!is_left) {
    absl::StatusOr<std::string> typed = source_.Read(kPieceBytes);
    if (!typed.ok() || typed->empty()) {
      lost = typed.status();
      is_at_end = typed.ok() && !is_stopped_;
      break;
    }
    std::string passed;
    is_left = keys_.Feed(*typed, &passed);
    if (hold_ != nullptr) Keep(passed);
  }
  {
    MutexLock lock(&mu_);
    is_at_end_ = is_at_end && !is_typing_over_;
    is_typing_over_ = true;
  }
  if (is_left) observer_.on_keys();
  if (!lost.ok()) observer_.on_lost(lost);
}

void TypedInput::Keep(absl::string_view typed) {
  MutexLock lock(&mu_);
  const auto has_room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return typed_.size() < kMostTyped || is_typing_over_ || is_lost_;
  };
  mu_.Await(has_room);
  if (!is_lost_) absl::StrAppend(&typed_, typed);
}

void TypedInput::EndTyping() {
  MutexLock lock(&mu_);
  is_typing_over_ = true;
}

void TypedInput::WriteAll() {
  absl::Status written;
  while (written.ok()) {
    std::string piece;
    {
      MutexLock lock(&mu_);
      const auto has_news = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return !typed_.empty() || is_typing_over_;
      };
      mu_.Await(has_news);
      piece = std::exchange(typed_, "");
    }
    if (piece.empty()) break;
    written = Write(piece);
  }
  bool is_at_end = false;
  {
    MutexLock lock(&mu_);
    is_at_end = is_at_end_;
  }
  if (written.ok() && is_at_end && passes_end_) written = Close();
  if (written.ok() && is_at_end) observer_.on_end();
  hold_->LetGo();
  if (!written.ok() && !over_.HasBeenNotified()) {
    {
      MutexLock lock(&mu_);
      is_lost_ = true;
    }
    observer_.on_lost(written);
  }
  if (written.ok()) input_.Release(kTimeToWrite).IgnoreError();  // else it ends by itself
  written_.Notify();
}

// However long the host is away.
absl::Status TypedInput::Write(absl::string_view typed) {
  while (true) {
    const int64_t begin = input_.offset();
    absl::Status written = input_.Write(typed, kTimeToWrite);
    const bool may_come = absl::IsUnavailable(written) || absl::IsDeadlineExceeded(written);
    if (!may_come || over_.HasBeenNotified()) return written;
    typed.remove_prefix(static_cast<size_t>(input_.offset() - begin));
  }
}

absl::Status TypedInput::Close() {
  absl::Status closed;
  do {
    closed = input_.Close(kTimeToWrite);
  } while ((absl::IsUnavailable(closed) || absl::IsDeadlineExceeded(closed)) &&
           !over_.HasBeenNotified());
  return closed;
}

bool TypedInput::End() {
  EndTyping();
  Stop();
  reading_.join();
  if (hold_ == nullptr) return true;
  const bool is_all_written = written_.WaitForNotificationWithTimeout(kTimeToWrite);
  over_.Notify();
  hold_->End();
  if (is_all_written) writing_.join();
  if (!is_all_written) writing_.detach();
  return is_all_written;
}

}  // namespace shoal::cli
