#include "shoal/stack.h"

#include <execinfo.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "absl/debugging/symbolize.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace shoal {
namespace {

constexpr char kStackUrl[] = "shoal.dev/stack";  // return addresses of this process
constexpr int kMaxFrames = 64;
constexpr size_t kMaxSymbolBytes = 512;

// From the caller of the caller on, without its `skipped` innermost frames. By the unwind tables:
// absl::GetStackTrace() follows frame pointers, and libstdc++ has none.
[[gnu::noinline]] std::vector<void*> TakeStack(int skipped) {
  std::vector<void*> frames(kMaxFrames);
  frames.resize(static_cast<size_t>(backtrace(frames.data(), kMaxFrames)));
  constexpr int kOwnFrames = 2;  // this function and its caller
  size_t left_out = std::min(frames.size(), static_cast<size_t>(kOwnFrames + skipped));
  frames.erase(frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(left_out));
  return frames;
}

void PrintFrame(void* frame, std::FILE* file) {
  char symbol[kMaxSymbolBytes] = "(unknown)";
  // A return address: the call stands before it.
  absl::Symbolize(static_cast<char*>(frame) - 1, symbol, sizeof(symbol));
  std::fprintf(file, "    @ %p  %s\n", frame, symbol);
}

}  // namespace

[[gnu::noinline]] absl::Status WithStack(absl::Status error) {
  if (error.ok() || error.GetPayload(kStackUrl).has_value()) return error;
  std::vector<void*> frames = TakeStack(0);
  error.SetPayload(kStackUrl,
                   absl::Cord(absl::string_view(reinterpret_cast<const char*>(frames.data()),
                                                frames.size() * sizeof(void*))));
  return error;
}

namespace internal {

[[gnu::noinline]] void PrintStack(std::FILE* file, int skipped) {
  for (void* frame : TakeStack(skipped)) PrintFrame(frame, file);
}

bool PrintStackOf(const absl::Status& error, std::FILE* file) {
  absl::optional<absl::Cord> payload = error.GetPayload(kStackUrl);
  if (!payload.has_value()) return false;
  std::string bytes(*payload);
  for (size_t at = 0; at + sizeof(void*) <= bytes.size(); at += sizeof(void*)) {
    void* frame;
    std::memcpy(&frame, bytes.data() + at, sizeof(frame));
    PrintFrame(frame, file);
  }
  return true;
}

}  // namespace internal
}  // namespace shoal
