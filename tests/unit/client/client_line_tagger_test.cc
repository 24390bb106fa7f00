#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "shoal/line_tagger.h"

namespace shoal {
namespace {

constexpr v1::StreamKind kOut = v1::STREAM_KIND_STDOUT;
constexpr v1::StreamKind kErr = v1::STREAM_KIND_STDERR;

LineTagger Tagger(size_t max_line_bytes = 64) {
  LineTaggerOptions options;
  options.max_line_bytes = max_line_bytes;
  options.continuation_mark = "~";
  return LineTagger(options, [](int rank, v1::StreamKind stream) {
    return absl::StrCat(rank, stream == kErr ? "!" : "|");
  });
}

TEST(LineTagger, GivesOutOnlyWholeLines) {
  LineTagger tagger = Tagger();
  std::string out;
  tagger.Append(0, kOut, "on", &out);
  EXPECT_EQ(out, "");
  tagger.Append(0, kOut, "e\ntwo\nthr", &out);
  EXPECT_EQ(out, "0|one\n0|two\n");
}

TEST(LineTagger, RanksAndStreamsDoNotMix) {
  LineTagger tagger = Tagger();
  std::string out;
  tagger.Append(0, kOut, "a", &out);
  tagger.Append(1, kOut, "b", &out);
  tagger.Append(0, kErr, "c", &out);
  tagger.Append(1, kOut, "\n", &out);
  tagger.Append(0, kErr, "\n", &out);
  tagger.Append(0, kOut, "\n", &out);
  EXPECT_EQ(out, "1|b\n0!c\n0|a\n");
}

TEST(LineTagger, ALastLineWithoutNewlineIsFlushedOnce) {
  LineTagger tagger = Tagger();
  std::string out;
  tagger.Append(0, kOut, "end", &out);
  tagger.Flush(0, kOut, &out);
  tagger.Flush(0, kOut, &out);
  tagger.Flush(7, kOut, &out);
  EXPECT_EQ(out, "0|end\n");
}

TEST(LineTagger, FlushAllGoesInOrderOfRank) {
  LineTagger tagger = Tagger();
  std::string out;
  for (int rank : {2, 0, 1}) tagger.Append(rank, kOut, "x", &out);
  tagger.FlushAll(&out);
  EXPECT_EQ(out, "0|x\n1|x\n2|x\n");
}

TEST(LineTagger, ALongLineIsContinuedWithAMarkOnBothSides) {
  LineTagger tagger = Tagger(4);
  std::string out;
  tagger.Append(0, kOut, "abcdefghij\nk\n", &out);
  EXPECT_EQ(out, "0|abcd~\n0|~efgh~\n0|~ij\n0|k\n");
}

TEST(LineTagger, ALongLineIsNotCutWithinACharacter) {
  for (const std::string character : {"ä", "€", "😀"}) {
    for (const size_t chunk : {size_t{1}, size_t{3}, size_t{100}}) {
      LineTagger tagger = Tagger(6);
      std::string line;
      for (int i = 0; i < 20; ++i) absl::StrAppend(&line, "a", character);
      std::string out;
      for (size_t i = 0; i < line.size(); i += chunk) {
        tagger.Append(0, kOut, line.substr(i, chunk), &out);
      }
      tagger.Append(0, kOut, "\n", &out);
      std::string joined;
      for (absl::string_view piece : absl::StrSplit(out, '\n')) {
        absl::ConsumePrefix(&piece, "0|");
        absl::ConsumePrefix(&piece, "~");
        absl::ConsumeSuffix(&piece, "~");
        EXPECT_NE(static_cast<uint8_t>(piece.empty() ? 'a' : piece.front()) & 0xC0, 0x80) << piece;
        EXPECT_LE(piece.size(), 6u);
        absl::StrAppend(&joined, piece);
      }
      EXPECT_EQ(joined, line);
    }
  }
}

TEST(LineTagger, BytesThatAreNoCharacterAreCutWhereTheLineIsFull) {
  LineTagger tagger = Tagger(4);
  std::string out;
  tagger.Append(0, kOut, "\x80\x80\x80\x80\x80\x80\n", &out);
  EXPECT_EQ(out, "0|\x80\x80\x80\x80~\n0|~\x80\x80\n");
}

TEST(LineTagger, ALineOfExactlyTheLimitIsOnePiece) {
  LineTagger tagger = Tagger(4);
  std::string out;
  tagger.Append(0, kOut, "abcd", &out);
  EXPECT_EQ(out, "");
  tagger.Append(0, kOut, "\n", &out);
  EXPECT_EQ(out, "0|abcd\n");
}

TEST(LineTagger, EmptyLinesAndBytesThatAreNotTextPass) {
  LineTagger tagger = Tagger();
  std::string out;
  tagger.Append(0, kOut, absl::string_view("\n\0\xff\n", 4), &out);
  EXPECT_EQ(out, std::string("0|\n0|\0\xff\n", 8));
}

TEST(LineTagger, WithoutTagsBytesPassAsTheyCome) {
  LineTaggerOptions options;
  options.tag = false;
  LineTagger tagger(options, nullptr);
  std::string out;
  tagger.Append(0, kOut, "no newline", &out);
  tagger.Append(1, kErr, "\n\n", &out);
  tagger.FlushAll(&out);
  EXPECT_EQ(out, "no newline\n\n");
}

TEST(LineTagger, TheCutOfTheChunksDoesNotShow) {
  std::string text;
  for (int i = 0; i < 300; ++i)
    absl::StrAppend(&text, std::string(static_cast<size_t>(i % 23), 'x'), "\n");
  LineTagger whole = Tagger(8);
  std::string expected;
  whole.Append(0, kOut, text, &expected);
  std::mt19937 random(1);
  LineTagger pieces = Tagger(8);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t size = std::uniform_int_distribution<size_t>(1, 13)(random);
    pieces.Append(0, kOut, absl::string_view(text).substr(at, size), &out);
    at += size;
  }
  EXPECT_EQ(out, expected);
}

LineTagger Showing() {
  LineTaggerOptions options;
  options.max_line_bytes = 64;
  options.shows_controls = [](v1::StreamKind stream) { return stream == v1::STREAM_KIND_STDOUT; };
  return LineTagger(options, [](int rank, v1::StreamKind) { return absl::StrCat(rank, "│"); });
}

TEST(LineTagger, ALineCannotOverwriteItsTag) {
  LineTagger tagger = Showing();
  std::string out;
  tagger.Append(0, v1::STREAM_KIND_STDOUT,
                "ok\r7│ lie\b\x1b[2K\tthe\xc2\x9bre\x9b"
                "end é\xff\n",
                &out);
  EXPECT_EQ(out, "0│ok\r\n0│7│ lie\\x08\\x1b[2K\tthe\\xc2\\x9bre\\x9bend é\xff\n");
}

TEST(LineTagger, OfALineThatEndsInCrLfTheCrIsNoControl) {
  LineTagger tagger = Showing();
  std::string out;
  tagger.Append(0, v1::STREAM_KIND_STDOUT, "one\r\n\r\r\n", &out);
  EXPECT_EQ(out, "0│one\r\n0│\r\n0│\r\n");
}

TEST(LineTagger, OtherStreamsPassAsTheyAre) {
  LineTagger tagger = Showing();
  std::string out;
  tagger.Append(0, v1::STREAM_KIND_STDERR, "a\x1b\n", &out);
  EXPECT_EQ(out, "0│a\x1b\n");
}

TEST(LineTagger, ALineThatIsWrittenAnewAppearsEachTime) {
  LineTagger tagger = Tagger();
  std::string out;
  tagger.Append(0, kOut, "10%\r", &out);
  EXPECT_EQ(out, "0|10%\r\n");
  tagger.Append(0, kOut, "20%\r30%", &out);
  EXPECT_EQ(out, "0|10%\r\n0|20%\r\n");
  tagger.Append(0, kOut, "\n", &out);
  EXPECT_EQ(out, "0|10%\r\n0|20%\r\n0|30%\n");
}

TEST(LineTagger, ANewlineBehindAReturnIsTheSameEndHoweverItIsCut) {
  LineTagger tagger = Tagger();
  std::string out;
  tagger.Append(0, kOut, "a\r", &out);
  tagger.Append(0, kOut, "\nb\r\n", &out);
  tagger.Append(0, kOut, "\n", &out);
  EXPECT_EQ(out, "0|a\r\n0|b\r\n0|\n");
}

TEST(LineTagger, TextWithoutANewlineAppearsAtTheSecondTick) {
  LineTagger tagger = Tagger();
  std::string out;
  tagger.Append(0, kOut, "done\n", &out);
  tagger.Append(1, kOut, "Password: ", &out);
  tagger.Tick(kOut, &out);
  EXPECT_EQ(out, "0|done\n");
  tagger.Tick(kOut, &out);
  tagger.Tick(kOut, &out);
  tagger.Tick(kOut, &out);
  EXPECT_EQ(out, "0|done\n1|Password: ~\n");
  tagger.Append(1, kOut, "ok\n", &out);
  EXPECT_EQ(out, "0|done\n1|Password: ~\n1|~ok\n");
}

TEST(LineTagger, ATickCutsNoCharacter) {
  LineTagger tagger = Tagger();
  std::string out;
  tagger.Append(0, kOut, "日\xe6\x9c", &out);
  for (int i = 0; i < 4; ++i) tagger.Tick(kOut, &out);
  EXPECT_EQ(out, "0|日~\n");
  tagger.Append(0, kOut, "\xac\n", &out);
  EXPECT_EQ(out, "0|日~\n0|~本\n");
}

TEST(LineTagger, WhatIsInsertedStandsOnALineOfItsOwn) {
  LineTagger tagger = Tagger();
  std::string out;
  tagger.Insert(0, kOut, "[gap]", &out);
  tagger.Append(0, kOut, "be", &out);
  tagger.Insert(0, kOut, "[gap]", &out);
  tagger.Append(0, kOut, "hind\n", &out);
  EXPECT_EQ(out, "0|[gap]\n0|be~\n0|[gap]\n0|~hind\n");
}

TEST(LineTagger, AStampIsThatOfTheBeginningOfItsLine) {
  LineTagger tagger = Tagger(8);
  std::string out;
  tagger.Stamp(0, kOut, "T1 ");
  tagger.Append(0, kOut, "a\nb", &out);
  tagger.Stamp(0, kOut, "T2 ");
  tagger.Append(0, kOut, "c\nd\n0123456789", &out);
  tagger.Stamp(0, kOut, "T3 ");
  tagger.Append(0, kErr, "e\n", &out);
  tagger.Insert(0, kOut, "[gap]", &out);
  tagger.Append(0, kOut, "\nf", &out);
  tagger.Flush(0, kOut, &out);
  EXPECT_EQ(out,
            "T1 0|a\nT1 0|bc\nT2 0|d\nT2 0|01234567~\n0!e\nT2 0|~89~\nT3 0|[gap]\n"
            "T2 0|~\nT3 0|f\n");
}

}  // namespace
}  // namespace shoal
