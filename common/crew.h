// The same work on several threads at once.
#ifndef SHOAL_COMMON_CREW_H_
#define SHOAL_COMMON_CREW_H_

#include <cstddef>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

namespace shoal {

// Calls `work()` on `threads` threads, of which the caller's is one, and waits for all; on fewer where no more are to
// be had.
template <typename Work>
void RunOnThreads(size_t threads, const Work& work) {
  std::vector<std::thread> others;
  try {
    for (size_t i = 1; i < threads; ++i) others.emplace_back(std::cref(work));
  } catch (const std::system_error&) {
    // The others do it all.
  }
  work();
  for (std::thread& other : others) other.join();
}

}  // namespace shoal

#endif  // SHOAL_COMMON_CREW_H_
