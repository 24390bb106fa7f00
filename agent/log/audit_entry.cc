#include "agent/log/audit_entry.h"

#include "absl/strings/str_cat.h"
#include "common/escape.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxFieldBytes = 1024;
constexpr size_t kMaxIdsBytes = 64 << 10;

std::string Stamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

void Append(absl::string_view key, absl::string_view value, std::string* line) {
  if (value.empty()) return;
  absl::StrAppend(line, line->empty() ? "" : " ", key, "=", QuoteField(value));
}

}  // namespace

std::string QuoteField(absl::string_view value) {
  std::string out = "\"";
  while (!value.empty()) {
    const size_t special = value.find_first_of("\"\\");
    const absl::string_view plain = value.substr(0, special);
    out += EscapeForMessage(plain, plain.size());
    if (special == absl::string_view::npos) break;
    out += '\\';
    out += value[special];
    value.remove_prefix(special + 1);
  }
  out += '"';
  return out;
}

std::string ToLine(const AuditEntry& entry, absl::Time first, absl::Time last, int64_t count) {
  std::string line;
  line.reserve(400);
  Append("time", Stamp(last), &line);
  if (count > 1) {
    Append("since", Stamp(first), &line);
    Append("count", absl::StrCat(count), &line);
  }
  const struct {
    absl::string_view key;
    absl::string_view value;
  } fields[] = {
      {"event", entry.event},
      {"caller", entry.caller},
      {"kind", entry.kind},
      {"serial", entry.serial},
      {"uid", entry.uid},
      {"pid", entry.pid},
      {"process", entry.process},
      {"address", entry.address},
      {"method", entry.method},
      {"subject", entry.subject},
      {"argv_sha256", entry.argv_sha256},
      {"request_id", entry.request_id},
      {"ids", entry.ids},
      {"decision", entry.decision},
      {"result", entry.result},
      {"reason", entry.reason},
  };
  for (const auto& field : fields) {
    Append(field.key, field.value.substr(0, field.key == "ids" ? kMaxIdsBytes : kMaxFieldBytes),
           &line);
  }
  line += '\n';
  return line;
}

}  // namespace shoal::agent
