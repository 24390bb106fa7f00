#include "shoal/version.h"

namespace shoal {

absl::string_view Version() { return SHOAL_VERSION; }

}  // namespace shoal
