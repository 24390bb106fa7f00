#include "agent/core/call_words.h"

#include "absl/strings/str_cat.h"
#include "common/escape.h"

namespace shoal::agent {
namespace {

struct CallWords {
  absl::string_view name;
  absl::string_view words;
};

constexpr CallWords kKnown[] = {
    {"Spawn", "start processes"},
    {"SpawnBatch", "start processes"},
    {"Get", "look at processes"},
    {"List", "list processes"},
    {"Watch", "watch processes"},
    {"Wait", "wait for processes"},
    {"Signal", "send signals to processes"},
    {"Terminate", "stop processes"},
    {"Update", "change processes"},
    {"Delete", "remove processes"},
    {"ReadOutput", "read the output of processes"},
    {"AcknowledgeOutput", "let go of the output of processes"},
    {"WriteInput", "write to the input of processes"},
    {"StreamInput", "write to the input of processes"},
    {"ResizeTerminal", "resize the terminals of processes"},
    {"Open", "open sessions"},
    {"KeepAlive", "renew sessions"},
    {"Takeover", "take over sessions"},
    {"Close", "close sessions"},
    {"SessionService.List", "list sessions"},
    {"TemplateService.Create", "make templates"},
    {"TemplateService.List", "list templates"},
    {"TemplateService.Delete", "remove templates"},
    {"HostService.Get", "ask for the facts of this host"},
    {"FindMissingLibraries", "ask for libraries of this host"},
    {"FindMissing", "send files"},
    {"Write", "send files"},
    {"Read", "read files that were sent"},
};

}  // namespace

std::string WordsOfCall(absl::string_view name) {
  const size_t slash = name.rfind('/');
  const absl::string_view method = slash == absl::string_view::npos ? name : name.substr(slash + 1);
  absl::string_view service = slash == absl::string_view::npos ? "" : name.substr(0, slash);
  service.remove_prefix(service.rfind('.') + 1);  // npos + 1 is 0
  const std::string whole = absl::StrCat(service, ".", method);
  for (const CallWords& known : kKnown) {
    if (known.name == whole) return std::string(known.words);
  }
  for (const CallWords& known : kKnown) {
    if (known.name == method) return std::string(known.words);
  }
  return absl::StrCat("call ", EscapeForMessage(method));
}

}  // namespace shoal::agent
