// Owners as schema 2 stored them, and what they are called since identities have a kind.
//
// Before, an owner was the bare text of a URI, a DNS name or a common name. A SPIFFE id, "uid:N" and
// "loopback" keep their names. A name with a dot in it was a DNS name, or stands for whoever a CA
// gave it to: "dns:NAME". All else was a common name, and becomes "cn:NAME", which no caller can have:
// what it owns is renewed and ended by token, or by root.
//
// Thread-safety: one thread at a time.
// Blocking:      on the disk.
// Errors:        of SQLite; a row that cannot be read stays as it is, and is told when it is loaded.
#ifndef SHOAL_AGENT_STORE_OWNER_NAMES_H_
#define SHOAL_AGENT_STORE_OWNER_NAMES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/store/sqlite.h"

namespace shoal::agent {

std::string OwnerWithKind(absl::string_view owner);

// In every table. REQUIRES: a transaction of the caller.
absl::Status GiveOwnersKinds(Database* database);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_STORE_OWNER_NAMES_H_
