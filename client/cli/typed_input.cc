#include "client/cli/typed_input.h"

#include <unistd.h>

#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

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
  feed_ = std::make_shared<InputFeed>(
      [this](int, const absl::Status& reason, bool) {
        if (reason.ok()) return;
        is_lost_ = true;
        hold_->LetGo();
        observer_.on_lost(reason);
      },
      input_.writer(), absl::InfiniteDuration());
  feed_->Add(0, host_, process_id_, input_.offset());
  feed_->Complete();
  Watch();
}

void TypedInput::Watch() {
  try {
    reading_ = std::thread([this] { ReadAll(); });
  } catch (const std::system_error& error) {
    observer_.on_lost(absl::ResourceExhaustedError(error.what()));
  }
}

// Goes on when nothing is passed on any more: the keys are still seen.
void TypedInput::ReadAll() {
  bool is_left = false;
  while (!is_left) {
    absl::StatusOr<std::string> typed = source_.Read(InputFeed::kPiece);
    if (!typed.ok()) return observer_.on_lost(typed.status());
    if (typed->empty()) break;
    std::string passed;
    is_left = keys_.Feed(*typed, &passed);
    if (feed_ != nullptr) Put(std::move(passed));
  }
  if (is_left) return observer_.on_keys();
  if (!is_stopped_ && feed_ != nullptr) PassEnd();
}

void TypedInput::Put(std::string typed) {
  if (typed.empty()) return;
  feed_->AwaitRoom(absl::InfiniteDuration());
  if (feed_->IsUnread()) is_left_out_ = true;
  feed_->Put(std::move(typed));
}

void TypedInput::PassEnd() {
  feed_->Finish(passes_end_);
  feed_->AwaitPassed(absl::InfiniteDuration());
  if (is_stopped_ || is_lost_) return;
  observer_.on_end();
  LetGo();
}

// Without it the hold ends by itself.
void TypedInput::LetGo() {
  if (std::exchange(is_let_go_, true)) return;
  hold_->LetGo();
  input_.Release(kTimeToWrite).IgnoreError();
}

bool TypedInput::End() {
  is_stopped_ = true;
  source_.Stop();
  if (feed_ == nullptr) {
    if (reading_.joinable()) reading_.join();
    return true;
  }
  const bool is_passed = feed_->AwaitPassed(kTimeToWrite);
  feed_->Stop();
  if (reading_.joinable()) reading_.join();
  hold_->End();
  if (!is_passed || is_lost_ || is_left_out_) return false;
  LetGo();
  return true;
}

}  // namespace shoal::cli
