#include "agent/os/fork_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/escape.h"
#include "common/status.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {
namespace {

// Takes the word up to the next space.
absl::string_view TakeWord(absl::string_view* text) {
  const size_t end = std::min(text->find(' '), text->size());
  const absl::string_view word = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return word;
}

absl::Status Nonsense(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("a packet that makes no sense: '", EscapeForMessage(text, 64), "'"));
}

absl::Status Gone() { return absl::UnavailableError("it closed its connection"); }

}  // namespace

std::vector<AskedFork> ForkConnection::Unanswered() const {
  std::vector<AskedFork> unanswered;
  for (const auto& [number, asked] : asked_) unanswered.push_back(asked);
  return unanswered;
}

absl::StatusOr<std::optional<ForkConnection::Message>> ForkConnection::Receive() {
  // Descriptors that come along are dropped by the kernel: there is no room for them.
  char packet[fork_protocol::kMaxPacketBytes];
  ssize_t size = 0;
  do {
    size = recv(fd_.get(), packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
    // A peer that ended without reading all resets the connection; what it said before comes then.
  } while (size < 0 && (errno == EINTR || (errno == ECONNRESET && !std::exchange(reset_, true))));
  if (size < 0 && errno == EAGAIN) return std::nullopt;
  if (size <= 0) return Gone();
  if (size > fork_protocol::kMaxPacketBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a packet of ", size, " bytes, limit ", fork_protocol::kMaxPacketBytes));
  }
  absl::StatusOr<Message> message = Parse(absl::string_view(packet, static_cast<size_t>(size)));
  if (!message.ok()) return message.status();
  return *std::move(message);
}

absl::StatusOr<ForkConnection::Message> ForkConnection::Parse(absl::string_view text) {
  absl::string_view rest = text;
  const absl::string_view verb = TakeWord(&rest);
  Message message;
  int number = 0;
  if (verb == "offer") {
    if (has_offered_ || !absl::SimpleAtoi(rest, &number)) return Nonsense(text);
    has_offered_ = true;
    if (number == fork_protocol::kVersion) return message;
    return absl::UnimplementedError(
        absl::StrCat("it speaks version ", number, ", this agent ", fork_protocol::kVersion));
  }
  if (!absl::SimpleAtoi(TakeWord(&rest), &number)) return Nonsense(text);
  const auto asked = asked_.find(number);
  if (asked == asked_.end()) return Nonsense(text);
  message.asked = asked->second;
  if (verb == "forked") {
    message.kind = Message::kForked;
  } else if (verb == "failed") {
    message.kind = Message::kFailed;
    message.failure.stage = std::string(TakeWord(&rest));
    if (!absl::SimpleAtoi(TakeWord(&rest), &message.failure.error_number)) return Nonsense(text);
    message.failure.text = EscapeForMessage(rest);
  } else {
    return Nonsense(text);
  }
  asked_.erase(asked);
  return message;
}

absl::Status ForkConnection::SendFork(AskedFork asked, StartPacket packet) {
  const int number = ++last_number_;
  packet.text = absl::StrCat("fork ", number, " ", asked.slot);
  SHOAL_RETURN_IF_ERROR(Send(std::move(packet)));
  asked_[number] = std::move(asked);
  return absl::OkStatus();
}

absl::Status ForkConnection::Send(StartPacket packet) {
  if (queue_.empty()) {
    SHOAL_ASSIGN_OR_RETURN(const bool sent, SendNow(packet));
    if (sent) return absl::OkStatus();
  }
  queue_.push_back(std::move(packet));
  return absl::OkStatus();
}

absl::Status ForkConnection::Flush() {
  while (!queue_.empty()) {
    SHOAL_ASSIGN_OR_RETURN(const bool sent, SendNow(queue_.front()));
    if (!sent) return absl::OkStatus();
    queue_.pop_front();
  }
  return absl::OkStatus();
}

// False: the peer has too much to read already.
absl::StatusOr<bool> ForkConnection::SendNow(const StartPacket& packet) {
  return SendPacket(fd_.get(), packet, absl::StrCat("PID ", peer_.pid));
}

}  // namespace shoal::agent
