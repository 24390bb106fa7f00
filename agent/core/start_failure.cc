#include "agent/core/start_failure.h"

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "agent/core/transitions.h"
#include "common/escape.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

absl::string_view NameOf(record::Stage stage) {
  switch (stage) {
    case record::Stage::kNone:
      break;
    case record::Stage::kSetup:
      return "setup";
    case record::Stage::kPipe:
      return "pipe";
    case record::Stage::kFork:
      return "fork";
    case record::Stage::kChdir:
      return "chdir";
    case record::Stage::kExec:
      return "execve";
    case record::Stage::kProcess:
      return "process";
    case record::Stage::kInput:
      return "input";
    case record::Stage::kTerminal:
      return "terminal";
  }
  return "start";
}

}  // namespace

StartFailure MakeStartFailure(Programs* programs, const Spec& spec, record::Stage stage,
                              int error_number) {
  StartFailure failure;
  failure.stage = std::string(NameOf(stage));
  failure.error_number = error_number;
  if (error_number == ECANCELED) {  // the shim saw the termination request before exec
    failure.message = std::string(kEndedBeforeStart);
    return failure;
  }
  const std::string& object = stage == record::Stage::kChdir ? spec.cwd : spec.argv[0];
  absl::string_view verb =
      stage == record::Stage::kExec ? "exec" : absl::string_view(failure.stage);
  std::string operation = stage == record::Stage::kChdir || stage == record::Stage::kExec
                              ? absl::StrCat(verb, " ", EscapeForMessage(object))
                              : std::string(verb);
  if (stage == record::Stage::kInput) {
    operation = spec.input_file.empty()
                    ? std::string("make room for its input")
                    : absl::StrCat("input from ", EscapeForMessage(spec.input_file));
  }
  if (stage == record::Stage::kTerminal) operation = "open a terminal for it";
  failure.message = std::string(ErrnoStatus(error_number, operation).message());
  if (stage == record::Stage::kTerminal &&
      error_number == ENOSPC) {  // of devpts: it is no matter of disks
    failure.message = "no terminal is left on the host for it (kernel.pty.max)";
  }
  if (std::string detail = programs->Explain(spec, stage, error_number); !detail.empty()) {
    absl::StrAppend(&failure.message, " (", detail, ")");
  }
  return failure;
}

bool IsTransient(const StartFailure& failure) {
  switch (failure.error_number) {
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case ETXTBSY:
    case ECONNRESET:  // the parent ended
      return true;
    default:
      return false;
  }
}

absl::Status StatusOf(const StartFailure& failure) {
  absl::StatusCode code = !IsTransient(failure) ? absl::StatusCode::kFailedPrecondition
                          : failure.error_number == ETXTBSY || failure.error_number == ECONNRESET
                              ? absl::StatusCode::kUnavailable
                              : absl::StatusCode::kResourceExhausted;
  absl::Status status(code, failure.message);
  status.SetPayload(kStartFailurePayload,
                    absl::Cord(absl::StrCat(failure.stage, "\n", failure.error_number, "\n")));
  return status;
}

void FailToStart(Core* core, ProcessEntry* process, StartFailure failure, bool is_over) {
  if (!Advance(process, State::kFailedToStart)) return;
  process->start_failure = std::move(failure);
  process->exit_time = core->clock->Now();
  if (is_over) {
    process->empty_time = process->exit_time;
    process->tree_empty = true;
    process->output_complete = true;
    core->table.ReleaseName(*process);
  }
  core->ledger.Changed(process);
  core->events->OnStartSettled(process);
  if (process->slot != 0) return;  // saved when the shim is final
  core->ledger.Save(*process);
  core->events->OnOver(process);
}

}  // namespace shoal::agent
