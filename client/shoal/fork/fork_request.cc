#include "shoal/fork/fork_request.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace shoal::forking {
namespace {

bool IsNumber(absl::string_view word) {
  uint64_t number;
  return !word.empty() && word.find_first_not_of("0123456789") == absl::string_view::npos &&
         absl::SimpleAtoi(word, &number);
}

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the payload has ", what));
}

// One field, known by its key; `value` is ended by a NUL byte.
absl::Status TakeField(absl::string_view key, char* value, ForkPayload* payload) {
  const absl::string_view text = value;
  if (key == "arg") {
    payload->argv.push_back(value);
  } else if (key == "env") {
    if (text.find('=') == absl::string_view::npos || text.front() == '=')
      return Wrong("an env without a name");
    payload->env.push_back(value);
  } else if (key == "cwd") {
    payload->cwd = value;
  } else if (key == "nofile") {
    if (!IsNumber(text) || !absl::SimpleAtoi(text, &payload->nofile))
      return Wrong("a nofile that is no number");
  } else if (key == "merge-stderr") {
    payload->merge_stderr = text == "1";
  } else if (key == "result") {
    payload->result = text == "1";
  } else if (key == "forbid-children") {
    payload->forbid_children = text == "1";
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ForkCommand> ParseForkCommand(absl::string_view packet) {
  const std::vector<absl::string_view> words = absl::StrSplit(packet, ' ');
  if (words.size() != 3 || words[0] != "fork" || !IsNumber(words[1]) || !IsNumber(words[2]))
    return absl::InvalidArgumentError("no packet \"fork NUMBER SLOT\"");
  return ForkCommand{std::string(words[1]), std::string(words[2])};
}

absl::StatusOr<ForkPayload> ParseForkPayload(std::vector<char> bytes) {
  ForkPayload payload;
  payload.bytes = std::move(bytes);
  if (!payload.bytes.empty() && payload.bytes.back() != 0)
    return absl::InvalidArgumentError("the payload ends within a field");
  char* const end = payload.bytes.data() + payload.bytes.size();
  for (char* field = payload.bytes.data(); field != end;) {
    const absl::string_view text = field;
    const size_t equals = text.find('=');
    if (equals != absl::string_view::npos) {
      absl::Status taken = TakeField(text.substr(0, equals), field + equals + 1, &payload);
      if (!taken.ok()) return taken;
    }
    field += text.size() + 1;
  }
  if (payload.argv.empty()) return Wrong("no arg");
  if (payload.cwd == nullptr || *payload.cwd == 0) return Wrong("no cwd");
  payload.argv.push_back(nullptr);
  payload.env.push_back(nullptr);
  return payload;
}

}  // namespace shoal::forking
