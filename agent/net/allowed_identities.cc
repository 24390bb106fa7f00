#include "agent/net/allowed_identities.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/escape.h"

namespace shoal::agent {
namespace {

constexpr char kSpiffe[] = "spiffe://";
constexpr char kDns[] = "dns:";
constexpr size_t kMaxDomain = 255;
constexpr size_t kMaxDnsName = 253;
constexpr size_t kMaxLabel = 63;

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
}

bool IsSegment(absl::string_view text) {
  return !text.empty() && text.find_first_not_of('.') != absl::string_view::npos &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return IsNameCharacter(c) || c == '.'; });
}

bool IsDomain(absl::string_view text) {
  return text.size() <= kMaxDomain && IsSegment(text) &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return absl::ascii_isupper(static_cast<unsigned char>(c)); });
}

absl::Status Useless(absl::string_view pattern, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("--allow-identity '", EscapeForMessage(pattern), "' ", why));
}

}  // namespace

bool IsSpiffeId(absl::string_view text) {
  if (text.size() > kMaxSpiffeIdBytes || !absl::ConsumePrefix(&text, kSpiffe)) return false;
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  return parts.size() > 1 && IsDomain(parts.front()) &&
         std::all_of(parts.begin() + 1, parts.end(), &IsSegment);
}

bool IsDnsName(absl::string_view text) {
  if (text.empty() || text.size() > kMaxDnsName) return false;
  for (absl::string_view label : absl::StrSplit(text, '.')) {
    if (label.empty() || label.size() > kMaxLabel) return false;
    if (!std::all_of(label.begin(), label.end(), &IsNameCharacter)) return false;
  }
  return true;
}

std::string DnsIdentity(absl::string_view name) {
  return absl::StrCat(kDns, absl::AsciiStrToLower(name));
}

absl::StatusOr<AllowedIdentities> AllowedIdentities::Parse(
    const std::vector<std::string>& patterns) {
  AllowedIdentities allowed;
  for (absl::string_view pattern : patterns) {
    if (pattern == "*") {
      allowed.patterns_.push_back({});
      continue;
    }
    if (absl::StartsWith(pattern, kSpiffe)) {
      absl::string_view id = pattern;
      const bool is_exact = !absl::ConsumeSuffix(&id, "/*");
      // All of a domain has no segment before its '*'.
      absl::string_view domain = id;
      const bool is_domain = !is_exact && absl::ConsumePrefix(&domain, kSpiffe) && IsDomain(domain);
      if (!is_domain && !IsSpiffeId(id)) {
        return Useless(pattern, absl::StrContains(pattern, '*')
                                    ? "has a '*' that is no whole segment at the end: …/* stands "
                                      "for all below a path"
                                    : "is no SPIFFE id: spiffe://DOMAIN/SEGMENT/…");
      }
      allowed.patterns_.push_back(
          {is_exact ? std::string(id) : absl::StrCat(id, "/"), "", is_exact});
      continue;
    }
    absl::string_view name = absl::StripPrefix(pattern, kDns);
    const bool is_exact = !absl::ConsumePrefix(&name, "*.");
    if (!IsDnsName(name)) {
      return Useless(
          pattern, absl::StrContains(name, '*')
                       ? "has a '*' that is no whole label at the start: *.example.org stands for "
                         "all names below it"
                       : "is neither a SPIFFE id (spiffe://DOMAIN/SEGMENT/…) nor a DNS name; a "
                         "common name (CN) is no identity");
    }
    if (is_exact) {
      allowed.patterns_.push_back({DnsIdentity(name), "", true});
    } else {
      allowed.patterns_.push_back({kDns, absl::StrCat(".", absl::AsciiStrToLower(name)), false});
    }
  }
  return allowed;
}

bool AllowedIdentities::Allows(absl::string_view identity) const {
  return std::any_of(patterns_.begin(), patterns_.end(), [identity](const Pattern& pattern) {
    if (pattern.is_exact) return identity == pattern.begin;
    return identity.size() > pattern.begin.size() + pattern.end.size() &&
           absl::StartsWith(identity, pattern.begin) && absl::EndsWith(identity, pattern.end);
  });
}

}  // namespace shoal::agent
