// The death of an agent at a chosen step, for tests over fakes.
//
// Every call that changes something outside (a commit, a start, a tell, …) is a step; when the
// armed one comes, Crash is thrown through the state machine, which the test then drops, as SIGKILL
// would.
//
// Thread-safety: one thread.
#ifndef SHOAL_TESTS_SUPPORT_CRASH_POINT_H_
#define SHOAL_TESTS_SUPPORT_CRASH_POINT_H_

namespace shoal::agent {

struct Crash {};

class CrashPoint {
 public:
  // The `step`-th step from now, counted from 1, does not happen; 0 disarms.
  void Arm(int step) { left_ = step; }
  bool IsArmed() const { return left_ > 0; }
  void Step() {
    if (left_ > 0 && --left_ == 0) throw Crash();
  }

 private:
  int left_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_CRASH_POINT_H_
