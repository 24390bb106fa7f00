// What the agent knows of processes and sessions, as messages; and selectors, from messages.
//
// Thread-safety: thread-safe; entries belong to the loop thread, so call it there.
#ifndef SHOAL_AGENT_RPC_PROCESS_CONVERSION_H_
#define SHOAL_AGENT_RPC_PROCESS_CONVERSION_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/core/commands.h"
#include "agent/core/model.h"
#include "agent/core/selector.h"
#include "agent/spec/spec_conversion.h"
#include "shoal/v1/process.pb.h"
#include "shoal/v1/process_service.pb.h"
#include "shoal/v1/session_service.pb.h"

namespace shoal::agent {

void SetProcess(const ProcessEntry& entry, absl::string_view host, SpecView view,
                v1::Process* proto);

// What Process.brief leaves of it.
void SetBriefProcess(const ProcessEntry& entry, absl::string_view host, v1::Process* proto);

void SetSurvivor(const Survivor& survivor, v1::Survivor* proto);

// Of a stream by its number in the record.
// Of a process with an input stream.
void SetInput(const ProcessEntry& entry, v1::InputPosition* proto);

// Of a process with a terminal.
void SetTerminal(const ProcessEntry& entry, v1::TerminalSize* proto);

v1::StreamKind ToKind(int stream);

// Without the token.
// `now`: CLOCK_BOOTTIME.
void SetSession(const SessionEntry& entry, int live_processes, absl::Duration now,
                v1::Session* proto);

// INVALID_ARGUMENT: unknown states, `all` with another field, too many or over-long terms.
absl::StatusOr<Selector> ToSelector(const v1::Selector& proto);

// The same, for calls where nothing selected is an error of the caller.
absl::StatusOr<Selector> ToSelectorOfSome(const v1::Selector& proto);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_PROCESS_CONVERSION_H_
