// Marks this thread as being inside a user's callback, which must not wait for itself.
//
// Ownership:     the caller's, on its stack.
// Thread-safety: each thread has its own.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_CLIENT_SHOAL_LINK_CALLBACK_SCOPE_H_
#define SHOAL_CLIENT_SHOAL_LINK_CALLBACK_SCOPE_H_

namespace shoal {

class CallbackScope {
 public:
  CallbackScope();
  ~CallbackScope();
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;

  static bool IsInside();
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_LINK_CALLBACK_SCOPE_H_
