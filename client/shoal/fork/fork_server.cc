#include "shoal/fork_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/status.h"
#include "common/unique_fd.h"
#include "shoal/fork/fork_request.h"
#include "shoal/fork/forker.h"
#include "shoal/fork/huge_pages.h"
#include "shoal/fork/plumbing.h"
#include "shoal/fork/process_setup.h"

namespace shoal {
namespace {

using namespace fork_protocol;
using forking::ForkOutcome;

constexpr int kFirstPauseMs = 10;
constexpr int kLongestPauseMs = 1000;
constexpr int kReapMs = 1000;  // a child that was a shim is a zombie for no longer

int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

bool Send(int connection, absl::string_view packet) {
  packet = packet.substr(0, kMaxPacketBytes);
  ssize_t sent;
  do {
    sent = send(connection, packet.data(), packet.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

struct Packet {
  std::string text;  // empty: the connection has broken
  std::vector<UniqueFd> descriptors;
};

Packet Receive(int connection) {
  char text[kMaxPacketBytes];
  alignas(cmsghdr) char control[CMSG_SPACE(kSentWithCgroup * sizeof(int))];
  iovec bytes = {text, sizeof(text)};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t size;
  do {
    size = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  Packet packet;
  if (size <= 0) return packet;
  packet.text.assign(text, static_cast<size_t>(size));
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
      packet.descriptors.emplace_back(fd);
    }
  }
  return packet;
}

// UNAVAILABLE: no agent listens now.
absl::StatusOr<UniqueFd> Offer(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat(kSocketVariable, " is longer than ", sizeof(address.sun_path) - 1, " bytes"));
  }
  memcpy(address.sun_path, path.data(), path.size());
  UniqueFd connection(forking::RaiseAsyncSafe(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)));
  if (!connection) return ErrnoStatus(errno, "socket for the agent");
  if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return absl::UnavailableError(absl::StrCat("connect to ", path, ": ", strerror(errno)));
  if (!Send(connection.get(), absl::StrCat("offer ", kVersion)))
    return absl::UnavailableError("the agent has closed the connection");
  const std::string answer = Receive(connection.get()).text;
  absl::string_view text = answer;
  if (text == "welcome") return connection;
  if (absl::ConsumePrefix(&text, "refused ")) {
    return absl::FailedPreconditionError(
        absl::StrCat("the agent refuses this process as a template: ", text));
  }
  if (text.empty()) return absl::UnavailableError("the agent has closed the connection");
  return absl::UnimplementedError(
      absl::StrCat("who listens at ", path, " does not speak this protocol"));
}

// How many threads this process has; 0: the kernel does not tell.
int ThreadCount() {
  struct stat task;
  // One directory each, beside its own two links.
  return stat("/proc/self/task", &task) == 0 ? static_cast<int>(task.st_nlink) - 2 : 0;
}

// True if the parent is a shim, and so reaps whatever becomes its child.
bool HasShimForParent() {
  const UniqueFd file(
      open(absl::StrCat("/proc/", getppid(), "/comm").c_str(), O_RDONLY | O_CLOEXEC));
  char name[32];
  const ssize_t size = read(file.get(), name, sizeof(name));
  return size > 0 && absl::string_view(name, static_cast<size_t>(size)) == "shoal-shim\n";
}

absl::StatusOr<forking::ForkPayload> ReadPayload(int fd) {
  struct stat file;
  if (fstat(fd, &file) != 0) return ErrnoStatus(errno, "fstat of the payload");
  std::vector<char> bytes(static_cast<size_t>(file.st_size));
  const ssize_t size = pread(fd, bytes.data(), bytes.size(), 0);
  if (size < 0) return ErrnoStatus(errno, "reading the payload");
  bytes.resize(static_cast<size_t>(size));
  return forking::ParseForkPayload(std::move(bytes));
}

// What this process has not written is its own to write, and once.
void FlushStreams() {
  std::cout.flush();
  std::clog.flush();
  fflush(nullptr);
}

void Reap(std::vector<pid_t>* children) {
  const auto ended = [](pid_t child) {
    const pid_t reaped = waitpid(child, nullptr, WNOHANG | __WALL);
    return reaped == child || (reaped < 0 && errno == ECHILD);
  };
  children->erase(std::remove_if(children->begin(), children->end(), ended), children->end());
}

// One connection to an agent.
class Server {
 public:
  Server(UniqueFd connection, std::vector<pid_t>* children)
      : connection_(std::move(connection)),
        children_(children),
        parent_reaps_(HasShimForParent()) {}

  // Returns in a forked process, with what it is to be, and in this one, with nullptr, when the
  // connection broke.
  const forking::ForkPayload* Serve() {
    for (;;) {
      if (AwaitPacket()) {
        Packet packet = Receive(connection_.get());
        absl::StatusOr<forking::ForkCommand> command = forking::ParseForkCommand(packet.text);
        if (!command.ok()) return nullptr;
        std::string answer = Answer(*command, &packet.descriptors);
        if (forked_ != nullptr) return forked_;
        // The shim holds the lock of its slot alone when the agent hears of it.
        packet.descriptors.clear();
        if (!Send(connection_.get(), answer)) return nullptr;
      }
      Reap(children_);
    }
  }

 private:
  // False when it is time to look for children that have ended.
  bool AwaitPacket() {
    pollfd watched = {connection_.get(), POLLIN, 0};
    return poll(&watched, 1, children_->empty() ? -1 : kReapMs) > 0;
  }

  // What to tell the agent; nothing in the forked process, where forked_ is set.
  std::string Answer(const forking::ForkCommand& command, std::vector<UniqueFd>* sent) {
    const auto failed = [&](absl::string_view stage, int error, absl::string_view text) {
      return absl::StrCat("failed ", command.number, " ", stage, " ", error, " ", text);
    };
    const int threads = ThreadCount();
    if (threads != 1) {
      if (threads <= 0)
        return failed(kStageThreads, 0, "it cannot count its threads without /proc");
      return failed(kStageThreads, 0, absl::StrCat("it has ", threads, " threads"));
    }
    if (sent->size() != kSentWithoutCgroup && sent->size() != kSentWithCgroup) {
      return failed(kStageRequest, 0, absl::StrCat(sent->size(), " descriptors came with it"));
    }
    absl::StatusOr<forking::ForkPayload> payload = ReadPayload((*sent)[kSentPayload].get());
    if (!payload.ok()) return failed(kStageRequest, 0, payload.status().message());
    // Of a forked process it is the environment, and so is not freed.
    auto kept = std::make_unique<forking::ForkPayload>(*std::move(payload));
    const ForkOutcome outcome = Fork(command, *sent, *kept);
    if (outcome.where == ForkOutcome::Where::kForked) {
      sent->clear();
      Become(outcome, kept.release());
      return "";
    }
    if (outcome.child > 0) children_->push_back(outcome.child);
    if (outcome.where == ForkOutcome::Where::kFailed)
      return failed(outcome.stage, outcome.error_number, strerror(outcome.error_number));
    return absl::StrCat("forked ", command.number, " ", outcome.process);
  }

  ForkOutcome Fork(const forking::ForkCommand& command, const std::vector<UniqueFd>& sent,
                   const forking::ForkPayload& payload) {
    forking::ForkOrder order = {};
    for (size_t i = 0; i < sent.size(); ++i) order.sent[i] = sent[i].get();
    order.has_cgroup = sent.size() == kSentWithCgroup;
    order.slot = command.slot.c_str();
    order.payload = &payload;
    order.as_sibling = parent_reaps_;
    FlushStreams();
    return forking::Fork(order);
  }

  // In the forked process: what it has of the template's service goes, and it is set up.
  void Become(const ForkOutcome& outcome, forking::ForkPayload* payload) {
    connection_.Reset();
    children_->clear();
    forking::SetUpProcess(outcome.plumbing, *payload);
    forked_ = payload;
  }

  UniqueFd connection_;
  std::vector<pid_t>* const children_;  // those that were forked as shims, and are to be reaped
  const bool parent_reaps_;
  const forking::ForkPayload* forked_ = nullptr;  // lives as long as the process
};

}  // namespace

absl::StatusOr<ForkedProcess> ServeForks() {
  const char* variable = getenv(kSocketVariable);
  if (variable == nullptr || *variable == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(kSocketVariable, " is not set: no agent has started this process"));
  }
  const std::string path = variable;
  forking::GatherIntoHugePages();
  std::vector<pid_t> children;
  bool silent = false;
  int pause_ms = kFirstPauseMs;
  for (;;) {
    const int64_t began = NowMs();
    absl::StatusOr<UniqueFd> connection = Offer(path);
    if (connection.ok()) {
      Server server(*std::move(connection), &children);
      const forking::ForkPayload* const forked = server.Serve();
      if (forked != nullptr) return ForkedProcess{{forked->argv.begin(), forked->argv.end() - 1}};
    } else if (!absl::IsUnavailable(connection.status())) {
      return connection.status();
    } else if (!silent) {
      fprintf(stderr, "shoal: %s; trying again\n",
              std::string(connection.status().message()).c_str());
    }
    silent = true;  // an agent of a later time is one that is being restarted
    // One that drops us at once shall not make us spin.
    pause_ms =
        NowMs() - began > kLongestPauseMs ? kFirstPauseMs : std::min(2 * pause_ms, kLongestPauseMs);
    poll(nullptr, 0, pause_ms);
    Reap(&children);
  }
}

void KeepResultDescriptorFree() {
  if (fcntl(kProcessResultFd, F_GETFD) >= 0) return;
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || null == kProcessResultFd) return;
  dup3(null, kProcessResultFd, O_CLOEXEC);
  close(null);
}

}  // namespace shoal
