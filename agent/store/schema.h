// The tables of shoal.db: made, migrated, checked and opened.
//
// Thread-safety: one thread at a time.
// Blocking:      on the disk; reads the whole file after an unclean stop.
// Versions:      `PRAGMA user_version` is the version of the tables, meta.oldest_reader the oldest
//                version whose agent may read and write them. An older file is migrated in one
//                transaction. A newer one is used as it is if its oldest_reader allows it, and
//                refused otherwise. So a version that adds a table, a column with a default or a
//                field of stored.proto keeps oldest_reader if an older agent may do without it and
//                may drop it when it writes a row again; any other change raises it.
#ifndef SHOAL_AGENT_STORE_SCHEMA_H_
#define SHOAL_AGENT_STORE_SCHEMA_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/store/sqlite.h"

namespace shoal::agent {

inline constexpr int kSchemaVersion = 5;
inline constexpr int kOldestSchemaReader = 5;

// Opens the database at `path` in the mode that the store needs, with all tables; one that was not
// stopped cleanly is checked first. `agent_version` ("0.2.0") is noted unless a newer agent was.
// `retention`: how long an agent of version 1 kept what it knew of a request; a request_id from
// before that is too old for good.
// FAILED_PRECONDITION: damaged, or only newer agents can read it. RESOURCE_EXHAUSTED: no room to
// migrate it. In both cases the file is as it was.
absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path,
                                                       absl::string_view agent_version,
                                                       absl::Duration retention);

// Version of the newest agent that has used this database.
absl::StatusOr<std::string> NewestAgent(Database* database);

// The mark that tells OpenDatabase of a clean stop. The first transaction of a run takes it away,
// so that an agent can start on a full disk.
absl::Status MarkClean(Database* database, bool clean);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_STORE_SCHEMA_H_
