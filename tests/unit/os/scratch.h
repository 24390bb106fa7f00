// A directory of the test's own, gone at its end; and a loop that runs until something is so.
#ifndef SHOAL_TESTS_UNIT_OS_SCRATCH_H_
#define SHOAL_TESTS_UNIT_OS_SCRATCH_H_

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "absl/time/time.h"
#include "agent/loop/event_loop.h"

namespace shoal::agent {

inline constexpr char kBootId[] = "0b5f7e9a-1c2d-4e3f-8a9b-000102030405";
inline constexpr char kOtherBootId[] = "ffffffff-1c2d-4e3f-8a9b-000102030405";
inline constexpr absl::Duration kDeadline = absl::Seconds(60);

class ScratchDirectory {
 public:
  ScratchDirectory() {
    char name[] = "/tmp/shoal-os-test.XXXXXX";
    if (mkdtemp(name) != nullptr) path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void WriteFile(const std::string& path, const std::string& bytes, mode_t mode = 0644) {
  std::ofstream(path, std::ios::binary) << bytes;
  chmod(path.c_str(), mode);
}

inline std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// Runs the loop until `is_so`, asked at the end of each turn and every 5 ms. False at the deadline.
inline bool RunUntil(EventLoop* loop, std::function<bool()> is_so) {
  bool so = is_so();
  bool late = false;
  if (so) return true;
  const EventLoop::TimerId deadline = loop->After(kDeadline, [&] {
    late = true;
    loop->Stop();
  });
  std::function<void()> ask = [&] {
    so = so || is_so();
    if (so) loop->Stop();
    if (!so && !late) loop->After(absl::Milliseconds(5), [&ask] { ask(); });
  };
  loop->Post([&ask] { ask(); });
  loop->Run();
  loop->Cancel(deadline);
  return so;
}

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_UNIT_OS_SCRATCH_H_
