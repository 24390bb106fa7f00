// Plays the agent for one shim: record file, FIFO, output directory, lock, cgroup, desired state.
//
// Ownership:     everything it makes is gone at its end, the shim and its tree included.
// Thread-safety: one thread.
// Blocking:      the Await functions, until what they wait for or kDeadline; then they fail the
//                test and print the state.
#ifndef SHOAL_TESTS_SHIM_SHIM_HARNESS_H_
#define SHOAL_TESTS_SHIM_SHIM_HARNESS_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/record/half_format.h"
#include "common/unique_fd.h"
#include "tests/shim/cgroup_dir.h"

namespace shoal::testing {

class ShimHarness {
 public:
  // With a cgroup of its own for the process, or without.
  explicit ShimHarness(bool use_cgroup);
  // One more slot of the record file of `first`, which outlives this, for a process that the
  // process of `first` forks: see ForkedBy().
  ShimHarness(bool use_cgroup, const ShimHarness& first);
  ~ShimHarness();
  ShimHarness(const ShimHarness&) = delete;
  ShimHarness& operator=(const ShimHarness&) = delete;

  // What the next Write() or Start() writes; in this version's format unless the prefix has one.
  record::AgentHalf agent = {};
  std::vector<std::string> env = {"PATH=/usr/bin:/bin"};  // of the process
  std::string cwd;                                        // empty: none is given
  std::string payload_rest;                               // behind the fields of the payload
  std::string output_dir;                                 // may be replaced before Start()
  std::set<int> ignored_signals;                          // what the shim inherits as SIG_IGN
  std::string shim_path = SHOAL_SHIM;
  // v1 or v2: this test joins it at Start(), so that the shim is born there.
  std::string join_cgroup;
  char tail_byte = 0;            // in the area behind what this version knows of the half
  bool told_by_words = false;    // as an agent of 0.1: in the shim's own argv and environment
  bool tell_spawn_began = true;  // fill in AgentHalf::spawn_began_ns
  bool damage_half = false;      // write an agent half with a wrong checksum
  bool refused = false;          // the shim is expected to refuse that half
  bool without_proc = false;     // the shim and its tree live where /proc is empty
  bool knows_input = true;       // the template's runtime makes the pipe of the input
  bool remove_cgroup = false;    // the cgroup is gone when the shim starts

  // Writes the agent's half, locks the slot and starts a shim for `argv`.
  void Start(const std::vector<std::string>& argv);
  // As above, with verbs for shoal-test-child.
  void StartChild(const std::vector<std::string>& verbs);

  // Writes the agent's half, locks the slot and plays a template that forks a process which does
  // `verbs`, and whose shim adopts it. `options`: tests/support/fork_side.h; what the agent's half
  // says is among them.
  void StartAdopted(const std::vector<std::string>& verbs, const std::string& options = "");
  // Writes the agent's half; returns the verbs with which the process of the first harness forks
  // one that does `verbs`.
  std::vector<std::string> ForkedBy(const std::vector<std::string>& verbs,
                                    const std::string& options = "");

  // This test leaves join_cgroup; the shim and its tree stay.
  void LeaveCgroup();

  // Writes the agent's half, and tells the shim.
  void Tell();
  void Write();
  void Terminate(int signal, int64_t grace_ns);
  // Leaves no room in the FIFO.
  void FillFifo();
  // Puts bytes behind those of the input, tells the shim; `end`: nothing comes behind them.
  void Feed(const std::string& bytes, bool end = false);
  // Takes or leaves the agent lock.
  void LockAgent(bool locked);

  // Waits until the shim's half satisfies `done`; returns that half.
  record::ShimHalf Await(const std::function<bool(const record::ShimHalf&)>& done,
                         const char* what);
  record::ShimHalf AwaitFlags(uint32_t flags);
  // Waits for kFinal and for the shim's own end, which must be exit status 0.
  record::ShimHalf AwaitFinal();
  // Waits for the shim's end, however it comes; returns its wait status.
  int AwaitShimEnd();
  // Waits until stream `stream` has `text` in it.
  void AwaitOutput(int stream, const std::string& text);

  // The shim's half as it is; all zero while there is none.
  record::ShimHalf Read() const;
  bool SlotLocked() const;
  void AwaitUnlocked() const;
  // Where an adopting shim goes to; none without a cgroup.
  CgroupDir* refuge() { return refuge_.get(); }
  // Kept bytes of a stream, from `begin` on, straight from the segment files.
  std::string Output(int stream) const;
  std::vector<record::IndexRow> Index() const;
  std::set<std::string> OutputFiles() const;
  std::string Id() const { return std::string(agent.prefix.id, record::kIdBytes); }

  pid_t shim_pid() const { return shim_pid_; }
  int reports() const { return reports_; }
  CgroupDir* cgroup() { return cgroup_.get(); }
  const std::string& dir() const { return dir_; }

 private:
  void Prepare(bool use_cgroup);
  std::string OptionsWith(const std::string& options);
  void StartProgram(const std::string& program, const std::vector<std::string>& argv,
                    const std::vector<std::string>& environment, UniqueFd payload = UniqueFd());
  int OpenLocked();
  void Spawn(std::string program, const std::vector<std::string>& argv,
             const std::vector<std::string>& environment,
             const std::vector<std::pair<int, int>>& fds);
  bool DrainReports(int timeout_ms);
  std::string Describe(const record::ShimHalf& half) const;

  const bool is_first_;
  const uint32_t slot_;
  std::string dir_;
  std::unique_ptr<CgroupDir> cgroup_;
  std::unique_ptr<CgroupDir> refuge_;
  int record_ = -1;
  int fifo_ = -1;
  int agent_lock_ = -1;
  pid_t shim_pid_ = 0;
  int shim_pidfd_ = -1;
  int shim_status_ = -1;
  int reports_ = 0;
};

inline constexpr int64_t kMs = 1'000'000;
inline constexpr int64_t kSec = 1'000'000'000;
inline constexpr int kDeadlineSeconds = 60;

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SHIM_SHIM_HARNESS_H_
