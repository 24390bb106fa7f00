#include "shoal/link/name_lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace shoal {
namespace {

// Numeric, with the scope of a link-local address.
std::string TextOf(const addrinfo& entry) {
  char text[NI_MAXHOST];
  const int error =
      getnameinfo(entry.ai_addr, entry.ai_addrlen, text, sizeof(text), nullptr, 0, NI_NUMERICHOST);
  return error == 0 ? text : "";
}

absl::Status Failure(int error, int system_error) {
  constexpr char kTrouble[] = "the name does not resolve";
  if (error == EAI_NONAME || error == EAI_NODATA) return absl::NotFoundError(kTrouble);
  std::string reason = absl::StrCat(
      kTrouble, ": ", error == EAI_SYSTEM ? strerror(system_error) : gai_strerror(error));
  return error == EAI_AGAIN ? absl::NotFoundError(reason) : absl::UnavailableError(reason);
}

absl::StatusOr<Addresses> LookUp(const std::string& name) {
  addrinfo wanted = {};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(name.c_str(), nullptr, &wanted, &found);
  if (error != 0) return Failure(error, errno);
  Addresses addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    std::string text = TextOf(*entry);
    const bool is_new = std::find(addresses.begin(), addresses.end(), text) == addresses.end();
    if (!text.empty() && is_new) addresses.push_back(std::move(text));
  }
  freeaddrinfo(found);
  if (addresses.empty()) return absl::NotFoundError("the name does not resolve: it has no address");
  return addresses;
}

}  // namespace

void LookUpName(const std::string& name,
                absl::AnyInvocable<void(absl::StatusOr<Addresses>) &&> done) {
  static auto* const kQueue = new auto(std::make_shared<LookUpQueue>(kMostLookUps, LookUp));
  (*kQueue)->Add(name, std::move(done));
}

std::string TargetOf(const Addresses& addresses, int port) {
  auto is_v6 = [](const std::string& address) { return absl::StrContains(address, ':'); };
  const bool is_any_v6 = std::any_of(addresses.begin(), addresses.end(), is_v6);
  if (!is_any_v6) {
    return absl::StrCat(
        "ipv4:",
        absl::StrJoin(addresses, ",", [port](std::string* out, const std::string& address) {
          absl::StrAppend(out, address, ":", port);
        }));
  }
  return absl::StrCat(
      "ipv6:", absl::StrJoin(addresses, ",", [&](std::string* out, const std::string& address) {
        const std::string escaped = absl::StrReplaceAll(address, {{"%", "%25"}});
        absl::StrAppend(out, "[", is_v6(address) ? "" : "::ffff:", escaped, "]:", port);
      }));
}

}  // namespace shoal
