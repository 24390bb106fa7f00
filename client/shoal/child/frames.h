// A stack as its reader wants it: the user's calls, by name.
//
// Thread-safety: thread-safe, and async-signal-safe: nothing is allocated.
#ifndef SHOAL_CLIENT_SHOAL_CHILD_FRAMES_H_
#define SHOAL_CLIENT_SHOAL_CHILD_FRAMES_H_

#include <cstddef>

namespace shoal::internal {

inline constexpr int kMaxFrames = 64;
inline constexpr size_t kMaxSymbolBytes = 512;

// The name of the function at a return address, which is that of a call before it.
void NameFrame(void* return_address, char (*name)[kMaxSymbolBytes]);

// Frames, the innermost first.
struct Frames {
  void* const* first = nullptr;
  void* const* last = nullptr;  // behind the outermost
};

// Without what throws and tells in front, and without what calls a child's function behind it.
Frames WithoutOurs(Frames frames);

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_CHILD_FRAMES_H_
