#include "agent/store/owner_names.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/core/model.h"
#include "agent/store/codec.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

bool IsUid(absl::string_view owner) {
  return absl::ConsumePrefix(&owner, "uid:") && !owner.empty() &&
         std::all_of(owner.begin(), owner.end(),
                     [](unsigned char c) { return absl::ascii_isdigit(c); });
}

bool LooksLikeDns(absl::string_view owner) {
  return absl::StrContains(owner, '.') && !absl::StrContains(owner, "..") && owner.front() != '.' &&
         owner.back() != '.' && std::all_of(owner.begin(), owner.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

absl::Status RenameIn(Database* database, const std::string& table) {
  std::vector<std::string> owners;
  SHOAL_ASSIGN_OR_RETURN(
      Statement found,
      Statement::Prepare(database, absl::StrCat("SELECT DISTINCT owner FROM ", table).c_str()));
  while (true) {
    SHOAL_ASSIGN_OR_RETURN(const bool more, found.Step());
    if (!more) break;
    owners.emplace_back(found.Bytes(0));
  }
  SHOAL_ASSIGN_OR_RETURN(
      Statement rename,
      Statement::Prepare(
          database,
          absl::StrCat("UPDATE OR IGNORE ", table, " SET owner=?2 WHERE owner=?1").c_str()));
  for (const std::string& owner : owners) {
    const std::string named = OwnerWithKind(owner);
    if (named == owner) continue;
    rename.BindText(1, owner);
    rename.BindText(2, named);
    SHOAL_RETURN_IF_ERROR(rename.Run());
  }
  return absl::OkStatus();
}

// Their owner is in the blob.
absl::Status RenameInSessions(Database* database) {
  std::vector<std::pair<std::string, std::string>> renamed;  // id and blob
  SHOAL_ASSIGN_OR_RETURN(Statement rows,
                         Statement::Prepare(database, "SELECT id, checksum, blob FROM sessions"));
  while (true) {
    SHOAL_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) break;
    SessionEntry session;
    if (rows.Int(1) != StoredChecksumOf(rows.Bytes(2))) continue;
    if (!DecodeSession(rows.Bytes(2), &session).ok()) continue;
    const std::string named = OwnerWithKind(session.owner);
    if (named == session.owner) continue;
    session.owner = named;
    renamed.emplace_back(rows.Bytes(0), EncodeSession(session));
  }
  SHOAL_ASSIGN_OR_RETURN(
      Statement write,
      Statement::Prepare(database, "UPDATE sessions SET checksum=?2, blob=?3 WHERE id=?1"));
  for (const auto& [id, blob] : renamed) {
    write.BindText(1, id);
    write.BindInt(2, StoredChecksumOf(blob));
    write.BindBlob(3, blob);
    SHOAL_RETURN_IF_ERROR(write.Run());
  }
  return absl::OkStatus();
}

}  // namespace

std::string OwnerWithKind(absl::string_view owner) {
  if (owner.empty() || owner == "loopback" || IsUid(owner) ||
      absl::StartsWith(owner, "spiffe://")) {
    return std::string(owner);
  }
  if (LooksLikeDns(owner)) return absl::StrCat("dns:", absl::AsciiStrToLower(owner));
  return absl::StrCat("cn:", owner);
}

absl::Status GiveOwnersKinds(Database* database) {
  for (const char* table : {"processes", "request_log", "request_horizons"}) {
    SHOAL_RETURN_IF_ERROR(RenameIn(database, table));
  }
  return RenameInSessions(database);
}

}  // namespace shoal::agent
