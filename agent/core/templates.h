// Templates: warm processes that others are forked from, one per owner and program.
//
// Ownership:     by the supervisor; the processes themselves are in the table like all others.
// Thread-safety: loop thread only.
// Blocking:      on the file system, to see whether a program changed.
// Errors:        Acquire's callback gets the status; see there.
// States:        a template is what its process is and no more (STATE_… of template_service.proto):
//                  WARMING  it lives and does not offer itself, or not again yet
//                  WARM     it offers itself
//                  ENDING   its end was asked for; no new process is forked from it
// Story:         Acquire: the template of the program, or a new one (Start) if there is none or the
//                file was changed (Retire) → Offers::Await → the caller forks → OnForked. One that
//                was not used for its idle timeout is retired (OnIdle). If a template dies, the
//                Acquires that wait for it fail; the next Acquire starts another. While an agent
//                lives it moves their dead-man time ahead (RenewDeadMan), and at its end (Leave).
#ifndef SHOAL_AGENT_CORE_TEMPLATES_H_
#define SHOAL_AGENT_CORE_TEMPLATES_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "agent/core/core.h"
#include "agent/core/launcher.h"
#include "agent/core/offers.h"
#include "agent/core/ports/programs.h"
#include "agent/core/ports/shim_slots.h"
#include "agent/core/start_queue.h"
#include "agent/core/terminator.h"

namespace shoal::agent {

class Templates {
 public:
  // The id of a template that offers itself.
  using Callback = absl::AnyInvocable<void(absl::StatusOr<std::string> id)>;

  Templates(Core* core, Programs* programs, ShimSlots* slots, StartQueue* queue, Launcher* launcher,
            Offers* offers, Terminator* terminator)
      : core_(core),
        programs_(programs),
        slots_(slots),
        queue_(queue),
        launcher_(launcher),
        offers_(offers),
        terminator_(terminator) {}

  // Calls back once, perhaps at once. NOT_FOUND: there is no such program. FAILED_PRECONDITION: the
  // template ended, or did not offer itself in time; the message has its last words.
  void Acquire(const TemplateWish& wish, Callback done);

  // The template that Acquire would choose if it need not start one; empty if none.
  std::string Current(const TemplateWish& wish);

  void OnForked(const std::string& id);
  // A template that cannot be forked any more is retired; another takes its place at the next use.
  // True: one after the other was lost at a fork, so that trying again is pointless.
  bool OnForkFailed(const std::string& id, const ForkFailure& refused);
  // It has not answered for too long. Nothing happens to what is no template.
  void OnSilent(const std::string& id);
  // What was forked from it runs.
  void OnForkStarted(const std::string& id);
  void OnOver(const ProcessEntry& process);

  // Takes over the templates of the agent before this one, once they are in the table.
  void Restore();

  std::vector<const ProcessEntry*> Living() const;

  // The agent ends: so do they, now (`end`), or at their dead-man time, counted from now, if no
  // agent is there by then. Says which and when; empty without templates.
  std::string Leave(bool end);

 private:
  using Key = std::pair<std::string, std::string>;  // owner, TemplateProgram::key
  struct Use {
    // CLOCK_BOOTTIME, both.
    absl::Duration last;
    absl::Duration warm_by;  // until then a start waits for it to offer itself
  };

  absl::StatusOr<TemplateProgram> ProgramOf(const TemplateWish& wish) const;
  ProcessEntry* Find(const std::string& owner, const TemplateProgram& program);
  ProcessEntry* Start(const TemplateWish& wish, TemplateProgram program);
  std::string NameFor(const TemplateProgram& program);
  void Take(const ProcessEntry& process);
  void OnNotWarm(ProcessEntry* process);
  void Retire(ProcessEntry* process, const std::string& why);
  void ArmIdle(const std::string& id, absl::Duration delay);
  void OnIdle(const std::string& id);
  void RenewDeadMan();
  void ArmRenewal();

  Core* const core_;
  Programs* const programs_;
  ShimSlots* const slots_;
  StartQueue* const queue_;
  Launcher* const launcher_;
  Offers* const offers_;
  Terminator* const terminator_;
  std::map<Key, std::string> current_;  // id of the one to fork from
  std::map<std::string, Use> uses_;     // by id, of those that are not over
  bool renewal_armed_ = false;
  struct Losses {
    std::string last_id;
    int in_a_row = 0;
  };
  std::map<Key, Losses> losses_;  // templates that were lost at a fork
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_TEMPLATES_H_
