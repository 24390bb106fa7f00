#include "client/cli/input_hold.h"

#include <utility>

#include "shoal/duration.h"
#include "shoal/input.h"

namespace shoal::cli {

InputHold::InputHold(std::shared_ptr<Host> host, std::string process_id, std::string writer)
    : host_(std::move(host)),
      process_id_(std::move(process_id)),
      writer_(std::move(writer)),
      thread_([this] { Renew(); }) {}

void InputHold::End() {
  over_.Notify();
  if (thread_.joinable()) thread_.join();
}

void InputHold::Ask() {
  if (!*is_ours_) return;
  v1::WriteInputRequest request;
  request.set_selector(process_id_);
  request.set_writer(writer_);
  *request.mutable_hold() = ToProto(kInputHold);
  host_->WriteInput(std::move(request), {},
                    [ours = is_ours_](const absl::StatusOr<v1::WriteInputResponse>& answer) {
                      if (absl::IsFailedPrecondition(answer.status())) *ours = false;
                    });
}

void InputHold::Renew() {
  while (!over_.WaitForNotificationWithTimeout(kInputHold / 3)) Ask();
}

}  // namespace shoal::cli
