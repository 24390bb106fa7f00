#include "client/cli/terminal_link.h"

#include <unistd.h>

#include <optional>
#include <utility>

#include "common/status.h"

namespace shoal::cli {

absl::Status TerminalLink::Take() {
  if (isatty(STDIN_FILENO) != 1) return absl::OkStatus();
  MutexLock lock(&mu_);
  SHOAL_ASSIGN_OR_RETURN(raw_, RawTerminal::Take(STDIN_FILENO));
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

void TerminalLink::SetProcess(std::shared_ptr<Host> host, const v1::Process& process) {
  {
    MutexLock lock(&mu_);
    host_ = std::move(host);
    process_id_ = process.id();
    serial_ = process.terminal().serial();
  }
  TellSize();
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
    request.mutable_size()->set_serial(++serial_);
  }
  // What does not arrive is told with the next change.
  host->ResizeTerminal(std::move(request), {},
                       [](const absl::StatusOr<v1::ResizeTerminalResponse>&) {});
}

}  // namespace shoal::cli
