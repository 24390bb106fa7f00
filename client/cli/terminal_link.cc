#include "client/cli/terminal_link.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "client/cli/wording.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(31);
constexpr int64_t kMostTicks = int64_t{1} << 31;  // two years; then the serials are counted

// So far apart the clocks of two programs may be.
constexpr uint32_t kDoubtTicks = 8;

// A change of size has its time as its serial: programs that know nothing of each other agree on which came last.
uint32_t SerialAt(absl::Duration age) {
  return static_cast<uint32_t>(std::clamp<int64_t>(age / kTick, 0, kMostTicks));
}

using Resized = absl::StatusOr<v1::ResizeTerminalResponse>;

// The change of another program, at about the same time, has counted instead.
bool IsDisplaced(const v1::TerminalSize& asked, const v1::TerminalSize& told) {
  const bool is_other = told.rows() != asked.rows() || told.columns() != asked.columns();
  return is_other && told.serial() >= asked.serial() &&
         told.serial() - asked.serial() <= kDoubtTicks;
}

// What does not arrive is told with the next change. `newest` is the serial of the last change of ours.
void Resize(const std::shared_ptr<Host>& host, v1::ResizeTerminalRequest request,
            const std::shared_ptr<const std::atomic<uint32_t>>& newest) {
  host->ResizeTerminal(request, {}, [host, request, newest](const Resized& told) mutable {
    if (!told.ok() || request.size().serial() != *newest) return;
    if (!IsDisplaced(request.size(), told->size())) return;
    // It was heard of last, so it is the newer one.
    request.mutable_size()->set_serial(told->size().serial() + 1);
    host->ResizeTerminal(std::move(request), {}, [](const Resized&) {});
  });
}

}  // namespace

absl::Status TerminalLink::Take(RawTerminal::Mode mode) {
  if (isatty(STDIN_FILENO) != 1) return absl::OkStatus();
  MutexLock lock(&mu_);
  SHOAL_ASSIGN_OR_RETURN(raw_, RawTerminal::Take(STDIN_FILENO, mode));
  return absl::OkStatus();
}

void TerminalLink::GiveBack() { RawTerminal::Restore(); }

void TerminalLink::TakeAgain() {
  MutexLock lock(&mu_);
  if (raw_ != nullptr) raw_->TakeAgain();
}

void TerminalLink::Leave() {
  MutexLock lock(&mu_);
  raw_.reset();
}

void TerminalLink::Set(std::shared_ptr<Host> host, const v1::Process& process) {
  MutexLock lock(&mu_);
  host_ = std::move(host);
  process_id_ = process.id();
  began_ = ToTime(process.has_create_time(), process.create_time());
  *newest_ = process.terminal().serial();
}

void TerminalLink::SetProcess(std::shared_ptr<Host> host, const v1::Process& process) {
  Set(std::move(host), process);
  TellSize();
}

void TerminalLink::SetStarted(std::shared_ptr<Host> host, const v1::Process& process) {
  Set(std::move(host), process);
  const std::optional<v1::TerminalSize> size = SizeOfTerminal(STDOUT_FILENO);
  const v1::TerminalSize& begun = process.terminal();
  const bool is_same =
      size.has_value() && size->rows() == begun.rows() && size->columns() == begun.columns();
  if (!is_same) TellSize();
}

void TerminalLink::TellSize() {
  const std::optional<v1::TerminalSize> size = SizeOfTerminal(STDOUT_FILENO);
  if (!size.has_value()) return;
  std::shared_ptr<Host> host;
  v1::ResizeTerminalRequest request;
  {
    MutexLock lock(&mu_);
    if (host_ == nullptr) return;
    host = host_;
    request.set_selector(process_id_);
    *request.mutable_size() = *size;
    *newest_ = std::max(*newest_ + 1, SerialAt(host_->AgentTime() - began_));
    request.mutable_size()->set_serial(*newest_);
  }
  Resize(host, std::move(request), newest_);
}

}  // namespace shoal::cli
