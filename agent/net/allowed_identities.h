// The identities that TCP serves, as --allow-identity names them.
//
// A SPIFFE id is spiffe://DOMAIN/SEGMENT/…; a DNS name is a host name. A pattern is one of them as it
// is, or with a '*' in place of whole parts:
//
//   spiffe://example.org/ops      this one
//   spiffe://example.org/ops/*    all below it, however deep; not itself, and not …/ops-evil
//   ci.example.org                this DNS name ("dns:ci.example.org" says the same)
//   *.example.org                 all below it
//   *                             every identity that the CA has signed
//
// Ownership:     a value.
// Thread-safety: constant once built.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT: a pattern that no identity could match, or that says less than it
//                seems to.
#ifndef SHOAL_AGENT_NET_ALLOWED_IDENTITIES_H_
#define SHOAL_AGENT_NET_ALLOWED_IDENTITIES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal::agent {

inline constexpr size_t kMaxSpiffeIdBytes = 2048;

// spiffe://DOMAIN/SEGMENT/…, at most 2,048 bytes: letters, digits and ". - _", no empty segment, none
// of dots alone, the domain without capital letters (SPIFFE-ID, section 2).
bool IsSpiffeId(absl::string_view text);

// A host name of letters, digits, '-', '_' and dots between labels, at most 253 bytes.
bool IsDnsName(absl::string_view text);

// What a DNS name is called as an identity: "dns:ci.example.org", in small letters.
std::string DnsIdentity(absl::string_view name);

class AllowedIdentities {
 public:
  AllowedIdentities() = default;  // none
  static absl::StatusOr<AllowedIdentities> Parse(const std::vector<std::string>& patterns);

  // Of a name as Caller has it: a SPIFFE id, or "dns:" and a name.
  bool Allows(absl::string_view identity) const;

 private:
  struct Pattern {
    std::string begin;  // what the identity begins with
    std::string end;    // what it ends with; of one without '*' the whole is in `begin`
    bool is_exact = false;
  };

  std::vector<Pattern> patterns_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_NET_ALLOWED_IDENTITIES_H_
