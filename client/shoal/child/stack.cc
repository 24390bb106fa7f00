#include "shoal/stack.h"

#include <cxxabi.h>
#include <execinfo.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "shoal/child/frames.h"

namespace shoal {
namespace {

constexpr char kStackUrl[] = "shoal.dev/stack";  // return addresses of this process

// From the caller of the caller on. By the unwind tables: absl::GetStackTrace() follows frame
// pointers, and libstdc++ has none.
[[gnu::noinline]] std::vector<void*> TakeStack() {
  std::vector<void*> frames(internal::kMaxFrames);
  frames.resize(static_cast<size_t>(backtrace(frames.data(), internal::kMaxFrames)));
  constexpr std::ptrdiff_t kOwnFrames = 2;  // this function and its caller
  frames.erase(frames.begin(), frames.begin() + std::min(kOwnFrames, std::ssize(frames)));
  return frames;
}

void PrintFrames(const std::vector<void*>& stack, std::FILE* file) {
  internal::Frames frames = internal::WithoutOurs({stack.data(), stack.data() + stack.size()});
  for (void* const* frame = frames.first; frame < frames.last; ++frame) {
    char name[internal::kMaxSymbolBytes];
    internal::NameFrame(*frame, &name);
    int status = 0;
    char* full = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::fprintf(file, "    @ %p  %s\n", *frame, status == 0 ? full : name);
    std::free(full);
  }
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

[[gnu::noinline]] void PrintStack(std::FILE* file) { PrintFrames(TakeStack(), file); }

void PrintStackOf(const absl::Status& error, std::FILE* file) {
  absl::optional<absl::Cord> payload = error.GetPayload(kStackUrl);
  if (!payload.has_value()) return;
  std::string bytes(*payload);
  std::vector<void*> frames(bytes.size() / sizeof(void*));
  std::memcpy(frames.data(), bytes.data(), frames.size() * sizeof(void*));
  PrintFrames(frames, file);
}

}  // namespace internal
}  // namespace shoal
