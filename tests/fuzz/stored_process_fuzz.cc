// Blobs of a database that may be damaged.
#include "agent/store/codec.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  absl::string_view blob = fuzz::ToText(data, size);
  agent::ProcessEntry process;
  absl::Status decoded = agent::DecodeProcess(blob, &process);
  if (decoded.ok()) {
    agent::ProcessEntry again;
    fuzz::Require(agent::DecodeProcess(agent::EncodeProcess(process), &again).ok() &&
                      again.state == process.state && again.pid == process.pid,
                  "what was read can be written and read again");
  } else {
    fuzz::Require(absl::IsDataLoss(decoded), "a damaged blob is DATA_LOSS");
    fuzz::RequireReadable(decoded);
  }
  agent::SessionEntry session;
  decoded = agent::DecodeSession(blob, &session);
  fuzz::Require(decoded.ok() || absl::IsDataLoss(decoded), "a damaged blob is DATA_LOSS");
  return 0;
}
