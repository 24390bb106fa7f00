// HOSTS of the command line, of SHOAL_HOSTS and of a configuration file.
#include <set>
#include <string>

#include "client/shoal/host_list.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  absl::string_view text = fuzz::ToText(data, size);
  auto hosts = ParseHostList(text, [](absl::string_view group) -> absl::StatusOr<std::string> {
    if (group == "a") return "node[1-3],@b";
    if (group == "b") return "@a";
    return absl::NotFoundError("no such group");
  });
  if (!hosts.ok()) {
    fuzz::RequireReadable(hosts.status());
    return 0;
  }
  fuzz::Require(!hosts->empty() && hosts->size() <= kMaxHosts, "the number of hosts is bounded");
  std::set<std::string> names;
  for (const HostAddress& host : *hosts) {
    fuzz::Require(host.is_unix() || (!host.host.empty() && host.port > 0 && host.port < 65536),
                  "a host is an address");
    fuzz::Require(!host.target().empty(), "a host can be connected to");
    names.insert(host.target());
  }
  fuzz::Require(names.size() == hosts->size(), "no host is there twice");
  return 0;
}
