#include "common/span.h"

#include <string>

#include "gtest/gtest.h"

namespace shoal {
namespace {

struct SpanCase {
  const char* text;
  absl::Duration span;
};

TEST(ParseSpan, ReadsWhatPeopleWrite) {
  const SpanCase cases[] = {
      {"10", absl::Seconds(10)},
      {"2.5s", absl::Seconds(2.5)},
      {"500ms", absl::Milliseconds(500)},
      {"1h30m", absl::Minutes(90)},
      {"2d", absl::Hours(48)},
      {"1d12h", absl::Hours(36)},
      {"0", absl::ZeroDuration()},
      {"inf", absl::InfiniteDuration()},
  };
  for (const SpanCase& c : cases) {
    absl::StatusOr<absl::Duration> span = ParseSpan(c.text);
    ASSERT_TRUE(span.ok()) << c.text << ": " << span.status();
    EXPECT_EQ(*span, c.span) << c.text;
  }
}

TEST(ParseSpan, RefusesWhatIsNoSpanWithAnExample) {
  for (const char* text : {"", "x", "3x", "-1s", "-5", "nan", "d", "1d-2h", "1e300h", "\n"}) {
    absl::StatusOr<absl::Duration> span = ParseSpan(text);
    ASSERT_FALSE(span.ok()) << text;
    EXPECT_NE(span.status().message().find("30s"), std::string::npos) << span.status();
  }
}

TEST(ParseSpan, KeepsToItsBounds) {
  EXPECT_EQ(ParseSpan("inf", SpanBounds::kFinite).status().message(),
            "\"inf\" has no end; give a span such as 30s or 2d");
  EXPECT_EQ(*ParseSpan("0", SpanBounds::kFinite), absl::ZeroDuration());
  EXPECT_EQ(ParseSpan("0s", SpanBounds::kAboveZero).status().message(),
            "\"0s\" is no span above zero; leave it out for none");
  EXPECT_EQ(*ParseSpan("inf", SpanBounds::kAboveZero), absl::InfiniteDuration());
  EXPECT_EQ(*ParseSpan("36500d"), absl::Hours(24 * 36500));
  EXPECT_EQ(ParseSpan("40000d").status().message(), "\"40000d\" is longer than 100 years");
}

}  // namespace
}  // namespace shoal
