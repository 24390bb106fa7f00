// Plays the agent for one template: its socket, what it sends with "fork", and where its shims,
// which are witness.cc here, tell what they saw.
//
// Ownership:     everything it makes is gone at its end, the template included.
// Thread-safety: one thread.
// Blocking:      whatever waits does so for a minute at most, and then fails the test.
#ifndef SHOAL_TESTS_SHIM_FORK_FORK_AGENT_H_
#define SHOAL_TESTS_SHIM_FORK_FORK_AGENT_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "tests/shim/cgroup_dir.h"
#include "tests/shim/fork/facts.h"

namespace shoal::testing {

class ForkAgent {
 public:
  ForkAgent();
  ~ForkAgent();
  ForkAgent(const ForkAgent&) = delete;
  ForkAgent& operator=(const ForkAgent&) = delete;

  // What comes with the next "fork".
  std::vector<std::string> env = {"PATH=/usr/bin:/bin"};
  std::string cwd = "/";
  std::vector<std::string> fields;  // more of the payload, as "KEY=VALUE"
  std::string shim;                 // the program; the witness
  CgroupDir* cgroup = nullptr;
  CgroupDir* shim_cgroup = nullptr;

  // `program` with `flags`; its output goes to a file.
  void StartTemplate(const std::vector<std::string>& program,
                     const std::vector<std::string>& flags = {}, bool is_template = true);
  // Takes the offer and answers it.
  void AwaitOffer(const std::string& answer = "welcome");
  // Closes the connection and the listener; Listen() opens that anew.
  void Leave();
  void Listen();

  // Asks for a process; returns the answer.
  std::string Fork(const std::vector<std::string>& argv);
  // The same in two steps.
  void SendFork(const std::vector<std::string>& argv);
  std::string Answer();
  // A packet of one's own, with descriptors that stay the caller's.
  void Send(const std::string& packet, const std::vector<int>& descriptors);
  // What the witness of the newest fork saw, once the process has ended.
  Facts AwaitEnd();
  // Fork() and AwaitEnd(). REQUIRES: it is forked.
  Facts Run(const std::vector<std::string>& argv);

  // How many descriptors the template has while it waits for a request.
  size_t CountIdleDescriptors();
  void KillTemplate();
  // Its wait status.
  int AwaitTemplateEnd();
  std::string TemplateOutput() const;
  pid_t template_pid() const { return template_; }
  // What the descriptor of the output directory leads to.
  const std::string& dir() const { return dir_; }

 private:
  std::string dir_;
  UniqueFd listener_;
  UniqueFd connection_;
  UniqueFd reports_;  // the end we read
  UniqueFd report_writer_;
  pid_t template_ = 0;
  int template_status_ = -1;
  int slot_ = 0;
  int reported_ = 0;
};

// PID in "forked NUMBER PID"; 0 for another answer.
pid_t ForkedPid(const std::string& answer);
// Waits until `pid` has no child, not even one that is a zombie.
bool AwaitNoChildOf(pid_t pid);
size_t CountDescriptorsOf(pid_t pid);

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SHIM_FORK_FORK_AGENT_H_
