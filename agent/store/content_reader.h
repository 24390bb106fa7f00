// Reads everything that shoal.db remembers.
//
// Ownership:     the caller's, for one Read; the database outlives it.
// Thread-safety: one thread at a time.
// Blocking:      reads the tables.
// Errors:        FAILED_PRECONDITION for a damaged file. A row that cannot be read costs what it is
//                about only, and is named in `damaged`; its request stays.
#ifndef SHOAL_AGENT_STORE_CONTENT_READER_H_
#define SHOAL_AGENT_STORE_CONTENT_READER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/core/ports/store.h"
#include "agent/store/sqlite.h"

namespace shoal::agent {

class ContentReader {
 public:
  ContentReader(Database* database, std::vector<std::string>* damaged)
      : database_(database), damaged_(damaged) {}

  absl::StatusOr<Store::Content> Read();

 private:
  absl::Status ReadMeta(Store::Content* content);
  absl::Status ReadProcesses(Store::Content* content);
  absl::Status ReadSessions(Store::Content* content);
  absl::Status ReadRequests(Store::Content* content);
  absl::Status ReadHorizons(Store::Content* content);

  Database* const database_;
  std::vector<std::string>* const damaged_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_STORE_CONTENT_READER_H_
