// The end of a turn of the agent's loop in which every process wrote once and has a reader of its
// own: the core alone, without gRPC and disk, and without what the fakes below it take.
//
// Raw is the same when every reader is told of every process, as broadcasting would do. Each turn
// begins with cold caches, as between other work: warm ones would hold 4,000 processes, not 16,000.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/core/supervisor.h"
#include "tests/bench/bench_agent.h"
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

namespace shoal::bench {
namespace {

void Fail(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

// Counts what it hears of the process that it reads, as a stream of output would pass it on.
class Reader final : public agent::ProcessObserver {
 public:
  explicit Reader(const std::string& id) : followed_({id}) {}

  void OnChanged(const agent::ProcessEntry& process) override { Hear(process); }
  void OnDeleted(const std::string& /*id*/, int64_t /*revision*/) override {}
  void OnOutput(const agent::ProcessEntry& process) override { Hear(process); }
  void OnSessionOver(const std::string& /*session_id*/) override {}
  void OnTurnEnd() override {}

  int heard() const { return heard_; }

 private:
  void Hear(const agent::ProcessEntry& process) { heard_ += followed_.contains(process.id); }

  const absl::flat_hash_set<std::string> followed_;
  int heard_ = 0;
};

// Passes everything on to every reader.
class Broadcast final : public agent::ProcessObserver {
 public:
  void Add(Reader* reader) { readers_.push_back(reader); }

  void OnChanged(const agent::ProcessEntry& process) override {
    for (ProcessObserver* reader : readers_) reader->OnChanged(process);
  }
  void OnDeleted(const std::string& /*id*/, int64_t /*revision*/) override {}
  void OnOutput(const agent::ProcessEntry& process) override {
    for (ProcessObserver* reader : readers_) reader->OnOutput(process);
  }
  void OnSessionOver(const std::string& /*session_id*/) override {}
  void OnTurnEnd() override {}

 private:
  std::vector<ProcessObserver*> readers_;
};

enum class Told { kOfItsOwn, kOfEvery };

class Core {
 public:
  Core() : scheduler_(&clock_), store_(&crash_), shims_(&clock_, &crash_), inputs_(&scheduler_) {
    agent::SupervisorOptions options;
    options.boot_id = "boot";
    options.host_name = "host";
    supervisor_ =
        std::make_unique<agent::Supervisor>(options, agent::Ports{.clock = &clock_,
                                                                  .scheduler = &scheduler_,
                                                                  .store = &store_,
                                                                  .slots = &shims_,
                                                                  .offers = &shims_,
                                                                  .programs = &shims_,
                                                                  .trees = &shims_,
                                                                  .peers = &peers_,
                                                                  .output = &output_,
                                                                  .files = &files_,
                                                                  .inputs = &inputs_});
    scheduler_.SetTurnEnd([this] { supervisor_->FinishTurn(); });
    if (!supervisor_->Recover().ok()) Fail("the core did not start");
  }
  ~Core() {
    for (const auto& reader : readers_)
      supervisor_->observers(agent::PermitOf()).Remove(reader.get());
    supervisor_->observers(agent::PermitOf()).Remove(&broadcast_);
  }

  void Run(int count) {
    auto spec = std::make_shared<agent::Spec>();
    spec->argv = {"/bin/program"};
    spec->name = "program";
    spec->lifetime = agent::Lifetime::kDetached;
    agent::SpawnCommand command{{agent::PermitOf()}};
    command.request_id = "request";
    for (int rank = 0; rank < count; ++rank) {
      command.items.push_back({.spec = spec, .rank = rank, .ranks = {}});
    }
    supervisor_->Spawn(std::move(command),
                       [this](const std::vector<agent::SpawnOutcome>& outcomes, bool) {
                         for (const auto& outcome : outcomes) ids_.push_back(outcome.process->id);
                       });
    // The agent starts so many at a time, and answers slice by slice.
    int started = 0;
    for (int turn = 0; turn < 2 * count && static_cast<int>(ids_.size()) < count; ++turn) {
      Turn();
      started += shims_.StartAll();
    }
    Turn();
    if (started != count) Fail("not every process was started");
  }

  // A reader for each process.
  void Read(Told told) {
    if (told == Told::kOfEvery) {
      agent::Selector every;
      every.all = true;
      supervisor_->observers(agent::PermitOf()).Follow(&broadcast_, every);
    }
    for (const std::string& id : ids_) {
      readers_.push_back(std::make_unique<Reader>(id));
      if (told == Told::kOfItsOwn) {
        supervisor_->observers(agent::PermitOf()).FollowProcess(readers_.back().get(), id);
      } else {
        broadcast_.Add(readers_.back().get());
      }
    }
  }

  double MillisecondsOfTurn() {
    for (const std::string& id : ids_) shims_.Write(id, /*stream=*/0, /*bytes=*/100);
    DisplaceCaches();
    return absl::ToDoubleMilliseconds(TimeOf([this] { supervisor_->FinishTurn(); }));
  }

  // Every reader has heard of each of `turns` turns.
  bool HaveHeard(int turns) const {
    for (const auto& reader : readers_) {
      if (reader->heard() != turns) return false;
    }
    return !readers_.empty();
  }

 private:
  void Turn() {
    supervisor_->FinishTurn();
    scheduler_.RunDue();
  }

  // By loads and stores, not by a fill, which would pass the caches by.
  void DisplaceCaches() {
    for (size_t i = 0; i < displacing_.size(); i += 64) ++displacing_[i];
  }

  agent::CrashPoint crash_;
  agent::FakeClock clock_;
  agent::FakeScheduler scheduler_;
  agent::FakeStore store_;
  agent::FakeShims shims_;
  agent::FakePeers peers_;
  agent::FakeOutputFiles output_;
  agent::FakeProcessFiles files_;
  agent::FakeInputRings inputs_;
  std::vector<std::unique_ptr<Reader>> readers_;
  Broadcast broadcast_;
  std::unique_ptr<agent::Supervisor> supervisor_;
  std::vector<std::string> ids_;
  std::vector<char> displacing_ = std::vector<char>(64 << 20);
};

double MillisecondsOfTurn(int readers, Told told, bool quick) {
  const int rounds = quick ? 1 : 9;
  Core core;
  core.Run(readers);
  core.Read(told);
  std::vector<double> turns;
  turns.reserve(static_cast<size_t>(rounds));
  for (int round = 0; round < rounds; ++round) turns.push_back(core.MillisecondsOfTurn());
  if (!core.HaveHeard(rounds)) Fail("a reader did not hear of its process");
  return Median(turns);
}

void Row(int readers, const char* raw_is, double raw, double turn, const char* to_reach) {
  PrintRow(absl::StrFormat("end of a turn, %d processes wrote, a reader each (raw: %s)", readers,
                           raw_is),
           absl::StrFormat("%.2f ms", raw), absl::StrFormat("%.2f ms", turn),
           absl::StrFormat("%.2f", turn / raw), to_reach);
}

void Turns(bool quick) {
  double turn_of_4000 = 0;
  for (int readers : {1000, 4000}) {
    const double all = MillisecondsOfTurn(readers, Told::kOfEvery, quick);
    const double own = turn_of_4000 = MillisecondsOfTurn(readers, Told::kOfItsOwn, quick);
    Row(readers, "told of all", all, own, readers == 4000 ? "≤ 0.1 × raw" : "");
  }
  Row(16'000, "that of 4000", turn_of_4000, MillisecondsOfTurn(16'000, Told::kOfItsOwn, quick),
      "≤ 5 × raw");
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) { shoal::bench::Turns(shoal::bench::IsQuick(argc, argv)); }
