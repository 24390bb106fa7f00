#include "agent/core/inputs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/input_place.h"
#include "agent/core/reason.h"
#include "agent/core/select_one.h"
#include "agent/core/unmanaged.h"
#include "common/failpoint.h"
#include "common/status.h"

namespace shoal::agent {

struct Inputs::Call {
  WriteInputCommand command;
  std::shared_ptr<InputTicket> ticket;
  InputCallback done;
  std::shared_ptr<const std::string> data = {};
  size_t passed = 0;  // of `data`: kept
  bool is_over = false;
  Scheduler::TimerId timer = 0;

  int64_t next() const { return command.offset + static_cast<int64_t>(passed); }
  int64_t end() const { return command.offset + static_cast<int64_t>(data->size()); }
  size_t rest() const { return data->size() - passed; }
};

absl::StatusOr<ProcessEntry*> Inputs::Find(const WriteInputCommand& command) const {
  SHOAL_ASSIGN_OR_RETURN(ProcessEntry * process,
                         SelectOne(core_->table, "selector", command.selector));
  SHOAL_RETURN_IF_ERROR(
      Authorize(command.permit.caller(), Verb::kWriteInput, Target::Process(*process)).status());
  SHOAL_RETURN_IF_ERROR(CheckManaged(*core_, *process));
  if (process->spec->input_window > 0) return process;
  return absl::FailedPreconditionError(
      absl::StrCat(Describe(*process), " has no input: it was started with its stdin ",
                   process->spec->input_file.empty() ? "at /dev/null" : "from a file"));
}

// One that was killed has let go of nothing: it is seen on this machine, and waited for elsewhere.
const Inputs::Holder* Inputs::FindHolder(const std::string& process_id,
                                         const std::string& writer) const {
  const auto found = holders_.find(process_id);
  if (found == holders_.end() || found->second.writer == writer) return nullptr;
  const Holder& holder = found->second;
  if (holder.until <= core_->clock->BootTime()) return nullptr;
  return holder.peer != nullptr && peers_->IsGone(*holder.peer) ? nullptr : &holder;
}

absl::Status Inputs::TakeHold(const ProcessEntry& process, const WriteInputCommand& command) {
  const absl::Duration now = core_->clock->BootTime();
  const bool writes = !command.data.empty() || command.end || command.hold;
  const Holder* const holder = FindHolder(process.id, command.writer);
  if (holder != nullptr && writes && !command.steal) {
    const int64_t seconds = absl::ToInt64Seconds(absl::Ceil(holder->until - now, absl::Seconds(1)));
    const std::string if_gone =
        holder->peer == nullptr ? absl::StrCat(", for up to ", seconds, " s more if that has gone")
                                : absl::StrCat(", with PID ", holder->peer->pid);
    return WithReason(kReasonInputConflict,
                      absl::FailedPreconditionError(absl::StrCat(
                          "the input of ", Describe(process), " is held by another writer, of ",
                          holder->caller, if_gone, "; it may be stolen")));
  }
  if (command.hold && *command.hold > absl::ZeroDuration()) {
    holders_[process.id] = {command.writer, command.permit.owner(), now + *command.hold,
                            command.permit.caller().peer};
  } else if (command.hold || (command.steal && holder != nullptr)) {
    holders_.erase(process.id);
  }
  return absl::OkStatus();
}

void Inputs::Write(WriteInputCommand command, std::shared_ptr<InputTicket> ticket,
                   InputCallback done) {
  if (ticket->is_cancelled) return;
  const absl::StatusOr<ProcessEntry*> process = Find(command);
  if (!process.ok()) return done(process.status());
  if (absl::Status held = TakeHold(**process, command); !held.ok()) return done(held);
  auto call = std::make_shared<Call>(
      Call{.command = std::move(command), .ticket = std::move(ticket), .done = std::move(done)});
  call->data = std::make_shared<const std::string>(std::move(call->command.data));
  const bool is_question = call->data->empty() && !call->command.end &&
                           call->command.until == InputUntil::kKept && call->command.offset == 0;
  if (is_question) return Answer(call, **process, /*timed_out=*/false);
  const std::string id = (*process)->id;
  call->ticket->process_id = id;
  lines_[id].queue.push_back(call);
  ArmTimer(id, call);
  Pump(*process);
}

void Inputs::ArmTimer(const std::string& id, const CallPtr& call) {
  if (call->command.timeout == absl::InfiniteDuration()) return;
  call->timer = core_->scheduler->After(call->command.timeout, [this, id, call] {
    call->timer = 0;
    const ProcessEntry* const process = core_->table.Find(id);
    if (process != nullptr) Answer(call, *process, /*timed_out=*/true);
    if (ProcessEntry* const pumped = core_->table.Find(id)) Pump(pumped);
  });
}

void Inputs::Cancel(InputTicket* ticket) {
  ticket->is_cancelled = true;
  const auto line = lines_.find(ticket->process_id);
  if (line == lines_.end()) return;
  const auto drop = [this, ticket](const CallPtr& call) {
    if (call->ticket.get() != ticket) return false;
    Fail(call, absl::CancelledError());
    return true;
  };
  std::erase_if(line->second.queue, drop);
  std::erase_if(line->second.waiting, drop);
  if (ProcessEntry* const process = core_->table.Find(ticket->process_id)) Pump(process);
}

void Inputs::OnMoved(ProcessEntry* process) {
  if (lines_.contains(process->id)) Pump(process);
}

void Inputs::OnOver(ProcessEntry* process) {
  if (process->spec->input_window == 0) return;
  Pump(process);
  FailAll(process->id, InputClosed(*process));
  holders_.erase(process->id);
  rings_->Forget(process->id);
}

absl::StatusOr<const ProcessEntry*> Inputs::Resize(const ResizeCommand& command) {
  SHOAL_ASSIGN_OR_RETURN(ProcessEntry * process,
                         SelectOne(core_->table, "selector", command.selector));
  SHOAL_RETURN_IF_ERROR(
      Authorize(command.permit.caller(), Verb::kResizeTerminal, Target::Process(*process))
          .status());
  SHOAL_RETURN_IF_ERROR(CheckManaged(*core_, *process));
  if (!process->spec->HasTerminal()) {
    return absl::FailedPreconditionError(absl::StrCat(Describe(*process), " has no terminal"));
  }
  if (command.size.serial <= process->terminal.serial) return process;
  process->terminal = command.size;
  if (process->slot == 0) return process;  // its shim is told at the start: Launcher::DesiredFor
  slots_->Tell(
      process->slot, process->id,
      [size = command.size](record::AgentHalf& half) {
        half.terminal_rows = static_cast<uint16_t>(size.rows);
        half.terminal_columns = static_cast<uint16_t>(size.columns);
        half.terminal_serial = size.serial;
      },
      /*wake=*/true);
  core_->ledger.Changed(process);
  return process;
}

// The terminal has no end of input in the mode that it has now: as if it had not been asked for.
void Inputs::TakeBackEnd(ProcessEntry* process, Line* line) {
  process->input.ended = false;
  Tell(*process);
  core_->ledger.Changed(process);
  for (const CallPtr& call : line->waiting) {
    if (!call->command.end) continue;
    Fail(call, absl::FailedPreconditionError(
                   absl::StrCat("the terminal of ", Describe(*process),
                                " is not in canonical mode: its input has no end there")));
  }
}

void Inputs::OnGone(const std::string& process_id) {
  holders_.erase(process_id);
  FailAll(process_id, absl::NotFoundError("the process was deleted"));
}

void Inputs::Pump(ProcessEntry* process) {
  const std::string id = process->id;
  const auto line = lines_.find(id);
  if (line == lines_.end()) return;
  if (process->input.end_refused && process->input.ended) TakeBackEnd(process, &line->second);
  while (Step(process, &line->second)) {
  }
  Settle(process, &line->second);
  Watch(*process, &line->second);
  DropIfIdle(id);
}

bool Inputs::Step(ProcessEntry* process, Line* line) {
  if (line->is_writing || line->queue.empty()) return false;
  const CallPtr call = line->queue.front();
  InputState& input = process->input;
  if (!call->is_over) {
    const int64_t known =
        std::clamp<int64_t>(input.kept - call->next(), 0, static_cast<int64_t>(call->rest()));
    const absl::Status good = CheckInputPlace(
        *process,
        {call->next(), call->end(), call->command.end, WriterDigest(call->command.writer)});
    call->passed += good.ok() ? static_cast<size_t>(known) : 0;
    if (!good.ok()) Fail(call, good);
  }
  if (!call->is_over && call->rest() > 0) {
    const int64_t room = process->spec->input_window - (input.kept - input.fed);
    if (!process->start_time || process->slot == 0 || room <= 0) return false;
    WritePiece(process, line, call, std::min(call->rest(), static_cast<size_t>(room)));
    return true;
  }
  if (!call->is_over && call->command.end && !input.ended) {
    // One that was refused is over when the shim has seen that it is not wanted any more: else it would answer
    // this one with nothing new.
    if (!process->start_time || process->slot == 0 || input.end_refused) return false;
    input.ended = true;
    Tell(*process);
    core_->ledger.Changed(process);
  }
  line->queue.pop_front();
  if (!call->is_over) line->waiting.push_back(call);
  return true;
}

void Inputs::WritePiece(ProcessEntry* process, Line* line, const CallPtr& call, size_t size) {
  line->is_writing = true;
  InputPiece piece{call->data, call->passed, size, process->input.kept};
  rings_->Write(process->id, process->spec->input_window, piece,
                [this, id = process->id, call, piece](const absl::Status& status) {
                  OnWritten(id, call, piece, status);
                });
}

void Inputs::OnWritten(const std::string& id, const CallPtr& call, const InputPiece& piece,
                       const absl::Status& status) {
  const auto line = lines_.find(id);
  ProcessEntry* const process = core_->table.Find(id);
  if (line == lines_.end() || process == nullptr) return;
  line->second.is_writing = false;
  SHOAL_FAILPOINT("input:written");
  if (IsInputClosed(*process) || process->slot == 0) return Pump(process);
  if (!status.ok()) {
    Fail(call, absl::UnavailableError(absl::StrCat("the input of ", Describe(*process),
                                                   " cannot be kept: ", status.message())));
    return Pump(process);
  }
  InputState& input = process->input;
  const uint64_t writer = WriterDigest(call->command.writer);
  if (input.kept == 0 || input.writer != writer) {
    input.writer = writer;
    input.writer_at = input.kept;
  }
  call->passed += piece.size;
  input.kept = piece.offset + static_cast<int64_t>(piece.size);
  // With the last bytes, so that the shim is told once.
  if (call->rest() == 0 && call->command.end && !call->is_over && !input.end_refused) {
    input.ended = true;
    core_->ledger.Changed(process);
  }
  Tell(*process);
  SHOAL_FAILPOINT("input:told");
  Pump(process);
}

void Inputs::Tell(const ProcessEntry& process) {
  const InputState& input = process.input;
  slots_->Tell(
      process.slot, process.id,
      [&input](record::AgentHalf& half) {
        half.input_end = input.kept;
        half.input_writer = input.writer;
        half.input_writer_at = input.writer_at;
        half.flags = input.ended ? half.flags | record::kInputEnded
                                 : half.flags & ~static_cast<uint32_t>(record::kInputEnded);
      },
      /*wake=*/true);
}

// Answers what has come to where it was waited for.
void Inputs::Settle(ProcessEntry* process, Line* line) {
  const InputState& input = process->input;
  std::vector<CallPtr> left;
  for (const CallPtr& call : std::exchange(line->waiting, {})) {
    if (call->is_over) continue;
    const InputUntil until = call->command.until;
    // Of a terminal only the shim knows whether there is an end.
    const bool has_end = !call->command.end || input.done ||
                         (until == InputUntil::kKept && !process->spec->HasTerminal());
    const int64_t come = until == InputUntil::kKept  ? input.kept
                         : until == InputUntil::kFed ? input.fed
                                                     : input.taken;
    if (come >= call->end() && has_end) {
      Answer(call, *process, /*timed_out=*/false);
    } else if (IsInputClosed(*process)) {
      Fail(call, InputClosed(*process));
    } else {
      left.push_back(call);
    }
  }
  line->waiting = std::move(left);
}

// The shim looks as long as a caller waits.
void Inputs::Watch(const ProcessEntry& process, Line* line) {
  const bool wanted =
      std::any_of(line->waiting.begin(), line->waiting.end(),
                  [](const CallPtr& call) { return call->command.until == InputUntil::kTaken; });
  if (line->is_watched == wanted || process.slot == 0) return;
  line->is_watched = wanted;
  slots_->Tell(
      process.slot, process.id,
      [wanted](record::AgentHalf& half) {
        half.flags = wanted ? half.flags | record::kWatchInput
                            : half.flags & ~static_cast<uint32_t>(record::kWatchInput);
      },
      /*wake=*/wanted);
}

void Inputs::Answer(const CallPtr& call, const ProcessEntry& process, bool timed_out) {
  if (std::exchange(call->is_over, true)) return;
  if (call->timer != 0) core_->scheduler->Cancel(std::exchange(call->timer, 0));
  if (!call->ticket->is_cancelled) call->done(InputAnswer{&process, timed_out});
}

void Inputs::Fail(const CallPtr& call, absl::Status status) {
  if (std::exchange(call->is_over, true)) return;
  if (call->timer != 0) core_->scheduler->Cancel(std::exchange(call->timer, 0));
  if (!call->ticket->is_cancelled) call->done(std::move(status));
}

void Inputs::FailAll(const std::string& id, const absl::Status& status) {
  const auto line = lines_.find(id);
  if (line == lines_.end()) return;
  const Line calls = std::move(line->second);
  lines_.erase(line);
  for (const CallPtr& call : calls.queue) Fail(call, status);
  for (const CallPtr& call : calls.waiting) Fail(call, status);
}

void Inputs::DropIfIdle(const std::string& id) {
  const auto line = lines_.find(id);
  if (line == lines_.end()) return;
  const Line& calls = line->second;
  if (calls.queue.empty() && calls.waiting.empty() && !calls.is_writing && !calls.is_watched) {
    lines_.erase(line);
  }
}

}  // namespace shoal::agent
