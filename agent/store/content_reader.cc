#include "agent/store/content_reader.h"

#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/spec/stored_spec.h"
#include "agent/store/codec.h"
#include "agent/store/schema.h"
#include "common/status.h"

namespace shoal::agent {
namespace {}  // namespace

absl::StatusOr<Store::Content> ContentReader::Read() {
  Store::Content content;
  SHOAL_RETURN_IF_ERROR(ReadMeta(&content));
  SHOAL_RETURN_IF_ERROR(ReadRequests(&content));
  SHOAL_RETURN_IF_ERROR(ReadHorizons(&content));
  SHOAL_RETURN_IF_ERROR(ReadProcesses(&content));
  SHOAL_RETURN_IF_ERROR(ReadSessions(&content));
  return content;
}

absl::Status ContentReader::ReadMeta(Store::Content* content) {
  SHOAL_ASSIGN_OR_RETURN(content->agent_id,
                         database_->Query("SELECT value FROM meta WHERE key='agent_id'"));
  SHOAL_ASSIGN_OR_RETURN(std::string revision,
                         database_->Query("SELECT value FROM meta WHERE key='revision'"));
  SHOAL_ASSIGN_OR_RETURN(content->newest_agent, NewestAgent(database_));
  if (content->agent_id.empty() || !absl::SimpleAtoi(revision, &content->revision)) {
    return database_->Damaged("its table meta lacks agent_id or revision");
  }
  return absl::OkStatus();
}

absl::Status ContentReader::ReadProcesses(Store::Content* content) {
  SHOAL_ASSIGN_OR_RETURN(
      Statement rows,
      Statement::Prepare(database_,
                         "SELECT id, boot_id, owner, request_id, request_index, session_id, "
                         "p.checksum, blob, p.spec_id, s.checksum, wire FROM processes p "
                         "LEFT JOIN specs s ON s.spec_id = p.spec_id"));
  // One Spec for all ranks of a batch, as it was when they were started.
  std::map<int64_t, absl::StatusOr<std::shared_ptr<const Spec>>> specs;
  auto spec_of = [&]() -> absl::StatusOr<std::shared_ptr<const Spec>> {
    auto [found, added] = specs.try_emplace(rows.Int(8), absl::UnknownError(""));
    if (!added) return found->second;
    const absl::string_view stored = rows.Bytes(10);
    if (rows.Int(9) != StoredChecksumOf(stored)) {
      return found->second = absl::DataLossError("the checksum of its spec is wrong");
    }
    return found->second = SpecFromStored(stored);
  };
  auto read = [&](ProcessEntry* process) -> absl::Status {
    if (rows.Int(6) != StoredChecksumOf(rows.Bytes(7)))
      return absl::DataLossError("wrong checksum");
    SHOAL_ASSIGN_OR_RETURN(process->spec, spec_of());
    return DecodeProcess(rows.Bytes(7), process);
  };
  while (true) {
    SHOAL_ASSIGN_OR_RETURN(bool row, rows.Step());
    if (!row) return absl::OkStatus();
    ProcessEntry process;
    process.id = std::string(rows.Bytes(0));
    process.boot_id = std::string(rows.Bytes(1));
    process.owner = std::string(rows.Bytes(2));
    process.request_id = std::string(rows.Bytes(3));
    process.request_index = static_cast<int>(rows.Int(4));
    process.session_id = std::string(rows.Bytes(5));
    if (absl::Status status = read(&process); status.ok()) {
      content->processes.push_back(std::move(process));
    } else {
      damaged_->push_back(absl::StrCat("process ", process.id, " cannot be read from ",
                                       database_->path(), ": ", status.message()));
      // Without a process, a repeat of a known request is refused; this is for one that is not.
      content->requests.emplace_back();
      content->requests.back().owner = process.owner;
      content->requests.back().request_id = process.request_id;
      content->requests.back().log_time = absl::Now();
    }
  }
}

absl::Status ContentReader::ReadSessions(Store::Content* content) {
  SHOAL_ASSIGN_OR_RETURN(Statement rows,
                         Statement::Prepare(database_, "SELECT id, checksum, blob FROM sessions"));
  while (true) {
    SHOAL_ASSIGN_OR_RETURN(bool row, rows.Step());
    if (!row) return absl::OkStatus();
    SessionEntry session;
    session.id = std::string(rows.Bytes(0));
    absl::Status status = rows.Int(1) == StoredChecksumOf(rows.Bytes(2))
                              ? DecodeSession(rows.Bytes(2), &session)
                              : absl::DataLossError("wrong checksum");
    if (status.ok()) {
      content->sessions.push_back(std::move(session));
    } else {
      damaged_->push_back(absl::StrCat("session ", session.id, " cannot be read from ",
                                       database_->path(), ": ", status.message()));
    }
  }
}

absl::Status ContentReader::ReadRequests(Store::Content* content) {
  SHOAL_ASSIGN_OR_RETURN(
      Statement rows,
      Statement::Prepare(database_,
                         "SELECT owner, request_id, session_id, log_time, checksum, blob "
                         "FROM request_log"));
  while (true) {
    SHOAL_ASSIGN_OR_RETURN(bool row, rows.Step());
    if (!row) return absl::OkStatus();
    LoggedRequest request;
    const absl::string_view blob = rows.Bytes(5);
    absl::Status status;  // an empty one: of unknown kind
    if (!blob.empty()) {
      status = rows.Int(4) == StoredChecksumOf(blob) ? DecodeRequest(blob, &request)
                                                     : absl::DataLossError("wrong checksum");
    }
    if (!status.ok()) {
      request = LoggedRequest();
      damaged_->push_back(absl::StrCat("request ", rows.Bytes(1), " cannot be read from ",
                                       database_->path(), ": ", status.message()));
    }
    request.owner = std::string(rows.Bytes(0));
    request.request_id = std::string(rows.Bytes(1));
    request.session_id = std::string(rows.Bytes(2));
    request.log_time = absl::FromUnixNanos(rows.Int(3));
    content->requests.push_back(std::move(request));
  }
}

absl::Status ContentReader::ReadHorizons(Store::Content* content) {
  SHOAL_ASSIGN_OR_RETURN(
      Statement rows,
      Statement::Prepare(database_, "SELECT owner, session_id, time FROM request_horizons"));
  while (true) {
    SHOAL_ASSIGN_OR_RETURN(bool row, rows.Step());
    if (!row) return absl::OkStatus();
    content->horizons.push_back(
        {std::string(rows.Bytes(0)), std::string(rows.Bytes(1)), absl::FromUnixNanos(rows.Int(2))});
  }
}

}  // namespace shoal::agent
