// What is pushed of streams whose segments are files of the test, into a sink that is the test.
#include "agent/output/output_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/output/output_name.h"
#include "agent/record/cut_rows.h"
#include "common/unique_fd.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::NotNull;

constexpr char kRead[] = "ABCDEFGHIJKLMNOP";
constexpr char kOtherRead[] = "QRSTUVWXYZ234567";
constexpr int64_t kReaderSegment = 1 << 20;
constexpr WantedStreams kOutAndErr = {true, true, false};

// Takes `room` frames and writes them down as words.
class FakeSink final : public OutputSink {
 public:
  bool HasRoom() override { return room > 0 && !ending; }
  bool Push(OutputFrame&& frame) override {
    if (!HasRoom()) return false;
    --room;
    const std::string place = absl::StrCat(frame.id.substr(0, 1), frame.stream, "@", frame.offset);
    if (const auto* data = std::get_if<std::string>(&frame.content)) {
      words.push_back(data->size() > 16 ? absl::StrCat(place, " ", data->size(), " bytes")
                                        : absl::StrCat(place, " ", *data));
    } else if (const auto* gap = std::get_if<OutputGap>(&frame.content)) {
      words.push_back(
          absl::StrCat(place, " gap to ", gap->to, " for ", static_cast<int>(gap->reason)));
    } else {
      const bool truncated = std::get<OutputEnd>(frame.content).truncated;
      words.push_back(absl::StrCat(place, truncated ? " truncated" : " end"));
    }
    if (frame.time != absl::InfinitePast()) {
      absl::StrAppend(&words.back(), " of ", absl::ToUnixNanos(frame.time));
    }
    return true;
  }
  void Close() override { ending = closed = true; }
  void Fail(const absl::Status& status) override {
    ending = true;
    failure = status;
  }
  bool IsEnding() const override { return ending; }

  int room = 1000;
  bool ending = false;
  bool closed = false;
  absl::Status failure;
  std::vector<std::string> words;
};

class OutputReaderTest : public ::testing::Test {
 protected:
  void Begin(WantedStreams wanted = kOutAndErr, OutputStart start = {}, OutputForm form = {}) {
    reader_ =
        std::make_shared<OutputReader>(directory_.get(), wanted, std::move(start), form, sink_,
                                       [this](const std::string& id) { asked_.push_back(id); });
  }
  void WriteIndex(const std::string& id, const std::vector<record::IndexRow>& rows) {
    WriteFile(scratch_ / IndexName(id), std::string(reinterpret_cast<const char*>(rows.data()),
                                                    rows.size() * sizeof(record::IndexRow)));
  }
  // The segment of `stream` from `start` on, and the update that tells of it.
  void Write(const std::string& id, int stream, const std::string& bytes, int64_t start = 0) {
    WriteFile(scratch_ / SegmentName(id, stream, start), bytes);
  }
  OutputUpdate UpdateOf(const std::string& id, int64_t out, int64_t err = 0) {
    OutputUpdate update;
    update.id = id;
    update.segment_bytes = kReaderSegment;
    update.streams[record::kStdout].end = out;
    update.streams[record::kStderr].end = err;
    update.has = {true, true, false};
    return update;
  }
  // As the output thread does it; returns how many turns it took.
  int Run() {
    int turns = 1;
    while (reader_->DoSome()) ++turns;
    return turns;
  }
  std::vector<std::string> TakeWords() { return std::exchange(sink_->words, {}); }

  ScratchDirectory scratch_;
  const UniqueFd directory_{open(scratch_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  std::shared_ptr<FakeSink> sink_ = std::make_shared<FakeSink>();
  std::shared_ptr<OutputReader> reader_;
  std::vector<std::string> asked_;
};

TEST_F(OutputReaderTest, StreamsComeInTheOrderOfTheirReports) {
  Begin();
  Write(kRead, 0, "onethree");
  Write(kRead, 1, "two");
  reader_->Tell(UpdateOf(kRead, 3));
  Run();
  reader_->Tell(UpdateOf(kRead, 3, 3));
  Run();
  reader_->Tell(UpdateOf(kRead, 8, 3));
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 one", "A1@0 two", "A0@3 three"));
  EXPECT_FALSE(sink_->ending);
}

TEST_F(OutputReaderTest, FramesHaveALimitAndProcessesTakeTurns) {
  Begin();
  Write(kRead, 0, std::string(80 << 10, 'a'));
  Write(kOtherRead, 0, "b");
  reader_->Tell(UpdateOf(kRead, 80 << 10));
  reader_->Tell(UpdateOf(kOtherRead, 1));
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 32768 bytes", "Q0@0 b", "A0@32768 32768 bytes",
                                        "A0@65536 16384 bytes"));
}

TEST_F(OutputReaderTest, AfterSomeFramesAnotherReaderHasItsTurn) {
  Begin();
  Write(kRead, 0, std::string(1 << 20, 'a'));
  reader_->Tell(UpdateOf(kRead, 1 << 20));
  EXPECT_EQ(Run(), 2);  // of 16 frames each
  EXPECT_EQ(sink_->words.size(), 32u);
}

TEST_F(OutputReaderTest, AFullSinkIsOfferedTheSameBytesAgain) {
  Begin();
  Write(kRead, 0, "hello");
  sink_->room = 0;
  reader_->Tell(UpdateOf(kRead, 5));
  EXPECT_EQ(Run(), 1);
  EXPECT_THAT(TakeWords(), IsEmpty());
  sink_->room = 1;
  Run();
  EXPECT_THAT(TakeWords(), ElementsAre("A0@0 hello"));
}

TEST_F(OutputReaderTest, WhatWasDroppedIsAGapWithItsReason) {
  Begin();
  Write(kRead, 0, "tail", kReaderSegment);
  OutputUpdate update = UpdateOf(kRead, kReaderSegment + 4);
  update.streams[record::kStdout].begin = kReaderSegment;
  update.drops_oldest = true;
  reader_->Tell(update);
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 gap to 1048576 for 0", "A0@1048576 tail"));
}

TEST_F(OutputReaderTest, AMissingSegmentIsAskedAboutOnceThenAGap) {
  Begin();
  Write(kRead, 0, "tail", kReaderSegment);
  reader_->Tell(UpdateOf(kRead, kReaderSegment + 4));
  reader_->TellFinal();
  Run();
  EXPECT_THAT(asked_, ElementsAre(kRead));
  EXPECT_THAT(sink_->words, IsEmpty());
  EXPECT_FALSE(sink_->closed) << "the answer is to come";
  OutputUpdate answer = UpdateOf(kRead, kReaderSegment + 4);
  answer.checked = true;
  reader_->Tell(answer);
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 gap to 1048576 for 2", "A0@1048576 tail"));
  EXPECT_THAT(asked_, ElementsAre(kRead));
  EXPECT_TRUE(sink_->closed);
}

TEST_F(OutputReaderTest, WhatIsGoneEndsWithAGap) {
  Begin({true, false, false});
  reader_->Tell(UpdateOf(kRead, 9));
  Run();
  OutputUpdate gone;
  gone.id = kRead;
  gone.gone = true;
  reader_->Tell(gone);
  reader_->TellFinal();
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 gap to 9 for 2", "A0@9 end"));
  EXPECT_TRUE(sink_->closed);
}

TEST_F(OutputReaderTest, EveryWantedStreamOfWhatIsCompleteEnds) {
  Begin();
  Write(kRead, 0, "hi");
  OutputUpdate update = UpdateOf(kRead, 2);
  update.complete = update.truncated = true;
  reader_->Tell(update);
  reader_->TellFinal();
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 hi", "A0@2 truncated", "A1@0 truncated"));
  EXPECT_TRUE(sink_->closed);
}

TEST_F(OutputReaderTest, ReadingBeginsWhereItWasLeftOff) {
  OutputStart start;
  start.from = OutputStart::From::kTailBytes;
  start.number = 2;
  start.resume[{kRead, record::kStdout}] = 4;
  Begin(kOutAndErr, start);
  Write(kRead, 0, "0123456");
  Write(kRead, 1, "abcdef");
  Write(kOtherRead, 0, "new");
  reader_->Tell(UpdateOf(kRead, 7, 6));
  OutputUpdate later = UpdateOf(kOtherRead, 3);
  later.is_new = true;
  reader_->Tell(later);
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@4 456", "Q0@0 new", "A1@4 ef"));
}

TEST_F(OutputReaderTest, FramesAreAsLargeAsTheFormSays) {
  OutputForm form;
  form.frame_bytes = 4;
  Begin(kOutAndErr, {}, form);
  Write(kRead, 0, "abcdefghij");
  reader_->Tell(UpdateOf(kRead, 10));
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 abcd", "A0@4 efgh", "A0@8 ij"));
}

TEST(LargeFrames, AreForFewAtATime) {
  LargeFrames frames;
  std::vector<std::unique_ptr<LargeFrames::Lease>> taken;
  taken.reserve(static_cast<size_t>(LargeFrames::kMost));
  for (int i = 0; i < LargeFrames::kMost; ++i) taken.push_back(frames.Take());
  EXPECT_THAT(taken, Each(NotNull()));
  EXPECT_EQ(frames.Take(), nullptr);
  EXPECT_EQ(frames.Take(), nullptr);
  taken.pop_back();
  EXPECT_NE(frames.Take(), nullptr);
}

TEST_F(OutputReaderTest, ADirectoryThatCannotBeReadEndsTheSink) {
  reader_ = std::make_shared<OutputReader>(/*directory=*/-1, kOutAndErr, OutputStart{},
                                           OutputForm{}, sink_, [](const std::string&) {});
  reader_->Tell(UpdateOf(kRead, 3));
  Run();
  EXPECT_FALSE(sink_->failure.ok());
  EXPECT_FALSE(sink_->closed);
}

TEST_F(OutputReaderTest, WhatWasCutAwayWhileItWasWrittenIsAGapAndNoZeros) {
  Begin();
  Write(kRead, 0, std::string("ab\0\0\0\0gh", 8));
  WriteIndex(kRead, {{record::kCutFrom, 2, 10}, {record::kCutTo, 6, 10}});
  reader_->Tell(UpdateOf(kRead, 8));
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 ab", "A0@2 gap to 6 for 2", "A0@6 gh"));
}

TEST_F(OutputReaderTest, ZerosThatWereWrittenAreOutput) {
  Begin();
  Write(kRead, 0, std::string("a\0b", 3));
  WriteIndex(kRead, {{record::kCutFrom | 1, 0, 10}, {record::kCutTo | 1, 3, 10}});
  reader_->Tell(UpdateOf(kRead, 3));
  Run();
  EXPECT_THAT(sink_->words, ElementsAre(std::string("A0@0 a\0b", 8)));
}

TEST_F(OutputReaderTest, ByTimeTheOldestByteOfAllStreamsIsNext) {
  Begin(kOutAndErr, {}, {.by_time = true});
  Write(kRead, 0, "ab");
  Write(kRead, 1, "xy");
  Write(kOtherRead, 0, "QR");
  WriteIndex(kRead, {{0, 0, 10}, {1, 0, 20}, {0, 1, 40}, {1, 1, 50}});
  WriteIndex(kOtherRead, {{0, 0, 30}, {0, 1, 60}});
  reader_->Tell(UpdateOf(kRead, 2, 2));
  reader_->Tell(UpdateOf(kOtherRead, 2));
  Run();
  EXPECT_THAT(sink_->words,
              ElementsAre("A0@0 a", "A1@0 x", "Q0@0 Q", "A0@1 b", "A1@1 y", "Q0@1 R"));
}

TEST_F(OutputReaderTest, ByTimeAFrameGoesAsFarAsNoOtherStreamIsOlder) {
  Begin(kOutAndErr, {}, {.by_time = true});
  Write(kRead, 0, "abc");
  Write(kRead, 1, "x");
  WriteIndex(kRead, {{0, 0, 10}, {0, 1, 20}, {1, 0, 25}, {0, 2, 30}});
  reader_->Tell(UpdateOf(kRead, 3, 1));
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 ab", "A1@0 x", "A0@2 c"));
}

TEST_F(OutputReaderTest, BytesBeforeTheFirstTimeAreOfTheStart) {
  Begin(kOutAndErr, {}, {.by_time = true, .times = true});
  Write(kRead, 0, "ab");
  Write(kRead, 1, "x");
  WriteIndex(kRead, {{0, 1, 30}});
  OutputUpdate update = UpdateOf(kRead, 2, 1);
  update.started = absl::FromUnixNanos(5);
  update.complete = true;
  reader_->Tell(update);
  Run();
  EXPECT_THAT(sink_->words,
              ElementsAre("A0@0 a of 5", "A1@0 x of 5", "A1@1 end", "A0@1 b of 30", "A0@2 end"));
}

TEST_F(OutputReaderTest, WithTimesEveryFrameHasOne) {
  Begin(kOutAndErr, {}, {.times = true});
  Write(kRead, 0, "abcd", kReaderSegment);
  WriteIndex(kRead,
             {{0, 7, 10}, {1, 0, 15}, {0, kReaderSegment + 1, 20}, {0, kReaderSegment + 3, 30}});
  OutputUpdate update = UpdateOf(kRead, kReaderSegment + 4);
  update.streams[record::kStdout].begin = kReaderSegment;
  reader_->Tell(update);
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 gap to 1048576 for 1 of 10", "A0@1048576 a of 10",
                                        "A0@1048577 bc of 20", "A0@1048579 d of 30"));
}

TEST_F(OutputReaderTest, TimesThatAreNotedLaterAreRead) {
  Begin(kOutAndErr, {}, {.by_time = true, .times = true});
  Write(kRead, 0, "abc");
  WriteIndex(kRead, {{0, 0, 10}});
  reader_->Tell(UpdateOf(kRead, 1));
  Run();
  WriteIndex(kRead, {{0, 0, 10}, {0, 2, 20}});
  reader_->Tell(UpdateOf(kRead, 3));
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 a of 10", "A0@1 b of 10", "A0@2 c of 20"));
}

TEST_F(OutputReaderTest, ByTimeAnAnswerIsAwaitedThatMayBeOlder) {
  Begin({true, false, false}, {}, {.by_time = true});
  Write(kOtherRead, 0, "new");
  WriteIndex(kRead, {{0, 0, 10}});
  WriteIndex(kOtherRead, {{0, 0, 20}});
  reader_->Tell(UpdateOf(kOtherRead, 3));
  reader_->Tell(UpdateOf(kRead, 4));
  Run();
  EXPECT_THAT(asked_, ElementsAre(kRead));
  EXPECT_THAT(sink_->words, IsEmpty());
  OutputUpdate answer = UpdateOf(kRead, 4);
  answer.checked = true;
  reader_->Tell(answer);
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 gap to 4 for 2", "Q0@0 new"));
}

TEST_F(OutputReaderTest, ATimeIsFoundBehindManyOfTheOtherStream) {
  Begin(kOutAndErr, {}, {.by_time = true, .times = true});
  std::vector<record::IndexRow> rows;
  rows.reserve(600);
  for (int i = 0; i < 600; ++i) rows.push_back({1, i, i});
  rows.push_back({0, 1, 600});
  WriteIndex(kRead, rows);
  Write(kRead, 0, "ab");
  Write(kRead, 1, std::string(600, 'x'));
  OutputStart start;
  start.resume[{kRead, record::kStdout}] = 1;
  start.resume[{kRead, record::kStderr}] = 598;
  Begin(kOutAndErr, start, {.by_time = true, .times = true});
  reader_->Tell(UpdateOf(kRead, 2, 600));
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A1@598 x of 598", "A1@599 x of 599", "A0@1 b of 600"));
}

TEST_F(OutputReaderTest, GapsAloneAreFoundWithoutTheBytes) {
  Begin({true, false, false}, {}, {.gaps_only = true});
  // A first segment that was dropped, one that is there with a cut in it, one that ends too early, one that is there.
  Write(kRead, 0, std::string(kReaderSegment, 'a'), kReaderSegment);
  Write(kRead, 0, "ab", 2 * kReaderSegment);
  Write(kRead, 0, "tail", 3 * kReaderSegment);
  WriteIndex(kRead, {{record::kCutFrom, kReaderSegment + 5, 10},
                     {record::kCutTo, kReaderSegment + 9, 10}});
  OutputUpdate update = UpdateOf(kRead, 3 * kReaderSegment + 4);
  update.streams[record::kStdout].begin = kReaderSegment;
  update.drops_oldest = true;
  update.complete = true;
  reader_->Tell(update);
  Run();
  EXPECT_THAT(asked_, ElementsAre(kRead));
  update.checked = true;
  reader_->Tell(update);
  reader_->TellFinal();
  Run();
  EXPECT_THAT(sink_->words,
              ElementsAre("A0@0 gap to 1048576 for 0", "A0@1048581 gap to 1048585 for 2",
                          "A0@2097154 gap to 3145728 for 2", "A0@3145732 end"));
  EXPECT_TRUE(sink_->closed);
}

TEST_F(OutputReaderTest, ThatItIsGoneIsAnAnswerBehindNewsToo) {
  Begin({true, false, false});
  reader_->Tell(UpdateOf(kRead, 9));
  Run();
  EXPECT_THAT(asked_, ElementsAre(kRead));
  reader_->Tell(UpdateOf(kRead, 12));
  OutputUpdate gone;
  gone.id = kRead;
  gone.gone = true;
  reader_->Tell(gone);
  reader_->TellFinal();
  Run();
  EXPECT_THAT(sink_->words, ElementsAre("A0@0 gap to 12 for 2", "A0@12 end"));
  EXPECT_TRUE(sink_->closed);
}

}  // namespace
}  // namespace shoal::agent
