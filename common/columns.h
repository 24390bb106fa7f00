// Text in the columns of a terminal.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_COMMON_COLUMNS_H_
#define SHOAL_COMMON_COLUMNS_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

// Columns that a terminal gives to `text`: code points, those of zero width not counted. Wide East
// Asian ones count as two.
size_t DisplayWidth(absl::string_view text);

// `text`, or its front with "…" behind it, in at most `width` columns. REQUIRES: width > 0
std::string CutToWidth(absl::string_view text, size_t width);

// `text` followed by spaces up to `width` columns; PadLeft puts them in front.
std::string Pad(absl::string_view text, size_t width);
std::string PadLeft(absl::string_view text, size_t width);

// `text` in lines of at most `width` columns, the second and later ones behind `indent` spaces. A word is not cut.
std::string Wrap(absl::string_view text, size_t width, size_t indent);

}  // namespace shoal

#endif  // SHOAL_COMMON_COLUMNS_H_
