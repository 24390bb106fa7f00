#include "shoal/child/frames.h"

#include <cstring>

#include "absl/debugging/symbolize.h"

namespace shoal::internal {
namespace {

// What is deeper than so many frames is the user's.
constexpr int kMostOfAThrow = 8;

// Names that absl cannot demangle stay as they are.
constexpr const char* kThrowing[] = {"__cxa_throw", "__cxa_rethrow", "std::terminate",
                                     "std::rethrow_exception"};
constexpr const char* kRunner[] = {"shoal::Process::Run(", "shoal::internal::(anonymous"};
constexpr const char* kBinding[] = {
    "std::_Function_handler<", "std::function<",           "std::__invoke",
    "shoal::internal::Bind",   "_ZNSt17_Function_handler", "_ZNKSt8function",
    "_ZSt10__invoke",          "_ZSt13__invoke",           "_ZZN5shoal8internal4Bind"};

template <size_t n>
bool IsOneOf(void* frame, const char* const (&beginnings)[n]) {
  char name[kMaxSymbolBytes];
  NameFrame(frame, &name);
  for (const char* beginning : beginnings) {
    if (std::strncmp(name, beginning, std::strlen(beginning)) == 0) return true;
  }
  return false;
}

}  // namespace

void NameFrame(void* return_address, char (*name)[kMaxSymbolBytes]) {
  if (!absl::Symbolize(static_cast<char*>(return_address) - 1, *name, kMaxSymbolBytes)) {
    std::strncpy(*name, "(unknown)", kMaxSymbolBytes);
  }
}

Frames WithoutOurs(Frames frames) {
  Frames users = frames;
  for (int i = 0; i < kMostOfAThrow && frames.first + i < frames.last; ++i) {
    if (IsOneOf(frames.first[i], kThrowing)) users.first = frames.first + i + 1;
  }
  for (void* const* frame = users.first; frame < frames.last; ++frame) {
    if (!IsOneOf(*frame, kRunner)) continue;
    users.last = frame;
    while (users.last > users.first && IsOneOf(users.last[-1], kBinding)) --users.last;
    break;
  }
  return users.first < users.last ? users : frames;
}

}  // namespace shoal::internal
