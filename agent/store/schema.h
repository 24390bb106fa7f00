// The tables of shoal.db: made, checked and opened.
//
// Thread-safety: one thread at a time.
// Blocking:      on the disk; reads the whole file after an unclean stop.
#ifndef SHOAL_AGENT_STORE_SCHEMA_H_
#define SHOAL_AGENT_STORE_SCHEMA_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/store/sqlite.h"

namespace shoal::agent {

inline constexpr int kSchemaVersion = 1;

// Opens the database at `path` in the mode that the store needs, with all tables; one that was not
// stopped cleanly is checked first. FAILED_PRECONDITION: damaged, or written by a newer agent.
absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path);

// The mark that tells OpenDatabase of a clean stop. The first transaction of a run takes it away,
// so that an agent can start on a full disk.
absl::Status MarkClean(Database* database, bool clean);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_STORE_SCHEMA_H_
