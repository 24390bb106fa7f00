// What the floods start: takes the last core, as their drivers do, and ends. It has no dynamic linker, which would work
// on any core before that.
#include <sched.h>

int main() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof(cores), &cores) != 0) return 1;
  int last = CPU_SETSIZE - 1;
  while (last > 0 && !CPU_ISSET(last, &cores)) --last;
  CPU_ZERO(&cores);
  CPU_SET(last, &cores);
  return sched_setaffinity(0, sizeof(cores), &cores) == 0 ? 0 : 1;
}
