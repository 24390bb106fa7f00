// Spawns that are forked, and what their parents do.
#ifndef SHOAL_TESTS_UNIT_CORE_FORK_FIXTURE_H_
#define SHOAL_TESTS_UNIT_CORE_FORK_FIXTURE_H_

#include <memory>
#include <string>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {

class ForkTest : public SupervisorTest {
 protected:
  static SpawnCommand With(SpawnCommand command, StartMethod method,
                           const std::string& fork_of = "") {
    for (SpawnItem& item : command.items) {
      auto spec = std::make_shared<Spec>(*item.spec);
      spec->start_method = method;
      spec->fork_of = fork_of;
      item.spec = spec;
    }
    return command;
  }
  static SpawnCommand WithWait(SpawnCommand command, absl::Duration wait) {
    for (SpawnItem& item : command.items) {
      auto spec = std::make_shared<Spec>(*item.spec);
      spec->fork_wait = wait;
      item.spec = spec;
    }
    return command;
  }
  static SpawnCommand Forkserver(const std::string& name, const std::string& request_id = "r1") {
    return With(Detached(name, request_id), StartMethod::kForkserver);
  }
  static SpawnCommand ForkOf(const std::string& parent, const std::string& name,
                             const std::string& request_id = "r1") {
    return With(Detached(name, request_id), StartMethod::kFork, parent);
  }

  std::shared_ptr<SpawnReply> Spawn(SpawnCommand command) {
    auto reply = world_.Spawn(std::move(command));
    world_.Turn();
    return reply;
  }
  // Of the template that was started last; "" if none was.
  std::string TemplateId() {
    std::string id;
    absl::Time newest = absl::InfinitePast();
    for (const ProcessEntry* process : world_.supervisor->Templates(PermitOf())) {
      if (process->create_time >= newest && !process->termination) {
        id = process->id;
        newest = process->create_time;
      }
    }
    return id;
  }
  void Warm(const std::string& id) {
    world_.shims.Started(id);
    world_.Turn();
    world_.shims.Offer(id);
    world_.Turn();
  }
  // A warm template, and one process forked from it.
  std::string WarmUp() {
    auto reply = Spawn(Forkserver("first", "r0"));
    std::string id = TemplateId();
    Warm(id);
    world_.shims.StartAll();
    world_.Turn();
    EXPECT_EQ(reply->calls, 1);
    return id;
  }
  void PassTime(absl::Duration span) {
    world_.scheduler.Advance(span);
    world_.Turn();
  }
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_UNIT_CORE_FORK_FIXTURE_H_
