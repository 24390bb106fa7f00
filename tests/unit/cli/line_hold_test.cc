#include "client/cli/line_hold.h"

#include <cstddef>
#include <string>

#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

constexpr v1::StreamKind kHeldOut = v1::STREAM_KIND_STDOUT;
constexpr v1::StreamKind kHeldErr = v1::STREAM_KIND_STDERR;

TEST(LineHold, GivesOutUpToTheLastNewline) {
  LineHold hold;
  EXPECT_EQ(hold.Take("web", kHeldOut, "one\ntwo\nth"), "one\ntwo\n");
  EXPECT_EQ(hold.Take("web", kHeldOut, "re"), "");
  EXPECT_EQ(hold.Take("web", kHeldOut, "e\r\nfo"), "three\r\n");
  EXPECT_EQ(hold.TakeRest("web", kHeldOut), "fo");
  EXPECT_EQ(hold.TakeRest("web", kHeldOut), "");
}

TEST(LineHold, StreamsDoNotMix) {
  LineHold hold;
  EXPECT_EQ(hold.Take("web", kHeldOut, "out"), "");
  EXPECT_EQ(hold.Take("web", kHeldErr, "err\n"), "err\n");
  EXPECT_EQ(hold.Take("db", kHeldOut, "\n"), "\n");
  EXPECT_EQ(hold.Take("web", kHeldOut, "\n"), "out\n");
}

TEST(LineHold, ALineThatIsTooLongIsNotHeld) {
  LineHold hold;
  const std::string half(size_t{40} << 10, 'a');
  EXPECT_EQ(hold.Take("web", kHeldOut, half), "");
  EXPECT_EQ(hold.Take("web", kHeldOut, half), half + half);
  EXPECT_EQ(hold.TakeRest("web", kHeldOut), "");
}

}  // namespace
}  // namespace shoal::cli
