// A supervisor over fakes that outlive it, and short words for what tests do to it.
#ifndef SHOAL_TESTS_UNIT_CORE_SUPERVISOR_FIXTURE_H_
#define SHOAL_TESTS_UNIT_CORE_SUPERVISOR_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/core/supervisor.h"
#include "tests/support/crash_point.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_input_rings.h"
#include "tests/support/fake_output_files.h"
#include "tests/support/fake_peers.h"
#include "tests/support/fake_process_files.h"
#include "tests/support/fake_scheduler.h"
#include "tests/support/fake_shims.h"
#include "tests/support/fake_store.h"
#include "tests/support/permits.h"

namespace shoal::agent {

inline constexpr char kOwner[] = "uid:1000";

// What a spawn was answered.
struct SpawnReply {
  int calls = 0;
  bool replayed = false;
  std::vector<absl::Status> statuses;
  std::vector<std::string> ids;  // "" where there is no process
};

// What a bulk call was answered; copies, since entries are valid during the callback only.
struct BulkReply {
  int calls = 0;
  absl::Status status;
  std::vector<std::pair<std::string, absl::Status>> outcomes;  // id, status
};

// What a wait was answered.
struct WaitReply {
  int calls = 0;
  absl::Status status;
  std::vector<std::string> ids;
  bool timed_out = false;
};

// What a write of input was answered.
struct InputReply {
  int calls = 0;
  absl::Status status;
  InputState input;
  bool timed_out = false;
};

class World {
 public:
  World() : scheduler(&clock), store(&crash), shims(&clock, &crash), inputs(&scheduler) {
    options.boot_id = "boot-1";
    options.host_name = "ant";
    options.base_env = {"PATH=/bin", "HOME=/root"};
    options.has_cgroup = true;
    Start();
  }

  void Start() {
    supervisor = std::make_unique<Supervisor>(options, Ports{.clock = &clock,
                                                             .scheduler = &scheduler,
                                                             .store = &store,
                                                             .slots = &shims,
                                                             .offers = &shims,
                                                             .programs = &shims,
                                                             .trees = &shims,
                                                             .peers = &peers,
                                                             .output = &output,
                                                             .files = &files,
                                                             .inputs = &inputs});
    scheduler.SetTurnEnd([this] { supervisor->FinishTurn(); });
    ASSERT_TRUE(supervisor->Recover().ok());
    Turn();
  }
  // SIGKILL: what was not committed is gone, records and shims stay.
  void Kill() {
    crash.Arm(0);
    shims.Disconnect();
    files.requests.clear();
    scheduler.Clear();
    scheduler.SetTurnEnd(nullptr);
    store.DropTransaction();
    supervisor.reset();
  }
  void Restart() {
    Kill();
    Start();
  }
  void Reboot() {
    Kill();
    shims.Reboot();
    options.boot_id = absl::StrCat(options.boot_id, "+");
    Start();
  }
  void Turn() {
    supervisor->FinishTurn();
    scheduler.RunDue();
  }

  std::shared_ptr<SpawnReply> Spawn(SpawnCommand command);
  std::shared_ptr<BulkReply> Terminate(TerminateCommand command);
  std::shared_ptr<BulkReply> Update(UpdateCommand command);
  // An empty request_id is filled with one that was not used before.
  std::shared_ptr<BulkReply> Delete(const Selector& selector, const std::string& request_id = "");
  std::shared_ptr<BulkReply> Signal(const Selector& selector, int signal,
                                    const std::string& request_id = "");
  std::shared_ptr<WaitReply> Wait(const Selector& selector, Until until, bool any = false,
                                  absl::Duration timeout = absl::InfiniteDuration());
  std::shared_ptr<InputReply> WriteInput(WriteInputCommand command,
                                         std::shared_ptr<InputTicket> ticket = nullptr);
  // Of few enough to be found at once.
  absl::StatusOr<std::vector<const ProcessEntry*>> Select(const Selector& selector);
  SessionEntry OpenSession(absl::Duration ttl = absl::Seconds(15),
                           const std::string& request_id = "open-1");

  // Spawned and running; its id.
  std::string Run(SpawnCommand command);
  const ProcessEntry& Get(const std::string& id) const;

  std::string NextRequestId() { return absl::StrCat("request-", ++last_request); }

  CrashPoint crash;
  FakeClock clock;
  FakeScheduler scheduler;
  FakeStore store;
  FakeShims shims;
  FakePeers peers;
  FakeOutputFiles output;
  FakeProcessFiles files;
  FakeInputRings inputs;
  SupervisorOptions options;
  std::unique_ptr<Supervisor> supervisor;
  int last_request = 0;
};

OpenSessionCommand Opening(const std::string& request_id = "open-1",
                           absl::Duration ttl = absl::Seconds(15));
// One DETACHED process.
SpawnCommand Detached(const std::string& name, const std::string& request_id = "r1");
// One process of a session.
SpawnCommand InSession(const SessionEntry& session, const std::string& name,
                       const std::string& request_id = "r1");
// `count` ranks of one DETACHED spec.
SpawnCommand Ranks(const std::string& name, int count, const std::string& request_id = "r1");

// Ends what is selected, by its owner.
TerminateCommand EndOf(Selector selector);

Selector Term(const std::string& term);
Selector All();

class SupervisorTest : public ::testing::Test {
 protected:
  World world_;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_UNIT_CORE_SUPERVISOR_FIXTURE_H_
