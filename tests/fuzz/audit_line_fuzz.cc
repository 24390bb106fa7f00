// A line of the audit, whatever a caller puts into its fields: one line, whose fields are what they were.
#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "agent/log/audit_entry.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  const absl::string_view text = fuzz::ToText(data, size);
  agent::AuditEntry entry;
  entry.event = "result";
  entry.caller = entry.subject = std::string(text);
  entry.result = "OK";
  const std::string line = agent::ToLine(entry, absl::UnixEpoch(), absl::UnixEpoch(), /*count=*/1);
  fuzz::Require(std::count(line.begin(), line.end(), '\n') == 1 && line.back() == '\n',
                "an entry is one line");
  bool is_quoted = false;
  int fields = 0;
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    const char c = line[i];
    fuzz::Require(static_cast<unsigned char>(c) >= ' ' && c != '\x7f', "a line steers no terminal");
    if (is_quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      is_quoted = !is_quoted;
    } else if (!is_quoted && c == '=') {
      ++fields;
    }
  }
  fuzz::Require(!is_quoted, "every value ends");
  fuzz::Require(fields == (text.empty() ? 3 : 5), "no value makes a field");
  return 0;
}
