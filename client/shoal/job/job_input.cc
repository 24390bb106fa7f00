#include "shoal/job/job_input.h"

#include <optional>
#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "shoal/error.h"

namespace shoal {
namespace {

// That of the processes decides whether a host is given up.
constexpr absl::Duration kPatience = absl::InfiniteDuration();
// How long a rank that takes nothing keeps its turn while others wait.
constexpr absl::Duration kTurn = absl::Milliseconds(500);

bool HasClosed(const absl::Status& status) {
  const std::optional<v1::ErrorInfo> info = ErrorInfoOf(status);
  return (info.has_value() && info->reason() == "INPUT_CLOSED") || absl::IsNotFound(status);
}

InputFeed::OnLeft TellLost(const std::shared_ptr<InputSource>& source,
                           const JobInput::OnLost& on_lost) {
  return [source, on_lost](int rank, const absl::Status& reason, bool is_last) {
    if (!reason.ok() && !HasClosed(reason)) on_lost(rank, reason);
    if (!is_last) return;
    source->Stop();
    source->OnUnread();
  };
}

}  // namespace

JobInput::JobInput(std::shared_ptr<InputSource> source, OnLost on_lost, std::string writer)
    : source_(std::move(source)),
      on_lost_(std::move(on_lost)),
      feed_(std::make_shared<InputFeed>(TellLost(source_, on_lost_),
                                        writer.empty() ? NewId() : std::move(writer), kPatience)) {
  feed_->PassTurns();
}

void JobInput::Add(int rank, std::shared_ptr<Host> host, std::string process_id) {
  feed_->Add(rank, std::move(host), std::move(process_id), /*offset=*/0);
}

void JobInput::AddEmpty(int rank, std::shared_ptr<Host> host, std::string process_id) {
  feed_->AddEmpty(rank, std::move(host), std::move(process_id));
}

void JobInput::BeginReading() {
  if (is_stopped_) return;
  if (feed_->Complete()) return source_->OnUnread();
  try {
    thread_ = std::thread([this] { ReadAll(); });
  } catch (const std::system_error& error) {
    on_lost_(-1, absl::ResourceExhaustedError(error.what()));
    feed_->Finish(/*ends=*/true);
  }
}

void JobInput::ReadAll() {
  while (true) {
    while (!feed_->AwaitRoom(kTurn)) feed_->PassTurns();
    if (feed_->IsUnread()) return;
    absl::StatusOr<std::string> bytes = source_->Read(InputFeed::kPiece);
    if (feed_->IsUnread()) return;
    if (!bytes.ok()) on_lost_(-1, bytes.status());
    if (!bytes.ok() || bytes->empty()) break;
    feed_->Put(*std::move(bytes));
  }
  feed_->Finish(/*ends=*/true);
  while (!feed_->AwaitPassed(kTurn)) feed_->PassTurns();
}

void JobInput::Stop() {
  is_stopped_ = true;
  feed_->Stop();
  source_->Stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace shoal
