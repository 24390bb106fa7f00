// One line on stderr for every decision about a caller.
//
// Thread-safety: thread-safe.
// Blocking:      one write(2) to stderr.
// Secrets:       `what` names things; it never holds an environment, arguments beyond the program,
//                or a token.
#ifndef SHOAL_AGENT_RPC_AUDIT_H_
#define SHOAL_AGENT_RPC_AUDIT_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shoal::agent {

// `audit identity=uid:1000 method=Spawn what='web /usr/bin/python3' decision=allowed`, or
// `decision=refused reason='…'` if `status` is not OK. User bytes are escaped here.
void Audit(absl::string_view identity, absl::string_view method, absl::string_view what,
           const absl::Status& status = absl::OkStatus());

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_AUDIT_H_
