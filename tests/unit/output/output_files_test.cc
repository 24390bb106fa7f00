#include <algorithm>
#include <set>

#include "absl/time/clock.h"
#include "agent/output/output_name.h"
#include "agent/output/output_search.h"
#include "agent/output/system_output_files.h"
#include "common/notification.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

constexpr char kId[] = "ABCDEFGHIJKLMNOP";
constexpr char kOther[] = "QRSTUVWXYZ234567";
constexpr int64_t kSegment = 16;

class OutputFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    helper_ = std::make_unique<HelperThread>();
    auto files = SystemOutputFiles::Open(scratch_.path(), helper_.get());
    ASSERT_TRUE(files.ok()) << files.status();
    files_ = *std::move(files);
  }
  std::string PathOf(const std::string& name) { return scratch_ / ("output/" + name); }
  // As a shim writes them, from offset `begin` (of a segment's start) on.
  void WriteStream(const std::string& id, int stream, const std::string& bytes, int64_t begin = 0) {
    for (size_t at = 0; at < bytes.size(); at += kSegment) {
      WriteFile(PathOf(SegmentName(id, stream, begin + static_cast<int64_t>(at))),
                bytes.substr(at, kSegment));
    }
  }
  void WriteIndex(const std::string& id, const std::vector<record::IndexRow>& rows) {
    WriteFile(PathOf(IndexName(id)),
              std::string(reinterpret_cast<const char*>(rows.data()), rows.size() * 24));
  }
  std::set<std::string> Names() {
    helper_.reset();  // Runs what is queued.
    files_.reset();   // Looks once more for what it was not sure of.
    return NamesNow();
  }
  std::set<std::string> NamesNow() {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(scratch_ / "output")) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  SegmentReader Reader() { return SegmentReader(files_->directory(), kId, 0, kSegment); }

  ScratchDirectory scratch_;
  std::unique_ptr<HelperThread> helper_;
  std::unique_ptr<SystemOutputFiles> files_;
};

TEST_F(OutputFilesTest, NamesAreParsedAsTheyAreMade) {
  const auto name = ParseOutputName(SegmentName(kId, 1, 0x800000));
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(name->id, kId);
  EXPECT_EQ(name->stream, 1);
  EXPECT_EQ(name->start, 0x800000);
  EXPECT_EQ(ParseOutputName(SegmentName(kId, 2, 0))->stream, 2);
  EXPECT_TRUE(ParseOutputName(IndexName(kId))->is_index);
  for (const char* bad :
       {"", "x", "ABCDEFGHIJKLMNOP", "ABCDEFGHIJKLMNOP.3.0000000000000000",
        "ABCDEFGHIJKLMNOP.0.000000000000000g", "ABCDEFGHIJKLMNOP.0.-00000000000001",
        "ABCDEFGHIJKLMNOP.0.ffffffffffffffff", "ABCDEFGHIJKLMNOP.txt"}) {
    EXPECT_FALSE(ParseOutputName(bad).has_value()) << bad;
  }
}

TEST_F(OutputFilesTest, DirectoryIsForItsUserAlone) {
  struct stat facts {};
  ASSERT_EQ(stat((scratch_ / "output").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700u);
}

TEST_F(OutputFilesTest, BytesAreReadByAbsoluteOffsetAcrossSegments) {
  const std::string bytes = "The quick brown fox jumps over the lazy dog.";
  WriteStream(kId, 0, bytes);
  SegmentReader reader = Reader();
  std::string read;
  char buffer[7];
  while (true) {
    auto got = reader.Read(static_cast<int64_t>(read.size()), buffer, sizeof(buffer));
    if (!got.ok() || *got == 0) break;
    read.append(buffer, *got);
  }
  EXPECT_EQ(read, bytes);
}

TEST_F(OutputFilesTest, MissingSegmentIsNotFoundAndNegativeOffsetOutOfRange) {
  WriteStream(kId, 0, std::string(10, 'x'), 2 * kSegment);
  SegmentReader reader = Reader();
  char buffer[4];
  EXPECT_TRUE(absl::IsNotFound(reader.Read(0, buffer, 4).status()));
  EXPECT_TRUE(absl::IsOutOfRange(reader.Read(-1, buffer, 4).status()));
  EXPECT_EQ(*reader.Read(2 * kSegment + 10, buffer, 4), 0u);
}

TEST_F(OutputFilesTest, PlantedSymlinkIsNotFollowed) {
  WriteFile(scratch_ / "secret", "secret");
  std::filesystem::create_symlink(scratch_ / "secret", PathOf(SegmentName(kId, 0, 0)));
  SegmentReader reader = Reader();
  char buffer[8];
  EXPECT_FALSE(reader.Read(0, buffer, 8).ok());
}

TEST_F(OutputFilesTest, TailIsTheLastBytesOrWhatThereIs) {
  WriteStream(kId, 1, "0123456789abcdefghijklmnopqrstuvwxyz");
  const record::StreamState state{.begin = 0, .end = 36};
  EXPECT_EQ(files_->Tail(kId, 1, state, kSegment, 22), "efghijklmnopqrstuvwxyz");
  EXPECT_EQ(files_->Tail(kId, 1, state, kSegment, 100).size(), 36u);
  EXPECT_EQ(files_->Tail(kOther, 1, state, kSegment, 10), "");
  EXPECT_EQ(files_->Tail(kId, 1, {.begin = 5, .end = 5}, kSegment, 10), "");
}

TEST_F(OutputFilesTest, MeasureFindsTheEndsOfWhatIsThere) {
  WriteStream(kId, 0, std::string(40, 'x'), 2 * kSegment);
  WriteStream(kOther, 0, std::string(3, 'x'));
  const auto states = files_->Measure(kId, kSegment);
  EXPECT_EQ(states[0].begin, 2 * kSegment);
  EXPECT_EQ(states[0].end, 2 * kSegment + 40);
  EXPECT_EQ(states[1].begin, 0);
  EXPECT_EQ(states[1].end, 0);
}

TEST_F(OutputFilesTest, RemoveTakesEverythingOfOneProcess) {
  WriteStream(kId, 0, std::string(40, 'x'));
  WriteIndex(kId, {{0, 0, 1}});
  WriteStream(kOther, 1, "y");
  files_->Remove(kId, {{{.begin = 0, .end = 40}, {}}});
  EXPECT_EQ(Names(), std::set<std::string>{SegmentName(kOther, 1, 0)});
}

// Also where the shim has dropped more since its record was read, and not only once many are forgotten.
TEST_F(OutputFilesTest, SegmentsWhoseFirstWasDroppedAreRemovedAtOnce) {
  for (const int64_t known : {3 * kSegment, 2 * kSegment}) {
    WriteStream(kId, 1, std::string(40, 'x'), 3 * kSegment);
    WriteIndex(kId, {{1, 0, 1}});
    files_->Remove(kId, {{{}, {.begin = known, .end = 3 * kSegment + 40}}});
    Notification done;
    helper_->Run([&] { done.Notify(); });
    done.WaitForNotification();
    EXPECT_TRUE(NamesNow().empty());
  }
}

TEST_F(OutputFilesTest, RemoveAllButSparesWhatIsWrittenAfterTheCall) {
  WriteStream(kOther, 0, "old");
  Notification written;
  helper_->Run([&] { written.WaitForNotification(); });
  files_->RemoveAllBut({});
  WriteStream(kId, 0, "new");
  written.Notify();
  EXPECT_EQ(Names(), std::set<std::string>{SegmentName(kId, 0, 0)});
}

TEST_F(OutputFilesTest, RemoveAllButKeepsWhatIsKnownAndWhatIsNotOurs) {
  WriteStream(kId, 0, "x");
  WriteIndex(kId, {{0, 0, 1}});
  WriteStream(kOther, 0, "y");
  WriteFile(PathOf("note.txt"), "");
  files_->RemoveAllBut({kOther});
  EXPECT_EQ(Names(), (std::set<std::string>{SegmentName(kOther, 0, 0), "note.txt"}));
}

TEST_F(OutputFilesTest, TailLinesCountFromTheEnd) {
  const std::string text = "one\ntwo\nthree is longer than a segment\nfour\n";
  WriteStream(kId, 0, text);
  const auto end = static_cast<int64_t>(text.size());
  SegmentReader reader = Reader();
  const auto tail = [&](int64_t lines, int64_t until) {
    auto offset = OffsetOfTailLines(reader, {.begin = 0, .end = until}, kSegment, lines);
    EXPECT_TRUE(offset.ok()) << offset.status();
    return text.substr(static_cast<size_t>(*offset), static_cast<size_t>(until - *offset));
  };
  EXPECT_EQ(tail(1, end), "four\n");
  EXPECT_EQ(tail(2, end), "three is longer than a segment\nfour\n");
  EXPECT_EQ(tail(1, end - 1), "four");
  EXPECT_EQ(tail(99, end), text);
  EXPECT_EQ(tail(0, end), "");
}

TEST_F(OutputFilesTest, TailLinesStopAtAGap) {
  WriteStream(kId, 0, "bcdef\nlast\n", kSegment);
  SegmentReader reader = Reader();
  const auto offset = OffsetOfTailLines(reader, {.begin = 0, .end = kSegment + 11}, kSegment, 9);
  ASSERT_TRUE(offset.ok());
  EXPECT_EQ(*offset, kSegment);
}

TEST_F(OutputFilesTest, OffsetSinceFollowsTheTimeIndex) {
  constexpr int64_t kSecond = 1'000'000'000;
  WriteIndex(
      kId,
      {{0, 0, 10 * kSecond}, {1, 0, 11 * kSecond}, {0, 500, 20 * kSecond}, {0, 900, 30 * kSecond}});
  const record::StreamState state{.begin = 0, .end = 1000};
  const auto since = [&](int64_t ns) {
    return OffsetSince(files_->directory(), kId, 0, state, absl::FromUnixNanos(ns),
                       absl::FromUnixNanos(9 * kSecond));
  };
  EXPECT_EQ(since(0), 0);
  EXPECT_EQ(since(10 * kSecond), 0);
  EXPECT_EQ(since(15 * kSecond), 500);
  EXPECT_EQ(since(20 * kSecond + 9'000'000), 500);  // Within the 10 ms that a row stands for.
  EXPECT_EQ(since(20 * kSecond + 11'000'000), 900);
  EXPECT_EQ(since(31 * kSecond), 1000);
}

TEST_F(OutputFilesTest, OffsetSinceWithoutAnIndexKnowsTheStart) {
  const record::StreamState state{.begin = 7, .end = 9};
  const auto since = [&](absl::Duration after_start) {
    const absl::Time started = absl::FromUnixSeconds(1'700'000'000);
    return OffsetSince(files_->directory(), kId, 0, state, started + after_start, started);
  };
  EXPECT_EQ(since(-absl::Seconds(1)), 7);
  EXPECT_EQ(since(absl::Milliseconds(10)), 7);
  EXPECT_EQ(since(absl::Milliseconds(11)), 9);
  EXPECT_EQ(OffsetSince(files_->directory(), kId, 0, state, absl::Now()), 7);
}

TEST(HelperThread, RunsInOrderAndFinishesBeforeItIsGone) {
  std::vector<int> seen;
  {
    HelperThread helper;
    for (int i = 0; i < 100; ++i) helper.Run([&seen, i] { seen.push_back(i); });
  }
  ASSERT_EQ(seen.size(), 100u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

}  // namespace
}  // namespace shoal::agent
