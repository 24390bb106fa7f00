#include "shoal/host_list.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/escape.h"
#include "common/status.h"
#include "common/user_directories.h"

namespace shoal {
namespace {

constexpr size_t kMaxReasonBytes = 512;

bool IsIpv4(const std::string& text) {
  in_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool IsIpv6(absl::string_view text) {
  in6_addr address;
  std::string without_scope(text.substr(0, text.find('%')));
  return inet_pton(AF_INET6, without_scope.c_str(), &address) == 1;
}

std::string MachineName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

// Reads one list, with the groups in it, into addresses.
class Parser {
 public:
  Parser(const GroupLookup& groups, std::vector<std::string>* repeated)
      : groups_(groups), repeated_(repeated) {}

  absl::Status Parse(absl::string_view list);
  absl::StatusOr<std::vector<HostAddress>> Finish() &&;

 private:
  absl::Status ParsePart(absl::string_view part);
  absl::Status ParseGroup(absl::string_view part);
  absl::Status ParseAddress(absl::string_view part, absl::string_view text);
  absl::Status AddTcp(absl::string_view part, absl::string_view host, absl::string_view port);
  absl::Status AddUnix(absl::string_view part, absl::string_view path);
  absl::Status Add(absl::string_view part, HostAddress address);

  const GroupLookup& groups_;
  std::vector<std::string>* const repeated_;  // may be null
  std::vector<std::string> open_groups_;
  std::set<std::string> targets_;
  std::vector<HostAddress> addresses_;
};

// Both have bytes of the list.
absl::Status Malformed(absl::string_view part, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(
      "hosts \"", EscapeForMessage(part), "\": ", EscapeForMessage(reason, kMaxReasonBytes)));
}

// Cuts at commas that are not between brackets.
absl::StatusOr<std::vector<absl::string_view>> SplitList(absl::string_view list) {
  std::vector<absl::string_view> parts;
  size_t begin = 0;
  bool inside = false;
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i] == '[' || list[i] == ']') {
      if (inside == (list[i] == '[')) {
        return Malformed(list, inside ? "a bracket inside a bracket" : "\"]\" without \"[\"");
      }
      inside = !inside;
    } else if (list[i] == ',' && !inside) {
      parts.push_back(list.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  if (inside) return Malformed(list, "\"[\" without \"]\"");
  parts.push_back(list.substr(begin));
  return parts;
}

bool IsRange(absl::string_view inside) {
  return !inside.empty() && std::all_of(inside.begin(), inside.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-' || c == ',';
  });
}

absl::Status ExpandInterval(absl::string_view part, absl::string_view interval,
                            std::vector<std::string>* out) {
  std::vector<absl::string_view> ends = absl::StrSplit(interval, '-');
  int64_t low = 0, high = 0;
  if (ends.size() > 2 || !absl::SimpleAtoi(ends.front(), &low) ||
      !absl::SimpleAtoi(ends.back(), &high)) {
    return Malformed(part, absl::StrCat("\"", interval, "\" is neither a number nor a range"));
  }
  if (low > high) return Malformed(part, absl::StrCat("the range ", interval, " goes down"));
  if (static_cast<uint64_t>(high - low) >= kMaxHosts) {
    return Malformed(
        part, absl::StrCat("the range ", interval, " has more than ", kMaxHosts, " members"));
  }
  bool padded = ends.front().size() > 1 && ends.front()[0] == '0';
  if (!padded && ends.back().size() > 1 && ends.back()[0] == '0') {
    return Malformed(part, absl::StrCat("the range ", interval,
                                        " pads its end with zeros, but not its beginning"));
  }
  int width = padded ? static_cast<int>(ends.front().size()) : 0;
  for (int64_t i = low; i <= high; ++i) out->push_back(absl::StrFormat("%0*d", width, i));
  return absl::OkStatus();
}

// Every text that `part` stands for: its ranges multiplied out, the right-most one fastest.
absl::StatusOr<std::vector<std::string>> ExpandRanges(absl::string_view part) {
  std::vector<std::string> texts = {""};
  size_t at = 0;
  while (at < part.size()) {
    size_t open = part.find('[', at);
    size_t close = open == absl::string_view::npos ? open : part.find(']', open);
    absl::string_view literal = part.substr(at, open == absl::string_view::npos ? open : open - at);
    std::vector<std::string> choices;
    if (close == absl::string_view::npos) {
      choices = {""};
      at = part.size();
    } else {
      absl::string_view inside = part.substr(open + 1, close - open - 1);
      if (!IsRange(inside)) {
        return Malformed(part,
                         absl::StrCat("\"[", inside, "]\" is neither a range nor an IPv6 address"));
      }
      for (absl::string_view interval : absl::StrSplit(inside, ',')) {
        SHOAL_RETURN_IF_ERROR(ExpandInterval(part, interval, &choices));
      }
      at = close + 1;
    }
    if (texts.size() * choices.size() > kMaxHosts) {
      return Malformed(part, absl::StrCat("stands for more than ", kMaxHosts, " hosts"));
    }
    std::vector<std::string> longer;
    longer.reserve(texts.size() * choices.size());
    for (const std::string& text : texts) {
      for (const std::string& choice : choices)
        longer.push_back(absl::StrCat(text, literal, choice));
    }
    texts = std::move(longer);
  }
  return texts;
}

absl::Status Parser::Parse(absl::string_view list) {
  SHOAL_ASSIGN_OR_RETURN(std::vector<absl::string_view> parts, SplitList(list));
  for (absl::string_view part : parts) {
    SHOAL_RETURN_IF_ERROR(ParsePart(absl::StripAsciiWhitespace(part)));
  }
  return absl::OkStatus();
}

absl::Status Parser::ParsePart(absl::string_view part) {
  if (part.empty()) return Malformed(part, "a host is missing between the commas");
  if (part[0] == '@') return ParseGroup(part);
  if (absl::StartsWith(part, "unix:")) return AddUnix(part, part.substr(5));
  if (part[0] == '[' && !IsRange(part.substr(1, part.find(']') - 1))) {
    return ParseAddress(part, part);
  }
  SHOAL_ASSIGN_OR_RETURN(std::vector<std::string> texts, ExpandRanges(part));
  for (const std::string& text : texts) SHOAL_RETURN_IF_ERROR(ParseAddress(part, text));
  return absl::OkStatus();
}

absl::Status Parser::ParseGroup(absl::string_view part) {
  std::string group(part.substr(1));
  if (group.empty()) return Malformed(part, "\"@\" wants the name of a group");
  if (!groups_) return Malformed(part, "no groups are configured");
  if (std::find(open_groups_.begin(), open_groups_.end(), group) != open_groups_.end()) {
    return Malformed(part, "the group contains itself");
  }
  SHOAL_ASSIGN_OR_RETURN(std::string hosts, groups_(group));
  open_groups_.push_back(group);
  SHOAL_RETURN_IF_ERROR(Parse(hosts));
  open_groups_.pop_back();
  return absl::OkStatus();
}

absl::Status Parser::ParseAddress(absl::string_view part, absl::string_view text) {
  if (text[0] == '[') {
    size_t close = text.find(']');
    absl::string_view host = text.substr(1, close - 1);
    absl::string_view rest = text.substr(close + 1);
    if (!IsIpv6(host)) return Malformed(part, "between the brackets is no IPv6 address");
    if (rest.empty()) return AddTcp(part, host, "");
    if (rest.size() < 2 || rest[0] != ':')
      return Malformed(part, "after \"]\" comes :PORT or nothing");
    return AddTcp(part, host, rest.substr(1));
  }
  std::vector<absl::string_view> halves = absl::StrSplit(text, ':');
  if (halves.size() > 2) return Malformed(part, "an IPv6 address stands in brackets: [::1]:7420");
  if (halves.size() == 2 && halves[1].empty()) return Malformed(part, "the port is missing");
  if (halves[0].empty()) return Malformed(part, "the host is missing");
  if (halves[0][0] == '-') return Malformed(part, "a host does not begin with \"-\"");
  for (char c : halves[0]) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-' && c != '_') {
      return Malformed(
          part, absl::StrCat("\"", absl::string_view(&c, 1), "\" cannot be in the name of a host"));
    }
  }
  return AddTcp(part, halves[0], halves.size() == 2 ? halves[1] : "");
}

absl::Status Parser::AddTcp(absl::string_view part, absl::string_view host,
                            absl::string_view port) {
  HostAddress address;
  address.host = std::string(host);
  address.port = kDefaultPort;
  if (!port.empty() &&
      (!absl::SimpleAtoi(port, &address.port) || address.port < 1 || address.port > 65535)) {
    return Malformed(part, absl::StrCat("port \"", port, "\" is not in 1-65535"));
  }
  std::string written = IsIpv6(host) ? absl::StrCat("[", host, "]") : address.host;
  address.name =
      address.port == kDefaultPort ? address.host : absl::StrCat(written, ":", address.port);
  return Add(part, std::move(address));
}

absl::Status Parser::AddUnix(absl::string_view part, absl::string_view path) {
  while (absl::StartsWith(path, "//")) path.remove_prefix(1);
  if (path.empty() || path[0] != '/') {
    return Malformed(part, "the path of a Unix socket is absolute: unix:/run/shoal/shoald.sock");
  }
  return Add(part, UnixAddress(path));
}

absl::Status Parser::Add(absl::string_view part, HostAddress address) {
  if (!targets_.insert(address.target()).second) {
    if (repeated_ != nullptr) {
      repeated_->push_back(address.is_unix() ? absl::StrCat("unix:", address.unix_path)
                                             : address.name);
    }
    return absl::OkStatus();
  }
  if (addresses_.size() == kMaxHosts) {
    return Malformed(part, absl::StrCat("more than ", kMaxHosts, " hosts"));
  }
  addresses_.push_back(std::move(address));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<HostAddress>> Parser::Finish() && {
  auto sockets = std::count_if(addresses_.begin(), addresses_.end(),
                               [](const HostAddress& address) { return address.is_unix(); });
  if (sockets > 1) {
    for (HostAddress& address : addresses_) {
      if (address.is_unix()) address.name = absl::StrCat("unix:", address.unix_path);
    }
  }
  return std::move(addresses_);
}

}  // namespace

bool HostAddress::is_loopback() const {
  if (is_unix() || host == "localhost" || host == "::1") return true;
  return IsIpv4(host) && absl::StartsWith(host, "127.");
}

namespace {

// gRPC takes a target for a URI, and decodes it: every byte that is not plain there is encoded, so that
// the path that is connected to is the one that was written.
std::string EncodePath(absl::string_view path) {
  constexpr absl::string_view kPlain = "/.-_~!$&'()*+,;=:@";
  std::string encoded;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || kPlain.find(c) != absl::string_view::npos) {
      encoded.push_back(c);
    } else {
      absl::StrAppend(&encoded, "%", absl::Hex(byte, absl::kZeroPad2));
    }
  }
  return encoded;
}

}  // namespace

std::string HostAddress::target() const {
  if (is_unix()) return absl::StrCat("unix:", EncodePath(unix_path));
  if (IsIpv4(host)) return absl::StrCat("ipv4:", host, ":", port);
  if (IsIpv6(host)) {
    return absl::StrCat("ipv6:[", absl::StrReplaceAll(host, {{"%", "%25"}}), "]:", port);
  }
  return absl::StrCat("dns:///", host, ":", port);
}

absl::StatusOr<std::vector<HostAddress>> ParseHostList(absl::string_view hosts,
                                                       const GroupLookup& groups,
                                                       std::vector<std::string>* repeated) {
  if (absl::StripAsciiWhitespace(hosts).empty()) {
    return absl::InvalidArgumentError("hosts: the list is empty");
  }
  Parser parser(groups, repeated);
  SHOAL_RETURN_IF_ERROR(parser.Parse(hosts));
  return std::move(parser).Finish();
}

std::string DefaultSocketPath() { return absl::StrCat(RuntimeDirectory(), "/shoald.sock"); }

HostAddress UnixAddress(absl::string_view socket_path) {
  HostAddress address;
  address.name = MachineName();
  address.unix_path = std::string(socket_path);
  return address;
}

absl::StatusOr<std::string> DefaultHosts() {
  const char* hosts = std::getenv("SHOAL_HOSTS");
  // As it is set by `SHOAL_HOSTS=$UNSET`: those who meant other hosts do not mean this one.
  if (hosts != nullptr && hosts[0] == '\0') {
    return absl::InvalidArgumentError(
        "SHOAL_HOSTS is set and empty; unset it to mean this machine");
  }
  if (hosts != nullptr) return hosts;
  SHOAL_ASSIGN_OR_RETURN(const HostAddress here, LocalAddress());
  return absl::StrCat("unix:", here.unix_path);
}

absl::StatusOr<HostAddress> LocalAddress() {
  const char* agent = std::getenv("SHOAL_AGENT");
  if (agent == nullptr || agent[0] == '\0') return UnixAddress(DefaultSocketPath());
  absl::string_view path = agent;
  if (!absl::ConsumePrefix(&path, "unix:") || !absl::StartsWith(path, "/")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "SHOAL_AGENT \"", EscapeForMessage(agent),
        "\" is not of the form unix:/PATH; hosts behind a network are named by -H or SHOAL_HOSTS"));
  }
  HostAddress address = UnixAddress(path);
  // An agent may be called otherwise than its machine.
  if (const char* name = std::getenv("SHOAL_HOST"); name != nullptr && name[0] != '\0') {
    address.name = name;
  }
  return address;
}

}  // namespace shoal
