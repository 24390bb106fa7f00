// The payload and the packet of a fork, as a template reads them.
#include <vector>

#include "client/shoal/fork/fork_request.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using shoal::fuzz::Require;
  absl::string_view text = shoal::fuzz::ToText(data, size);
  auto command = shoal::forking::ParseForkCommand(text);
  if (command.ok()) Require(!command->number.empty() && !command->slot.empty(), "words are words");
  auto payload = shoal::forking::ParseForkPayload({text.begin(), text.end()});
  if (!payload.ok()) return 0;
  const char* begin = payload->bytes.data();
  const char* end = begin + payload->bytes.size();
  for (const auto* words : {&payload->argv, &payload->env}) {
    Require(!words->empty() && words->back() == nullptr, "lists end in a null pointer");
    for (const char* word : *words) {
      if (word != nullptr) Require(word >= begin && word < end, "words are in the payload");
    }
  }
  Require(payload->cwd != nullptr, "there is a working directory");
  return 0;
}
