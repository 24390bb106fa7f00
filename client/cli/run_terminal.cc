#include "client/cli/run_terminal.h"

#include <unistd.h>

#include <utility>

#include "common/ids.h"
#include "common/notification.h"
#include "common/status.h"
#include "shoal/duration.h"

namespace shoal::cli {
namespace {

constexpr absl::Duration kTimeToLetGo = absl::Seconds(1);

// What is typed up to the keys. Behind them nothing comes, nor the end: the input stays as it is.
class TypedSource final : public InputSource {
 public:
  TypedSource(std::shared_ptr<StdinSource> typed, DetachKeys keys, std::function<void()> on_keys)
      : typed_(std::move(typed)), keys_(std::move(keys)), on_keys_(std::move(on_keys)) {}

  // The keys are told when what came before them was taken.
  absl::StatusOr<std::string> Read(size_t most) override {
    while (!is_left_) {
      SHOAL_ASSIGN_OR_RETURN(const std::string typed, typed_->Read(most));
      if (typed.empty()) return typed;
      std::string passed;
      is_left_ = keys_.Feed(typed, &passed);
      if (!passed.empty()) return passed;
    }
    on_keys_();
    stopped_.WaitForNotification();
    return std::string();
  }
  void Stop() override {
    stopped_.Notify();
    typed_->Stop();
  }
  void OnUnread() override { typed_->OnUnread(); }

 private:
  const std::shared_ptr<StdinSource> typed_;
  DetachKeys keys_;
  const std::function<void()> on_keys_;
  bool is_left_ = false;
  Notification stopped_;
};

}  // namespace

RunTerminal::RunTerminal(DetachKeys keys, std::function<void()> on_keys)
    : keys_(std::move(keys)), on_keys_(std::move(on_keys)), writer_(NewId()) {}

std::shared_ptr<InputSource> RunTerminal::Listen(std::shared_ptr<StdinSource> typed) {
  typed_ = std::move(typed);
  if (isatty(STDIN_FILENO) != 1) return typed_;
  return std::make_shared<TypedSource>(typed_, keys_, [this] { OnKeys(); });
}

absl::Status RunTerminal::Take() {
  if (typed_ == nullptr) return absl::OkStatus();
  SHOAL_RETURN_IF_ERROR(link_.Take());
  typed_->SetOnForeground([this] { link_.TakeAgain(); });
  return absl::OkStatus();
}

void RunTerminal::OnStarted(std::shared_ptr<Host> host, const v1::Process& process) {
  link_.SetStarted(host, process);
  if (typed_ == nullptr || host_ != nullptr) return;
  host_ = std::move(host);
  process_id_ = process.id();
  hold_ = std::make_unique<InputHold>(host_, process_id_, writer_);
  hold_->Ask();
}

// Our terminal first, so that Ctrl-C is a signal again if the host does not answer.
void RunTerminal::OnKeys() {
  is_left_ = true;
  link_.Leave();
  on_keys_();
}

std::optional<int64_t> RunTerminal::LetGo() {
  if (host_ == nullptr) return std::nullopt;
  hold_->LetGo();
  hold_->End();
  v1::WriteInputRequest request;
  request.set_selector(process_id_);
  request.set_writer(writer_);
  *request.mutable_hold() = ToProto(absl::ZeroDuration());
  CallOptions options;
  options.timeout = kTimeToLetGo;
  const absl::StatusOr<v1::WriteInputResponse> answer =
      host_->WriteInput(std::move(request), options);
  if (!answer.ok()) return std::nullopt;
  return answer->position().kept_offset();
}

}  // namespace shoal::cli
