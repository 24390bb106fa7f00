// What stands before each line of a rank: --tag.
//
// Ownership:     a value.
// Thread-safety: as a plain value.
#ifndef SHOAL_CLIENT_CLI_TAG_TEMPLATE_H_
#define SHOAL_CLIENT_CLI_TAG_TEMPLATE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal::cli {

class TagTemplate {
 public:
  struct Values {
    int rank = 0;
    int local_rank = 0;
    std::string host;
    std::string stream;  // "stdout" or "stderr"
  };
  // Columns that {rank}, {local_rank} and {host} are padded to, so that lines are aligned.
  struct Widths {
    size_t rank = 0;
    size_t local_rank = 0;
    size_t host = 0;
  };

  // `text` has {rank}, {local_rank}, {host} and {stream} where they are to stand; \t and \\ are
  // read. INVALID_ARGUMENT names a field that does not exist.
  static absl::StatusOr<TagTemplate> Parse(absl::string_view text);

  // "{rank} {host} │ ", without {host} if there is only one.
  static TagTemplate Default(bool several_hosts);

  std::string Render(const Values& values, const Widths& widths) const;

 private:
  enum class Field { kNone, kRank, kLocalRank, kHost, kStream };
  struct Piece {
    std::string text;  // stands before the field
    Field field = Field::kNone;
  };

  static absl::StatusOr<Field> FieldOf(absl::string_view name);

  std::vector<Piece> pieces_;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_TAG_TEMPLATE_H_
