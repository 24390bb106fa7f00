// Output: every byte at its offset, caps, full disks, and which processes may hold a pipe open.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "agent/record/cut_rows.h"
#include "tests/shim/shim_test.h"

namespace shoal::testing {
namespace {

using OutputTest = ShimTest;
INSTANTIATE_TEST_SUITE_P(Shim, OutputTest, ::testing::Bool(), NameOfParam);

constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = 1024 * kKiB;

// 64 KiB in segments of 16.
void UseSmallCap(ShimHarness& shim) {
  shim.agent.cap_bytes = 64 * kKiB;
  shim.agent.segment_bytes = record::SegmentBytesFor(shim.agent.cap_bytes);
}

TEST_P(OutputTest, BothStreamsArriveInTheirFiles) {
  shim().StartChild({"print", "to stdout", "eprint", "to stderr"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "to stdout");
  EXPECT_EQ(shim().Output(1), "to stderr");
  EXPECT_EQ(half.streams[0].end, 9);
  EXPECT_EQ(half.streams[1].end, 9);
  EXPECT_EQ(half.flags, record::kStarted | record::kExited | record::kOutputComplete |
                            record::kEmpty | record::kFinal);
}

TEST_P(OutputTest, TheResultIsAStreamOfItsOwn) {
  shim().agent.flags |= record::kResultStream;
  shim().StartChild({"print", "out", "return", "answer", "eprint", "err", "list"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(shim().Output(2), "answer");
  EXPECT_EQ(half.streams[2].end, 6);
  EXPECT_EQ(shim().Output(1), "err");
  EXPECT_NE(shim().Output(0).find("\nfd=3 pipe:"), std::string::npos);
  EXPECT_EQ(shim().Output(0).find("\nfd=4"), std::string::npos);
}

TEST_P(OutputTest, TheResultIsApartFromMergedStreams) {
  shim().agent.flags |= record::kResultStream | record::kMergeStderr;
  shim().StartChild({"print", "1", "return", "answer", "eprint", "2"});
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "12");
  EXPECT_EQ(shim().Output(1), "");
  EXPECT_EQ(shim().Output(2), "answer");
}

TEST_P(OutputTest, OutputIsCompleteOnlyWhenTheResultIs) {
  shim().agent.flags |= record::kResultStream;
  const std::string fifo = shim().dir() + "/go";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  shim().StartChild({"close-output", "return", "half", "open-fifo", fifo, "return", "+rest"});
  shim().Await([&](const record::ShimHalf&) { return shim().Output(2) == "half"; }, "result");
  EXPECT_FALSE(shim().Read().flags & record::kOutputComplete);
  close(open(fifo.c_str(), O_WRONLY));
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(2), "half+rest");
}

TEST_P(OutputTest, ASilentProcessMakesNoFile) {
  shim().StartChild({"exit", "0"});
  shim().AwaitFinal();
  EXPECT_TRUE(shim().OutputFiles().empty());
}

TEST_P(OutputTest, FilesAreReadableByTheirOwnerOnly) {
  shim().StartChild({"print", "x"});
  shim().AwaitFinal();
  struct stat file = {};
  ASSERT_EQ(stat((shim().output_dir + "/" + shim().Id() + ".0.0000000000000000").c_str(), &file),
            0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST_P(OutputTest, MergedStderrKeepsItsPlace) {
  shim().agent.flags |= record::kMergeStderr;
  shim().StartChild({"print", "1", "eprint", "2", "print", "3", "eprint", "4"});
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "1234");
  EXPECT_EQ(shim().Output(1), "");
}

TEST_P(OutputTest, AFloodIsByteExactAcrossSegments) {
  constexpr int64_t kBytes = 33 * kMiB + 12345;
  shim().StartChild(
      {"fork", "flood", "1", std::to_string(kBytes), "--", "flood", "0", std::to_string(kBytes)});
  const record::ShimHalf half = shim().AwaitFinal();
  for (int stream : {0, 1}) {
    EXPECT_EQ(half.streams[stream].begin, 0);
    ASSERT_EQ(half.streams[stream].end, kBytes);
    EXPECT_TRUE(shim().Output(stream) == PatternBytes(0, kBytes)) << "stream " << stream;
  }
  EXPECT_EQ(shim().OutputFiles().count(shim().Id() + ".0.0000000002000000"), 1u);
}

TEST_P(OutputTest, TruncatingDevStdoutWipesNothing) {
  shim().StartChild({"print", "before ", "truncate-stdout", "print", " after"});
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "before truncated after");
}

TEST_P(OutputTest, AGrandchildThatHoldsStdoutDelaysNeitherExitNorReport) {
  shim().StartChild({"fork", "ignore", "15", "pause", "--", "print", "main", "exit", "7"});
  const record::ShimHalf half = shim().AwaitFlags(record::kExited);
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 7);
  EXPECT_FALSE(half.flags & (record::kOutputComplete | record::kEmpty));
  shim().AwaitOutput(0, "main");
  shim().Terminate(SIGKILL, 0);
  EXPECT_EQ(WEXITSTATUS(shim().AwaitFinal().wait_status), 7);
}

TEST_P(OutputTest, OutputMayBeCompleteBeforeTheExit) {
  shim().StartChild({"print", "bye", "close-output", "pause"});
  const record::ShimHalf half = shim().AwaitFlags(record::kOutputComplete);
  EXPECT_FALSE(half.flags & record::kExited);
  shim().Terminate(SIGTERM, kSec);
  EXPECT_EQ(WTERMSIG(shim().AwaitFinal().wait_status), SIGTERM);
  EXPECT_EQ(shim().Output(0), "bye");
}

TEST_P(OutputTest, DropOldestKeepsTheNewestBytesAndSaysWhereTheyBegin) {
  UseSmallCap(shim());
  shim().agent.flags |= record::kDropOldest;
  constexpr int64_t kBytes = 1000 * kKiB + 77;
  shim().StartChild({"flood", "0", std::to_string(kBytes)});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_TRUE(half.flags & record::kOutputDropped);
  EXPECT_EQ(half.streams[0].end, kBytes);
  EXPECT_GT(half.streams[0].begin, kBytes - 64 * kKiB - kKiB);
  EXPECT_EQ(half.streams[0].begin % shim().agent.segment_bytes, 0);
  EXPECT_TRUE(shim().Output(0) ==
              PatternBytes(static_cast<uint64_t>(half.streams[0].begin), kBytes));
  EXPECT_LE(shim().OutputFiles().size(), 5u);
}

TEST_P(OutputTest, BlockMakesTheWriterWaitUntilAcknowledged) {
  UseSmallCap(shim());
  constexpr int64_t kBytes = 500 * kKiB;
  shim().StartChild({"flood", "0", std::to_string(kBytes), "print", "done"});
  std::string bytes;
  while (static_cast<int64_t>(bytes.size()) < kBytes + 4 && !HasFailure()) {
    record::ShimHalf half = shim().Await(
        [&](const record::ShimHalf& now) {
          return (now.flags & record::kOutputStalled) || (now.flags & record::kOutputComplete);
        },
        "stall");
    ASSERT_LE(half.streams[0].end - half.streams[0].begin, 64 * kKiB + 64 * kKiB)
        << "cap, and the pipe's rest";
    const std::string kept = shim().Output(0);
    bytes += kept.substr(bytes.size() - static_cast<size_t>(half.streams[0].begin));
    if (half.flags & record::kFinal) break;
    const int64_t before = half.streams[0].end;
    shim().agent.acknowledged[0] = static_cast<int64_t>(bytes.size());
    shim().Tell();
    shim().Await(
        [&](const record::ShimHalf& now) {
          return now.streams[0].end > before || (now.flags & record::kFinal);
        },
        "room");
  }
  shim().AwaitFinal();
  EXPECT_TRUE(bytes == PatternBytes(0, kBytes) + "done");
}

TEST_P(OutputTest, AStalledProcessThatIsEndedLosesNoByteOfItsPipe) {
  UseSmallCap(shim());
  shim().StartChild({"flood", "0", std::to_string(kMiB)});
  shim().AwaitFlags(record::kOutputStalled);
  shim().Terminate(SIGTERM, 10 * kSec);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_GE(half.streams[0].end, 64 * kKiB);
  EXPECT_FALSE(half.flags & record::kOutputStalled);
  EXPECT_TRUE(shim().Output(0) == PatternBytes(0, static_cast<uint64_t>(half.streams[0].end)));
}

TEST_P(OutputTest, ARaisedCapLetsAStalledWriterGoOn) {
  UseSmallCap(shim());
  shim().StartChild({"flood", "1", std::to_string(200 * kKiB)});
  shim().AwaitFlags(record::kOutputStalled);
  shim().agent.cap_bytes = kMiB;
  shim().Tell();
  shim().AwaitFinal();
  EXPECT_TRUE(shim().Output(1) == PatternBytes(0, 200 * kKiB));
}

// A tmpfs of `size_kib` at `path`, unmounted at its end.
class SmallDisk {
 public:
  SmallDisk(std::string path, int size_kib) : path_(std::move(path)) {
    mkdir(path_.c_str(), 0700);
    mounted_ = mount("none", path_.c_str(), "tmpfs", 0,
                     ("size=" + std::to_string(size_kib) + "k").c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool mounted_ = false;
};

TEST_P(OutputTest, AFullDiskMakesTheWriterWaitAndLosesNothing) {
  SmallDisk disk(shim().dir() + "/small", 256);
  if (!disk.mounted()) GTEST_SKIP() << "may not mount";
  shim().output_dir = disk.path();
  constexpr int64_t kBytes = 900 * kKiB;
  shim().StartChild({"flood", "0", std::to_string(kBytes), "exit", "8"});
  shim().AwaitFlags(record::kOutputStalled);
  EXPECT_LE(shim().Read().streams[0].end, 256 * kKiB);
  ASSERT_EQ(mount("none", disk.path().c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 8);
  EXPECT_FALSE(half.flags & record::kOutputStalled);
  EXPECT_TRUE(shim().Output(0) == PatternBytes(0, kBytes));
}

TEST_P(OutputTest, OnAFullDiskDropOldestDropsItsOwnAndTheWriterGoesOn) {
  SmallDisk disk(shim().dir() + "/small", 256);
  if (!disk.mounted()) GTEST_SKIP() << "may not mount";
  shim().output_dir = disk.path();
  shim().agent.flags |= record::kDropOldest;
  shim().agent.cap_bytes = 512 * kKiB;
  shim().agent.segment_bytes = 64 * kKiB;
  constexpr int64_t kBytes = 900 * kKiB;
  shim().StartChild({"flood", "0", std::to_string(kBytes), "exit", "8"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 8);
  EXPECT_TRUE(half.flags & record::kOutputDropped);
  EXPECT_FALSE(half.flags & record::kOutputStalled);
  EXPECT_EQ(half.streams[0].end, kBytes);
  EXPECT_GE(half.streams[0].begin, kBytes - 256 * kKiB);
  EXPECT_TRUE(shim().Output(0) ==
              PatternBytes(static_cast<uint64_t>(half.streams[0].begin), kBytes));
}

TEST_P(OutputTest, AnExitIsReportedWhileTheDiskIsFull) {
  SmallDisk disk(shim().dir() + "/small", 64);
  if (!disk.mounted()) GTEST_SKIP() << "may not mount";
  shim().output_dir = disk.path();
  shim().StartChild({"flood", "0", std::to_string(100 * kKiB), "exit", "8"});
  const record::ShimHalf half =
      shim().AwaitFlags(record::kExited | record::kEmpty | record::kOutputStalled);
  EXPECT_FALSE(half.flags & record::kOutputComplete);
  ASSERT_EQ(mount("none", disk.path().c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0);
  shim().AwaitFinal();
  EXPECT_TRUE(shim().Output(0) == PatternBytes(0, 100 * kKiB));
}

// Under BLOCK and under DROP_OLDEST, which has no full segment that it could drop.
TEST_P(OutputTest, WhatADeletedProcessCouldNotWriteIsDropped) {
  for (const uint32_t policy : {0u, static_cast<uint32_t>(record::kDropOldest)}) {
    Reset();
    SmallDisk disk(shim().dir() + "/small", 64);
    if (!disk.mounted()) GTEST_SKIP() << "may not mount";
    shim().output_dir = disk.path();
    shim().agent.flags |= policy;
    shim().StartChild({"flood", "0", std::to_string(100 * kKiB), "exit", "8"});
    const record::ShimHalf full =
        shim().AwaitFlags(record::kExited | record::kEmpty | record::kOutputStalled);
    EXPECT_EQ(full.stall_errno, ENOSPC);
    shim().agent.flags |= record::kDropRest;
    shim().Tell();
    const record::ShimHalf half = shim().AwaitFinal();
    EXPECT_TRUE(half.flags & record::kRestDropped);
    EXPECT_FALSE(half.flags & (record::kOutputComplete | record::kOutputStalled));
    EXPECT_EQ(half.stall_errno, 0);
    EXPECT_EQ(WEXITSTATUS(half.wait_status), 8);
  }
}

TEST_P(OutputTest, NothingOfALivingTreeIsDropped) {
  const std::string fifo = shim().dir() + "/go";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  shim().agent.flags |= record::kDropRest;
  shim().StartChild({"print", "first", "open-fifo", fifo, "print", " last"});
  shim().AwaitOutput(0, "first");
  shim().Tell();
  close(open(fifo.c_str(), O_WRONLY));
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "first last");
}

TEST_P(OutputTest, OnAFullDiskWhatWasAcknowledgedMakesRoomUnderBlock) {
  SmallDisk disk(shim().dir() + "/small", 256);
  if (!disk.mounted()) GTEST_SKIP() << "may not mount";
  shim().output_dir = disk.path();
  shim().agent.cap_bytes = 512 * kKiB;
  shim().agent.segment_bytes = 64 * kKiB;
  constexpr int64_t kBytes = 900 * kKiB;
  shim().StartChild({"flood", "0", std::to_string(kBytes), "exit", "8"});
  for (record::ShimHalf half = {}; !(half.flags & record::kFinal);) {
    const int64_t acknowledged = shim().agent.acknowledged[0];
    half = shim().Await(
        [&](const record::ShimHalf& now) {
          return (now.flags & record::kFinal) ||
                 ((now.flags & record::kOutputStalled) && now.streams[0].end > acknowledged);
        },
        "stalled again, or final");
    shim().agent.acknowledged[0] = half.streams[0].end;
    if (!(half.flags & record::kFinal)) shim().Tell();
  }
  EXPECT_EQ(shim().AwaitFinal().streams[0].end, kBytes);
}

TEST_P(OutputTest, AFileSizeLimitStallsAndDoesNotKillTheShim) {
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small = {static_cast<rlim_t>(16 * kKiB), old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  shim().StartChild({"flood", "0", std::to_string(40 * kKiB), "exit", "8"});
  setrlimit(RLIMIT_FSIZE, &old);
  shim().AwaitFlags(record::kOutputStalled);
  ASSERT_EQ(prlimit(shim().shim_pid(), RLIMIT_FSIZE, &old, nullptr), 0);
  EXPECT_EQ(WEXITSTATUS(shim().AwaitFinal().wait_status), 8);
  EXPECT_TRUE(shim().Output(0) == PatternBytes(0, 40 * kKiB));
}

TEST_P(OutputTest, AMissingOutputDirectoryStallsAndHidesNoExit) {
  shim().StartChild({"print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  Reset();
  shim().output_dir = shim().dir() + "/gone";
  mkdir(shim().output_dir.c_str(), 0700);
  shim().StartChild({"sleep", "0.05", "print", "late", "exit", "9"});
  rmdir(shim().output_dir.c_str());
  const record::ShimHalf half = shim().AwaitFlags(record::kExited | record::kOutputStalled);
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 9);
}

TEST_P(OutputTest, WhatIsReadInTheFirstTenMillisecondsHasNoIndex) {
  shim().StartChild({"print", "x"});
  const record::ShimHalf half = shim().AwaitFinal();
  for (const record::IndexRow& row : shim().Index()) {  // on a busy machine it may come later
    EXPECT_GE(row.time_ns, half.started_ns + 10 * kMs);
  }
  EXPECT_EQ(shim().OutputFiles().size(), shim().Index().empty() ? 1u : 2u);
}

TEST_P(OutputTest, IndexRowsSayWhenBytesWereRead) {
  const std::string gate = shim().dir() + "/gate";
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  shim().StartChild({"print", "a", "open-fifo", gate, "sleep", "0.02", "print", "b", "open-fifo",
                     gate, "sleep", "0.02", "print", "c"});
  shim().AwaitOutput(0, "a");
  close(open(gate.c_str(), O_WRONLY | O_CLOEXEC));
  shim().AwaitOutput(0, "ab");
  close(open(gate.c_str(), O_WRONLY | O_CLOEXEC));
  const record::ShimHalf half = shim().AwaitFinal();
  const std::vector<record::IndexRow> rows = shim().Index();
  ASSERT_GE(rows.size(), 2u);
  const record::IndexRow& b = rows[rows.size() - 2];
  const record::IndexRow& c = rows[rows.size() - 1];
  EXPECT_EQ(b.offset, 1);
  EXPECT_EQ(c.offset, 2);
  EXPECT_GE(b.time_ns, half.started_ns + 20 * kMs);
  EXPECT_GE(c.time_ns, b.time_ns + 20 * kMs);
}

TEST_P(OutputTest, WhatAnotherProgramCutsAwayIsNotedBeforeMoreIsWritten) {
  const std::string gate = shim().dir() + "/gate";
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  shim().StartChild({"print", "abcd", "open-fifo", gate, "print", "e"});
  shim().AwaitOutput(0, "abcd");
  for (const auto& file : std::filesystem::directory_iterator(shim().output_dir)) {
    if (file.path().extension() != ".idx") std::filesystem::resize_file(file.path(), 1);
  }
  close(open(gate.c_str(), O_WRONLY | O_CLOEXEC));
  shim().AwaitFinal();
  std::vector<record::IndexRow> cuts;
  for (const record::IndexRow& row : shim().Index()) {
    if (row.stream >= record::kCutFrom) cuts.push_back(row);
  }
  ASSERT_EQ(cuts.size(), 2u);
  EXPECT_EQ(cuts[0].stream, record::kCutFrom);
  EXPECT_EQ(cuts[0].offset, 1);
  EXPECT_EQ(cuts[1].stream, record::kCutTo);
  EXPECT_EQ(cuts[1].offset, 4);
}

TEST_P(OutputTest, IndexRowsOfAStreamAreTenMillisecondsApart) {
  shim().StartChild({"flood", "0", std::to_string(40 * kMiB)});
  shim().AwaitFinal();
  const std::vector<record::IndexRow> rows = shim().Index();
  for (size_t i = 1; i < rows.size(); ++i) {
    EXPECT_GE(rows[i].time_ns - rows[i - 1].time_ns, 9 * kMs);
    EXPECT_GT(rows[i].offset, rows[i - 1].offset);
  }
}

}  // namespace
}  // namespace shoal::testing
