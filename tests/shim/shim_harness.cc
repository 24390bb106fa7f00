#include "tests/shim/shim_harness.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/shim/empty_proc.h"
#include "tests/shim/kept_output.h"
#include "tests/support/payload_file.h"

namespace shoal::testing {
namespace {

namespace fs = std::filesystem;
constexpr uint32_t kFirstSlot = 3;
constexpr int kHighFd = 200;  // sources of the shim's descriptors; must not be among 3…11

int64_t NowNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * kSec + now.tv_nsec;
}

int Raise(int fd) {
  const int high = fcntl(fd, F_DUPFD_CLOEXEC, kHighFd);
  close(fd);
  return high;
}

struct flock LockOf(uint32_t slot, short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(slot * record::kSlotBytes);
  lock.l_len = record::kSlotBytes;
  return lock;
}

// What a killed shim left dies of that or of the cgroup's end, and is then this test's to reap.
void ReapOrphans() {
  for (int attempt = 0; attempt < kDeadlineSeconds * 1000 && waitpid(-1, nullptr, WNOHANG) >= 0;
       ++attempt)
    usleep(1000);
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ShimHarness::ShimHarness(bool use_cgroup) : is_first_(true), slot_(kFirstSlot) {
  char dir[] = "/tmp/shoal-shim-test-XXXXXX";
  EXPECT_NE(mkdtemp(dir), nullptr);
  dir_ = dir;
  mkdir((dir_ + "/output").c_str(), 0700);
  EXPECT_EQ(mkfifo((dir_ + "/fifo").c_str(), 0600), 0);
  Prepare(use_cgroup);
}

ShimHarness::ShimHarness(bool use_cgroup, const ShimHarness& first)
    : is_first_(false), slot_(first.slot_ + 1), dir_(first.dir_) {
  Prepare(use_cgroup);
  agent.prefix.id[0] = 'Z';
}

void ShimHarness::Prepare(bool use_cgroup) {
  output_dir = dir_ + "/output";
  record_ = open((dir_ + "/records").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  EXPECT_EQ(ftruncate(record_, record::kSlotBytes * 8), 0);
  fifo_ = open((dir_ + "/fifo").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (use_cgroup) {
    cgroup_ = std::make_unique<CgroupDir>();
    if (!cgroup_->exists()) cgroup_.reset();
  }
  memcpy(agent.prefix.id, "ABCDEFGHIJKLMNOP", record::kIdBytes);
  if (!cgroup_) agent.flags |= record::kNoCgroup;
  agent.grace_ns = 5 * kSec;
  agent.cap_bytes = record::kDefaultCapBytes;
  agent.segment_bytes = record::kDefaultSegmentBytes;
}

ShimHarness::~ShimHarness() {
  LeaveCgroup();
  if (shim_pid_ > 0 && shim_status_ < 0) {
    kill(shim_pid_, SIGKILL);
    AwaitShimEnd();
  }
  // What another forked has no parent here; it is ended as an agent would.
  if (!is_first_ && SlotLocked() && Read().shim_pid > 1) {
    Terminate(SIGKILL, 0);
    AwaitUnlocked();
  }
  EXPECT_TRUE(!cgroup_ || cgroup_->Remove()) << "members are left in the cgroup";
  EXPECT_TRUE(!refuge_ || refuge_->Remove()) << "an adopting shim is left";
  if (WIFSIGNALED(shim_status_)) ReapOrphans();
  for (int fd : {record_, fifo_, agent_lock_, shim_pidfd_}) {
    if (fd >= 0) close(fd);
  }
  if (is_first_) fs::remove_all(dir_);
}

int ShimHarness::OpenLocked() {
  const int fd = Raise(open((dir_ + "/records").c_str(), O_RDWR | O_CLOEXEC));
  struct flock lock = LockOf(slot_, F_WRLCK);
  EXPECT_EQ(fcntl(fd, F_OFD_SETLK, &lock), 0) << strerror(errno);
  return fd;
}

void ShimHarness::Start(const std::vector<std::string>& argv) {
  std::vector<std::string> shim_argv = {"shoal-shim", std::to_string(slot_)};
  if (told_by_words) {
    agent.cwd_in_argv = cwd.empty() ? 0 : 1;
    if (!cwd.empty()) shim_argv.push_back(cwd);
    shim_argv.insert(shim_argv.end(), argv.begin(), argv.end());
    return StartProgram(shim_path, shim_argv, env);
  }
  agent.flags |= record::kHasPayload;
  shim_argv.push_back(Id());
  UniqueFd payload(Raise(PayloadFile(argv, env, cwd, payload_rest).Release()));
  StartProgram(shim_path, shim_argv, {}, std::move(payload));
}

void ShimHarness::StartAdopted(const std::vector<std::string>& verbs, const std::string& options) {
  const std::string all = OptionsWith(options);
  std::vector<std::string> argv = {"shoal-test-child", "be-shim", SHOAL_SHIM, std::to_string(slot_),
                                   all};
  argv.insert(argv.end(), verbs.begin(), verbs.end());
  argv.push_back("--");
  StartProgram(SHOAL_TEST_CHILD, argv, env);
}

std::vector<std::string> ShimHarness::ForkedBy(const std::vector<std::string>& verbs,
                                               const std::string& options) {
  const std::string all = OptionsWith(options);
  agent.spawn_began_ns = NowNs(CLOCK_BOOTTIME);
  Write();
  std::vector<std::string> argv = {"fork-by",
                                   SHOAL_SHIM,
                                   std::to_string(slot_),
                                   all,
                                   dir_,
                                   cgroup_ ? cgroup_->path() : "-",
                                   cgroup_ ? refuge_->path() : "-"};
  argv.insert(argv.end(), verbs.begin(), verbs.end());
  argv.push_back("--");
  return argv;
}

std::string ShimHarness::OptionsWith(const std::string& options) {
  if (cgroup_) refuge_ = std::make_unique<CgroupDir>();
  std::string all = options;
  if (cgroup_) all += ",cgroup";
  if (agent.flags & record::kMergeStderr) all += ",merge";
  if (agent.flags & record::kResultStream) all += ",result";
  if (agent.input_window > 0 && knows_input) all += ",input";
  return all;
}

void ShimHarness::StartProgram(const std::string& program, const std::vector<std::string>& argv,
                               const std::vector<std::string>& environment, UniqueFd payload) {
  agent.spawn_began_ns = tell_spawn_began ? NowNs(CLOCK_BOOTTIME) : 0;
  Write();
  std::vector<std::pair<int, int>> fds = {
      {OpenLocked(), record::kRecordFd},
      {Raise(fcntl(fifo_, F_DUPFD_CLOEXEC, 0)), record::kReportFd},
      {Raise(open(output_dir.c_str(), O_RDONLY | O_DIRECTORY)), record::kOutputFd}};
  if (cgroup_)
    fds.push_back(
        {Raise(open(cgroup_->path().c_str(), O_RDONLY | O_DIRECTORY)), record::kCgroupFd});
  if (payload) fds.push_back({payload.get(), record::kPayloadFd});
  if (refuge_)
    fds.push_back({Raise(open(refuge_->path().c_str(), O_RDONLY | O_DIRECTORY)),
                   fork_protocol::kShimCgroupFd});

  std::vector<std::string> variables = environment;
  // The leak check of a sanitizer build forks, for which there may be no room.
  if (!join_cgroup.empty()) variables.push_back("ASAN_OPTIONS=detect_leaks=0");
  EXPECT_TRUE(!remove_cgroup || cgroup_->Remove());
  if (!join_cgroup.empty()) std::ofstream(join_cgroup + "/cgroup.procs") << "0" << std::flush;
  {
    std::unique_ptr<EmptyProc> empty_proc;
    if (without_proc) empty_proc = std::make_unique<EmptyProc>();
    Spawn(program, argv, variables, fds);
  }
  for (auto [from, to] : fds) {
    if (from != payload.get()) close(from);
  }
  shim_pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, shim_pid_, 0));
}

void ShimHarness::Spawn(std::string program, const std::vector<std::string>& argv,
                        const std::vector<std::string>& environment,
                        const std::vector<std::pair<int, int>>& fds) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, 0, 1);
  if (refused)
    posix_spawn_file_actions_adddup2(&actions, 0, 2);  // it says why, but not to the tester
  for (auto [from, to] : fds) posix_spawn_file_actions_adddup2(&actions, from, to);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  // Not ignored in this process, which would lose the shim's exit: env(1) does it and becomes the
  // shim.
  std::vector<std::string> command = argv;
  if (!ignored_signals.empty()) {
    command[0] = program;
    for (int number : ignored_signals) {
      command.insert(command.begin(), "--ignore-signal=" + std::to_string(number));
    }
    program = "/usr/bin/env";
    command.insert(command.begin(), program);
  }
  EXPECT_EQ(posix_spawn(&shim_pid_, program.c_str(), &actions, &attributes,
                        Pointers(command).data(), Pointers(environment).data()),
            0);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
}

void ShimHarness::StartChild(const std::vector<std::string>& verbs) {
  std::vector<std::string> argv = {SHOAL_TEST_CHILD};
  argv.insert(argv.end(), verbs.begin(), verbs.end());
  Start(argv);
}

void ShimHarness::LeaveCgroup() {
  if (!join_cgroup.empty()) std::ofstream(join_cgroup + "/../cgroup.procs") << "0" << std::flush;
}

void ShimHarness::Write() {
  if (agent.prefix.magic == 0) record::SetFormat(&agent);
  record::Area<record::AgentHalf> area = {};
  memset(&area, tail_byte, sizeof(area));
  const size_t size = record::Pack(&agent, &area);
  if (damage_half) ++area.bytes[offsetof(record::Prefix, checksum)];
  EXPECT_EQ(pwrite(record_, &area, size, slot_ * record::kSlotBytes), static_cast<ssize_t>(size));
}

void ShimHarness::Tell() {
  Write();
  const pid_t shim = shim_pid_ > 0 ? shim_pid_ : Read().shim_pid;
  if (shim > 1) kill(shim, SIGUSR1);
}

void ShimHarness::Terminate(int signal, int64_t grace_ns) {
  ++agent.terminate_serial;
  agent.terminate_cause = record::EndCause::kRequested;
  agent.terminate_signal = signal;
  agent.terminate_grace_ns = grace_ns;
  Tell();
}

void ShimHarness::Feed(const std::string& bytes, bool end) {
  const UniqueFd ring(open((output_dir + "/" + Id() + ".in").c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_TRUE(ring || bytes.empty()) << "there is no ring";
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int64_t at = (agent.input_end + static_cast<int64_t>(i)) % agent.input_window;
    EXPECT_EQ(pwrite(ring.get(), &bytes[i], 1, at), 1);
  }
  agent.input_end += static_cast<int64_t>(bytes.size());
  if (end) agent.flags |= record::kInputEnded;
  Tell();
}

void ShimHarness::FillFifo() {
  const record::Report report = {};
  while (write(fifo_, &report, sizeof(report)) == sizeof(report)) {
  }
}

void ShimHarness::LockAgent(bool locked) {
  if (agent_lock_ < 0) agent_lock_ = open((dir_ + "/records").c_str(), O_RDWR | O_CLOEXEC);
  struct flock lock = LockOf(0, static_cast<short>(locked ? F_WRLCK : F_UNLCK));
  EXPECT_EQ(fcntl(agent_lock_, F_OFD_SETLK, &lock), 0);
}

// Takes what is in the FIFO, waiting for something to come or for the shim's end. False at the
// timeout.
bool ShimHarness::DrainReports(int timeout_ms) {
  pollfd watched[2] = {{fifo_, POLLIN, 0}, {shim_status_ < 0 ? shim_pidfd_ : -1, POLLIN, 0}};
  if (poll(watched, 2, timeout_ms) <= 0) return false;
  record::Report report;
  while (read(fifo_, &report, sizeof(report)) == sizeof(report)) ++reports_;
  return true;
}

record::ShimHalf ShimHarness::Await(const std::function<bool(const record::ShimHalf&)>& done,
                                    const char* what) {
  const int64_t deadline = NowNs(CLOCK_MONOTONIC) + kDeadlineSeconds * kSec;
  for (;;) {
    record::ShimHalf half = Read();
    if (done(half)) return half;
    const int64_t left = deadline - NowNs(CLOCK_MONOTONIC);
    if (left <= 0 || !DrainReports(static_cast<int>(left / kMs) + 1)) {
      ADD_FAILURE() << "no " << what << " in " << kDeadlineSeconds << " s; " << Describe(Read());
      return half;
    }
    if (shim_pidfd_ >= 0 && shim_status_ < 0) {
      siginfo_t info = {};
      waitid(P_PID, static_cast<id_t>(shim_pid_), &info, WEXITED | WNOHANG | WNOWAIT);
      if (info.si_pid == shim_pid_ && !done(Read())) {
        ADD_FAILURE() << "the shim ended without " << what << "; " << Describe(Read());
        return half;
      }
    }
  }
}

record::ShimHalf ShimHarness::AwaitFlags(uint32_t flags) {
  char what[32];
  snprintf(what, sizeof(what), "flags %#x", flags);
  return Await([flags](const record::ShimHalf& half) { return (half.flags & flags) == flags; },
               what);
}

record::ShimHalf ShimHarness::AwaitFinal() {
  record::ShimHalf half = AwaitFlags(record::kFinal);
  const int status = AwaitShimEnd();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "shim's wait status " << status;
  return half;
}

int ShimHarness::AwaitShimEnd() {
  if (shim_status_ >= 0) return shim_status_;
  pollfd watched = {shim_pidfd_, POLLIN, 0};
  if (poll(&watched, 1, kDeadlineSeconds * 1000) <= 0) {
    ADD_FAILURE() << "the shim does not end; " << Describe(Read());
    kill(shim_pid_, SIGKILL);
  }
  EXPECT_EQ(waitpid(shim_pid_, &shim_status_, 0), shim_pid_);
  return shim_status_;
}

void ShimHarness::AwaitOutput(int stream, const std::string& text) {
  Await([&](const record::ShimHalf&) { return Output(stream).find(text) != std::string::npos; },
        text.c_str());
}

record::ShimHalf ShimHarness::Read() const {
  record::ShimHalf half = {};
  for (int attempt = 0; attempt < 100; ++attempt) {
    record::Area<record::ShimHalf> area = {};
    const off_t at = slot_ * record::kSlotBytes + record::kShimHalfOffset;
    if (pread(record_, &area, sizeof(area), at) > 0 &&
        record::Unpack(area, &half) == record::Reading::kIntact &&
        memcmp(half.prefix.id, agent.prefix.id, sizeof(half.prefix.id)) == 0)
      return half;
  }
  return {};
}

bool ShimHarness::SlotLocked() const {
  struct flock lock = LockOf(slot_, F_WRLCK);
  EXPECT_EQ(fcntl(record_, F_OFD_GETLK, &lock), 0);
  return lock.l_type != F_UNLCK;
}

void ShimHarness::AwaitUnlocked() const {
  for (int attempt = 0; SlotLocked() && attempt < kDeadlineSeconds * 1000; ++attempt) usleep(1000);
  EXPECT_FALSE(SlotLocked());
}

std::string ShimHarness::Output(int stream) const {
  return KeptOutput(output_dir, Id()).Read(stream, Read().streams[stream], agent.segment_bytes);
}

std::vector<record::IndexRow> ShimHarness::Index() const {
  return KeptOutput(output_dir, Id()).Index();
}

std::set<std::string> ShimHarness::OutputFiles() const {
  return KeptOutput(output_dir, Id()).Files();
}

std::string ShimHarness::Describe(const record::ShimHalf& half) const {
  std::ostringstream text;
  text << std::hex << "flags 0x" << half.flags << std::dec << " pid " << half.pid << " stage "
       << static_cast<int>(half.fail_stage) << " errno " << half.fail_errno << " status "
       << half.wait_status << " cause " << static_cast<int>(half.end_cause) << " survivors "
       << half.survivor_count;
  for (const record::StreamState& stream : half.streams)
    text << " [" << stream.begin << "," << stream.end << ")";
  return text.str();
}

}  // namespace shoal::testing
