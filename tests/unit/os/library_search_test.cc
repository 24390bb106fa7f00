// What the dynamic linker would find.
#include "agent/os/library_search.h"

#include <gmock/gmock.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::string Number(uint32_t number) { return {reinterpret_cast<const char*>(&number), 4}; }

#if defined(__x86_64__)
constexpr uint32_t kOwn = 0x0303;
#else
constexpr uint32_t kOwn = 0x0a03;
#endif

// A cache as ldconfig writes it: header, entries, strings.
std::string CacheOf(const std::vector<std::pair<std::string, std::string>>& libraries,
                    uint32_t flags = kOwn) {
  const size_t strings_at = 48 + 24 * libraries.size();
  std::string entries;
  std::string strings;
  for (const auto& [soname, path] : libraries) {
    entries += Number(flags);
    entries += Number(static_cast<uint32_t>(strings_at + strings.size()));
    strings += soname + '\0';
    entries += Number(static_cast<uint32_t>(strings_at + strings.size()));
    strings += path + '\0';
    entries += std::string(12, '\0');
  }
  std::string header = "glibc-ld.so.cache1.1" + Number(static_cast<uint32_t>(libraries.size())) +
                       Number(static_cast<uint32_t>(strings.size()));
  header.resize(48);
  return header + entries + strings;
}

TEST(ParseLibraryCache, FindsWhatIsForThisProcessor) {
  EXPECT_THAT(ParseLibraryCache(CacheOf({{"liba.so.1", "/lib/liba.so.1"}, {"libb.so", "/b"}})),
              UnorderedElementsAre(Pair("liba.so.1", "/lib/liba.so.1"), Pair("libb.so", "/b")));
  EXPECT_THAT(ParseLibraryCache(CacheOf({{"liba.so.1", "/lib32/liba.so.1"}}, 0x0003)), IsEmpty());
}

TEST(ParseLibraryCache, SurvivesEveryTruncation) {
  const std::string cache = CacheOf({{"liba.so.1", "/lib/liba.so.1"}});
  for (size_t size = 0; size < cache.size(); ++size) {
    EXPECT_THAT(ParseLibraryCache(cache.substr(0, size)), IsEmpty()) << size;
  }
  std::string wild = cache;
  wild.replace(48 + 4, 4, Number(0xffffffff));
  EXPECT_THAT(ParseLibraryCache(wild), IsEmpty());
  wild.replace(20, 4, Number(0xffffffff));
  EXPECT_THAT(ParseLibraryCache(wild), IsEmpty());
}

TEST(LibrarySearch, LooksInTheCacheAndInDirectoriesAndSeesChanges) {
  ScratchDirectory scratch;
  WriteFile(scratch / "libcached.so", "");
  WriteFile(scratch / "libplain.so", "");
  WriteFile(scratch / "cache", CacheOf({{"libcached.so.1", scratch / "libcached.so"},
                                        {"libgone.so.1", scratch / "gone"}}));
  LibrarySearch search(scratch / "cache", {scratch.path()});
  EXPECT_THAT(search.FindMissing({"libplain.so", "libgone.so.1", "libcached.so.1", "libnew.so.1"}),
              ElementsAre("libgone.so.1", "libnew.so.1"));
  WriteFile(scratch / "cache", CacheOf({{"libnew.so.1", scratch / "libplain.so"}}));
  EXPECT_THAT(search.FindMissing({"libcached.so.1", "libnew.so.1"}), ElementsAre("libcached.so.1"));
}

TEST(LibrarySearch, KnowsThisHost) {
  LibrarySearch search;
  EXPECT_THAT(search.FindMissing({"libc.so.6", "libno-such-library.so.9"}),
              ElementsAre("libno-such-library.so.9"));
}

}  // namespace
}  // namespace shoal::agent
