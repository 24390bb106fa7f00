// What forking a template costs by itself, without an agent: from the request to the first
// instruction of the forked process, and to the answer, by the memory that the template has
// touched; beside it posix_spawn of the same program up to its main().
//
//   shoal_bench_fork_runtime [--quick] [SHIM]      rows as tests/bench/run wants them
//
// It executes itself as template ("--template MIB huge|small", small: the memory must not be
// gathered into huge pages) and as the raw program ("--now FIFO"). The started process writes the
// time of its first instruction into a FIFO.
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent/record/half_format.h"
#include "common/unique_fd.h"
#include "shoal/fork_server.h"

namespace {

using shoal::UniqueFd;
namespace record = shoal::record;

constexpr uint32_t kSlot = 1;
constexpr size_t kMiB = size_t{1} << 20;

[[noreturn]] void Die(const char* what) {
  fprintf(stderr, "fork_runtime: %s: %s\n", what, strerror(errno));
  exit(1);
}

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int TellNow(const char* fifo, int64_t now) {
  const UniqueFd file(open(fifo, O_WRONLY | O_CLOEXEC));
  return write(file.get(), &now, sizeof(now)) == sizeof(now) ? 0 : 1;
}

int BeTemplate(size_t mib, bool huge) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (mib > 0) {
    void* const memory =
        mmap(nullptr, mib * kMiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) Die("mmap");
    if (!huge) madvise(memory, mib * kMiB, MADV_NOHUGEPAGE);  // nor gathered into huge ones
    memset(memory, 1, mib * kMiB);
  }
  const absl::StatusOr<shoal::ForkedProcess> forked = shoal::ServeForks();
  const int64_t now = Now();
  _exit(forked.ok() ? TellNow(forked->argv[1].c_str(), now) : 1);
}

// The agent's part of it.
class Bench {
 public:
  explicit Bench(std::string shim) : shim_(std::move(shim)) {
    char directory[] = "/tmp/shoal-bench-fork-XXXXXX";
    if (mkdtemp(directory) == nullptr) Die("mkdtemp");
    directory_ = directory;
    for (const std::string& fifo : {times(), directory_ + "/reports"}) {
      if (mkfifo(fifo.c_str(), 0600) != 0) Die("mkfifo");
    }
    times_ = UniqueFd(open(times().c_str(), O_RDWR | O_CLOEXEC));
    reports_ = UniqueFd(open((directory_ + "/reports").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    record_ = UniqueFd(open((directory_ + "/records").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    program_ = UniqueFd(open(shim_.c_str(), O_RDONLY | O_CLOEXEC));
    output_ = UniqueFd(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!program_) Die(shim_.c_str());
    WriteAgentHalf();
    Listen();
    prctl(PR_SET_NAME, "shoal-shim");  // so that shims become children of this process
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  ~Bench() {
    for (const char* name : {"times", "reports", "records", "s"})
      unlink((directory_ + "/" + name).c_str());
    rmdir(directory_.c_str());
  }

  void StartTemplate(size_t mib, bool huge) {
    template_ =
        Spawn({"/proc/self/exe", "--template", std::to_string(mib), huge ? "huge" : "small"},
              {"SHOAL_FORK_SOCKET=" + directory_ + "/s"});
    connection_ = UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char offer[512];
    if (recv(connection_.get(), offer, sizeof(offer), 0) <= 0) Die("the offer");
    if (send(connection_.get(), "welcome", 7, 0) != 7) Die("the welcome");
  }
  void EndTemplate() {
    kill(template_, SIGKILL);
    waitpid(template_, nullptr, 0);
    connection_.Reset();
  }

  struct Times {
    int64_t to_process;
    int64_t to_answer;
  };
  Times Fork() {
    const std::string payload = "arg=x" + std::string(1, 0) + "arg=" + times() + std::string(1, 0) +
                                "env=PATH=/bin" + std::string(1, 0) + "cwd=/" + std::string(1, 0);
    const UniqueFd file(memfd_create("payload", MFD_CLOEXEC));
    if (write(file.get(), payload.data(), payload.size()) < 0) Die("write");
    const int sent[] = {file.get(), program_.get(), record_.get(), reports_.get(), output_.get()};
    const int64_t began = Now();
    Send("fork 1 1", sent);
    char answer[512] = {};
    if (recv(connection_.get(), answer, sizeof(answer) - 1, 0) <= 0) Die("the answer");
    const int64_t answered = Now();
    if (strncmp(answer, "forked ", 7) != 0) {
      fprintf(stderr, "fork_runtime: %s\n", answer);
      exit(1);
    }
    const int64_t process = ReadTime();
    int status = 0;
    if (waitpid(-1, &status, 0) <= 0 || status != 0) {
      fprintf(stderr, "fork_runtime: the shim's wait status is %d\n", status);
      exit(1);
    }
    record::Report report;
    while (read(reports_.get(), &report, sizeof(report)) > 0) {
    }
    return {process - began, answered - began};
  }

  int64_t SpawnNow() {
    const int64_t began = Now();
    const pid_t pid = Spawn({"/proc/self/exe", "--now", times()}, {});
    const int64_t process = ReadTime();
    waitpid(pid, nullptr, 0);
    return process - began;
  }

 private:
  std::string times() const { return directory_ + "/times"; }

  void WriteAgentHalf() {
    if (ftruncate(record_.get(), record::kSlotBytes * 2) != 0) Die("ftruncate");
    record::AgentHalf half = {};
    memcpy(half.prefix.id, "BENCHFORKRUNTIME", record::kIdBytes);
    half.flags = record::kNoCgroup;
    half.grace_ns = 1'000'000'000;
    half.cap_bytes = record::kDefaultCapBytes;
    half.segment_bytes = record::kDefaultSegmentBytes;
    record::SetFormat(&half);
    record::Area<record::AgentHalf> area = {};
    record::Pack(&half, &area);
    if (pwrite(record_.get(), &area, sizeof(area), kSlot * record::kSlotBytes) != sizeof(area))
      Die("pwrite");
  }

  void Listen() {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    (directory_ + "/s").copy(address.sun_path, sizeof(address.sun_path) - 1);
    listener_ = UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        listen(listener_.get(), 1) != 0)
      Die("the socket");
  }

  template <size_t N>
  void Send(const std::string& packet, const int (&descriptors)[N]) {
    iovec bytes = {const_cast<char*>(packet.data()), packet.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(descriptors))] = {};
    msghdr message = {};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(descriptors));
    memcpy(CMSG_DATA(part), descriptors, sizeof(descriptors));
    if (sendmsg(connection_.get(), &message, 0) < 0) Die("sendmsg");
  }

  int64_t ReadTime() {
    int64_t time = 0;
    if (read(times_.get(), &time, sizeof(time)) != sizeof(time)) Die("read");
    return time;
  }

  static pid_t Spawn(std::vector<std::string> argv, std::vector<std::string> env) {
    std::vector<char*> words, variables;
    for (std::string& word : argv) words.push_back(word.data());
    for (std::string& variable : env) variables.push_back(variable.data());
    words.push_back(nullptr);
    variables.push_back(nullptr);
    pid_t pid = 0;
    errno = posix_spawn(&pid, words[0], nullptr, nullptr, words.data(), variables.data());
    if (errno != 0) Die("posix_spawn");
    return pid;
  }

  const std::string shim_;
  std::string directory_;
  UniqueFd times_, reports_, record_, program_, output_, listener_, connection_;
  pid_t template_ = 0;
};

double MedianMs(std::vector<int64_t> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return static_cast<double>(values[values.size() / 2]) / 1e6;
}

// Raw and fork take turns, so that both see the machine in the same mood.
void Measure(Bench& bench, size_t mib, bool huge, int count) {
  bench.StartTemplate(mib, huge);
  std::vector<int64_t> raw, to_process, to_answer;
  for (int i = 0; i < count; ++i) {
    raw.push_back(bench.SpawnNow());
    const Bench::Times times = bench.Fork();
    to_process.push_back(times.to_process);
    to_answer.push_back(times.to_answer);
  }
  bench.EndTemplate();
  const std::string what = "fork of a template with " + std::to_string(mib) + " MiB" +
                           (huge ? "" : " that cannot be gathered");
  const double spawned = MedianMs(raw);
  const auto row = [&](const char* until, double ms) {
    printf("%s, until %s\t%.3f ms\t%.3f ms\t%.2f\t\n", what.c_str(), until, spawned, ms,
           ms / spawned);
  };
  row("its process runs", MedianMs(to_process));
  row("its answer", MedianMs(to_answer));
  fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t now = Now();
  if (argc > 2 && strcmp(argv[1], "--now") == 0) _exit(TellNow(argv[2], now));
  if (argc > 3 && strcmp(argv[1], "--template") == 0)
    return BeTemplate(strtoul(argv[2], nullptr, 10), strcmp(argv[3], "huge") == 0);
  const bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
  Bench bench(argc > 1 + quick ? argv[1 + quick] : SHOAL_SHIM);
  for (const size_t mib :
       {size_t{0}, size_t{4}, size_t{16}, size_t{64}, size_t{256}, size_t{1024}}) {
    for (const bool huge : {true, false}) {
      if (!huge && mib == 0) continue;
      Measure(bench, mib, huge, quick ? 3 : mib < 256 ? 200 : 50);
    }
  }
  return 0;
}
