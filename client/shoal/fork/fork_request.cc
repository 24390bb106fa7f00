#include "shoal/fork/fork_request.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/start_fields.h"

namespace shoal::forking {
namespace {

bool IsNumber(absl::string_view word) {
  uint64_t number;
  return !word.empty() && word.find_first_not_of("0123456789") == absl::string_view::npos &&
         absl::SimpleAtoi(word, &number);
}

// Of a terminal.
bool IsSize(absl::string_view word, uint32_t* size) {
  return IsNumber(word) && absl::SimpleAtoi(word, size) && *size <= UINT16_MAX;
}

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the payload has ", what));
}

absl::Status TakeField(const StartField& field, ForkPayload* payload) {
  const absl::string_view key(field.key, field.key_size);
  const absl::string_view text = field.value;
  if (key == "arg") {
    payload->argv.push_back(field.value);
  } else if (key == "env") {
    if (text.find('=') == absl::string_view::npos || text.front() == '=')
      return Wrong("an env without a name");
    payload->env.push_back(field.value);
  } else if (key == "cwd") {
    payload->cwd = field.value;
  } else if (key == "nofile") {
    if (!IsNumber(text) || !absl::SimpleAtoi(text, &payload->nofile))
      return Wrong("a nofile that is no number");
  } else if (key == "merge-stderr") {
    payload->merge_stderr = text == "1";
  } else if (key == "result") {
    payload->result = text == "1";
  } else if (key == "input") {
    payload->input = text == "1";
  } else if (key == "terminal") {
    payload->terminal = text == "1";
  } else if (key == "rows") {
    if (!IsSize(text, &payload->rows)) return Wrong("rows that are no number");
  } else if (key == "columns") {
    if (!IsSize(text, &payload->columns)) return Wrong("columns that are no number");
  } else if (key == "input-file") {
    payload->input_file = field.value;
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
  StartFields fields(payload.bytes.data(), payload.bytes.size());
  if (!fields.IsWhole()) return absl::InvalidArgumentError("the payload ends within a field");
  StartField field;
  while (fields.Next(&field)) {
    absl::Status taken = TakeField(field, &payload);
    if (!taken.ok()) return taken;
  }
  if (payload.argv.empty()) return Wrong("no arg");
  if (payload.cwd == nullptr || *payload.cwd == 0) return Wrong("no cwd");
  payload.argv.push_back(nullptr);
  payload.env.push_back(nullptr);
  return payload;
}

}  // namespace shoal::forking
