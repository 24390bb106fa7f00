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

}  // namespace
}  // namespace shoal
