#include "shoal/fork/huge_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace shoal::forking {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

// Anonymous memory, aligned to a huge page.
class Memory {
 public:
  explicit Memory(size_t bytes) : bytes_(bytes + 2 * kMiB) {
    whole_ = static_cast<char*>(
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(whole_, MAP_FAILED);
    const uintptr_t past = reinterpret_cast<uintptr_t>(whole_) % (2 * kMiB);
    begin = whole_ + (past == 0 ? 0 : 2 * kMiB - past);
  }
  ~Memory() { munmap(whole_, bytes_); }

  // A field of /proc/self/smaps, in KiB, of the mapping that holds `begin`.
  size_t Field(const std::string& name) const {
    std::ifstream maps("/proc/self/smaps");
    bool ours = false;
    for (std::string line; std::getline(maps, line);) {
      uintptr_t from, to;
      if (sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) {
        const uintptr_t at = reinterpret_cast<uintptr_t>(begin);
        ours = from <= at && at < to;
      } else if (ours && line.compare(0, name.size() + 1, name + ":") == 0) {
        return std::stoul(line.substr(name.size() + 1));
      }
    }
    return 0;
  }

  char* begin;

 private:
  char* whole_;
  const size_t bytes_;
};

// Where the kernel takes huge pages of its own accord, these tests would see those.
class HugePagesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string mode;
    std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled"), mode);
    if (mode.find("[always]") != std::string::npos) GTEST_SKIP() << "huge pages: " << mode;
  }
};

TEST_F(HugePagesTest, MemoryInUseIsGatheredAndKeepsItsBytes) {
  Memory memory(8 * kMiB);
  const auto byte = [](size_t at) { return static_cast<char>(at * 7 >> 3); };
  for (size_t at = 0; at < 8 * kMiB; ++at) memory.begin[at] = byte(at);
  ASSERT_EQ(memory.Field("AnonHugePages"), 0u);
  GatherIntoHugePages();
  for (size_t at = 0; at < 8 * kMiB; ++at) ASSERT_EQ(memory.begin[at], byte(at)) << at;
  if (memory.Field("AnonHugePages") == 0) GTEST_SKIP() << "this kernel has no MADV_COLLAPSE";
  EXPECT_GE(memory.Field("AnonHugePages"), 4 * 1024u);
}

TEST_F(HugePagesTest, AQuarterInUseStaysAQuarter) {
  Memory memory(64 * kMiB);
  for (size_t at = 0; at < 64 * kMiB; at += 4096) {
    if (at % (2 * kMiB) < kMiB / 2) memory.begin[at] = 1;
  }
  GatherIntoHugePages();
  EXPECT_GE(memory.Field("Rss"), 16 * 1024u);
  EXPECT_LT(memory.Field("Rss"), 20 * 1024u);  // with what the kernel put beside it
}

}  // namespace
}  // namespace shoal::forking
