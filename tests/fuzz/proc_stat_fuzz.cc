// /proc/PID/stat, in which a process may call itself what it likes.
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/os/procfs.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  absl::string_view text = fuzz::ToText(data, size);
  agent::ParseProcStat(text);
  // Whatever the name is, the rest is told as it is.
  auto stat = agent::ParseProcStat(
      absl::StrCat("7 (", text, ") S 3 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 0 9 0\n"));
  fuzz::Require(stat.has_value() && stat->pid == 7 && stat->comm == std::string(text) &&
                    stat->state == 'S' && stat->parent == 3 && stat->start_ticks == 4711,
                "a name changes nothing else");
  return 0;
}
