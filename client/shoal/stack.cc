#include "shoal/stack.h"

#include <execinfo.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
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

// From the caller of the caller on. By the unwind tables: absl::GetStackTrace() follows frame
// pointers, and libstdc++ has none.
[[gnu::noinline]] std::vector<void*> TakeStack() {
  std::vector<void*> frames(kMaxFrames);
  frames.resize(static_cast<size_t>(backtrace(frames.data(), kMaxFrames)));
  constexpr std::ptrdiff_t kOwnFrames = 2;  // this function and its caller
  frames.erase(frames.begin(), frames.begin() + std::min(kOwnFrames, std::ssize(frames)));
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
  std::vector<void*> frames = TakeStack();
  error.SetPayload(kStackUrl,
                   absl::Cord(absl::string_view(reinterpret_cast<const char*>(frames.data()),
                                                frames.size() * sizeof(void*))));
  return error;
}

namespace internal {

[[gnu::noinline]] void PrintStack(std::FILE* file) {
  for (void* frame : TakeStack()) PrintFrame(frame, file);
}

void PrintStackOf(const absl::Status& error, std::FILE* file) {
  absl::optional<absl::Cord> payload = error.GetPayload(kStackUrl);
  if (!payload.has_value()) return;
  std::string bytes(*payload);
  for (size_t at = 0; at + sizeof(void*) <= bytes.size(); at += sizeof(void*)) {
    void* frame;
    std::memcpy(&frame, bytes.data() + at, sizeof(frame));
    PrintFrame(frame, file);
  }
}

}  // namespace internal
}  // namespace shoal
