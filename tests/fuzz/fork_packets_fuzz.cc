// Packets of a process that offers itself, each up to a byte 0xff of the input.
#include <sys/socket.h>

#include <vector>

#include "absl/strings/str_split.h"
#include "agent/os/fork_connection.h"
#include "shoal/v1/fork_protocol.h"
#include "tests/fuzz/fuzz.h"

namespace shoal::agent {
namespace {

constexpr size_t kAsked = 3;

void Play(absl::string_view input) {
  int ends[2];
  fuzz::Require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "a socket pair");
  const UniqueFd peer(ends[1]);
  ForkConnection connection(UniqueFd(ends[0]), ForkParent{.pid = 7, .start_ticks = 1});
  for (size_t i = 0; i < kAsked; ++i)
    connection.SendFork({static_cast<int>(i), "id"}, {}).IgnoreError();
  size_t answered = 0;
  for (absl::string_view packet : absl::StrSplit(input, '\xff')) {
    if (send(peer.get(), packet.data(), packet.size(), MSG_DONTWAIT) < 0) break;
    absl::StatusOr<std::optional<ForkConnection::Message>> message = connection.Receive();
    if (!message.ok()) {
      fuzz::RequireReadable(message.status());
      break;  // as ForkSocket does
    }
    if (!message->has_value()) continue;
    if ((*message)->kind != ForkConnection::Message::kOffer) ++answered;
    fuzz::Require((*message)->failure.text.size() <= 4 * fork_protocol::kMaxPacketBytes,
                  "the text of a failure is bounded");
  }
  fuzz::Require(connection.Unanswered().size() + answered == kAsked,
                "each fork is answered once, or not");
}

}  // namespace
}  // namespace shoal::agent

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shoal::agent::Play(shoal::fuzz::ToText(data, size));
  return 0;
}
