#include "client/cli/units.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace shoal::cli {
namespace {

constexpr std::array<absl::string_view, 7> kUnits = {"bytes", "KiB", "MiB", "GiB",
                                                     "TiB",   "PiB", "EiB"};

// The unit in which `bytes` has at most four digits, and how many bytes that unit has.
size_t UnitOf(int64_t bytes, double* size) {
  size_t unit = 0;
  *size = 1;
  while (std::abs(static_cast<double>(bytes)) / *size >= 1000 && unit + 1 < kUnits.size()) {
    *size *= 1024;
    ++unit;
  }
  return unit;
}

}  // namespace

std::string FormatSpan(absl::Duration span) {
  if (span < absl::ZeroDuration()) span = absl::ZeroDuration();
  double seconds = absl::ToDoubleSeconds(span);
  if (seconds < 0.995) return absl::StrFormat("%.2f s", seconds);
  if (seconds < 59.95) {
    std::string text = absl::StrFormat("%.1f", seconds);
    if (text.size() > 2 && text.substr(text.size() - 2) == ".0") text.resize(text.size() - 2);
    return absl::StrCat(text, " s");
  }
  if (seconds >= 1e12) return "for ever";
  int64_t whole = std::llround(seconds);
  auto two = [](int64_t big, absl::string_view big_unit, int64_t small,
                absl::string_view small_unit) {
    return small == 0 ? absl::StrCat(big, " ", big_unit)
                      : absl::StrCat(big, " ", big_unit, " ", small, " ", small_unit);
  };
  if (whole < 3600) return two(whole / 60, "min", whole % 60, "s");
  if (whole < 86400) return two(whole / 3600, "h", whole % 3600 / 60, "min");
  return two(whole / 86400, "d", whole % 86400 / 3600, "h");
}

std::string FormatAge(absl::Duration age) {
  int64_t seconds = std::max<int64_t>(0, absl::ToInt64Seconds(age));
  if (seconds < 100) return absl::StrCat(seconds, "s");
  if (seconds < 100 * 60) return absl::StrCat(seconds / 60, "m");
  if (seconds < 48 * 3600) return absl::StrCat(seconds / 3600, "h");
  return absl::StrCat(seconds / 86400, "d");
}

std::string FormatBytes(int64_t bytes) {
  double size = 1;
  size_t unit = UnitOf(bytes, &size);
  if (unit == 0) return bytes == 1 ? "1 byte" : absl::StrCat(bytes, " bytes");
  double count = static_cast<double>(bytes) / size;
  return absl::StrFormat("%.*f %s", count < 9.95 ? 1 : 0, count, kUnits[unit]);
}

std::string FormatPart(int64_t part_bytes, int64_t whole_bytes) {
  double size = 1;
  size_t unit = UnitOf(whole_bytes, &size);
  return absl::StrFormat("%.1f / %.1f %s", static_cast<double>(part_bytes) / size,
                         static_cast<double>(whole_bytes) / size, kUnits[unit]);
}

std::string Count(int64_t count, absl::string_view noun, absl::string_view plural_ending) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : plural_ending);
}

std::string FormatClock(absl::Time time, absl::Time now) {
  absl::TimeZone zone = absl::LocalTimeZone();
  bool same_day = absl::ToCivilDay(time, zone) == absl::ToCivilDay(now, zone);
  return absl::FormatTime(same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", time, zone);
}

}  // namespace shoal::cli
