// What callers are told of a call that they may not make: the name of an RPC says little to a user of the commands.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_AGENT_CORE_CALL_WORDS_H_
#define SHOAL_AGENT_CORE_CALL_WORDS_H_

#include <string>

#include "absl/strings/string_view.h"

namespace shoal::agent {

// "start processes", for behind "may not". `name`: as NameOf(Verb) has it, or the path of the call,
// "/shoal.v1.ProcessService/SpawnBatch". One that is not known: "call NAME", escaped.
std::string WordsOfCall(absl::string_view name);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_CALL_WORDS_H_
