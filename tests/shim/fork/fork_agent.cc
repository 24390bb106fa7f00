#include "tests/shim/fork/fork_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/payload_file.h"

namespace shoal::testing {
namespace {

namespace fs = std::filesystem;
constexpr int kDeadlineMs = 60'000;

bool AwaitReadable(int fd, const char* what) {
  pollfd watched = {fd, POLLIN, 0};
  if (poll(&watched, 1, kDeadlineMs) > 0) return true;
  ADD_FAILURE() << "no " << what << " in " << kDeadlineMs / 1000 << " s";
  return false;
}

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

UniqueFd OpenDirectory(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

ForkAgent::ForkAgent() : shim(SHOAL_FORK_WITNESS) {
  char dir[] = "/tmp/shoal-fork-test-XXXXXX";
  EXPECT_NE(mkdtemp(dir), nullptr);
  dir_ = dir;
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  reports_ = UniqueFd(ends[0]);
  report_writer_ = UniqueFd(ends[1]);
  Listen();
}

ForkAgent::~ForkAgent() {
  KillTemplate();
  // Shims whose template has ended are ours to reap; they end by themselves.
  while (waitpid(-1, nullptr, 0) > 0) {
  }
  fs::remove_all(dir_);
}

void ForkAgent::Listen() {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  (dir_ + "/s").copy(address.sun_path, sizeof(address.sun_path) - 1);
  unlink(address.sun_path);
  listener_ = UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(listen(listener_.get(), 5), 0);
}

void ForkAgent::Leave() {
  connection_.Reset();
  listener_.Reset();
}

void ForkAgent::StartTemplate(const std::vector<std::string>& program,
                              const std::vector<std::string>& flags, bool is_template) {
  std::vector<std::string> words = program;
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<std::string> variables = {"PATH=/usr/bin:/bin", "OF_THE_TEMPLATE=1",
                                        "ASAN_OPTIONS=detect_leaks=0",
                                        "SHOAL_FORK_SOCKET=" + dir_ + "/s"};
  if (is_template) variables.push_back("SHOAL_TEMPLATE=1");
  std::vector<char*> argv, envp;
  for (std::string& word : words) argv.push_back(word.data());
  for (std::string& variable : variables) envp.push_back(variable.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, (dir_ + "/template").c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  EXPECT_EQ(posix_spawn(&template_, argv[0], &actions, nullptr, argv.data(), envp.data()), 0);
  posix_spawn_file_actions_destroy(&actions);
  template_status_ = -1;
}

void ForkAgent::AwaitOffer(const std::string& answer) {
  ASSERT_TRUE(AwaitReadable(listener_.get(), "connection")) << TemplateOutput();
  connection_ = UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_EQ(Answer(), "offer 1");
  Send(answer, {});
  if (answer != "welcome") connection_.Reset();
}

void ForkAgent::Send(const std::string& packet, const std::vector<int>& descriptors) {
  iovec bytes = {const_cast<char*>(packet.data()), packet.size()};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  std::vector<char> control(CMSG_SPACE(descriptors.size() * sizeof(int)));
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size() * sizeof(int));
  }
  EXPECT_EQ(sendmsg(connection_.get(), &message, MSG_NOSIGNAL), static_cast<ssize_t>(packet.size()))
      << strerror(errno);
}

std::string ForkAgent::Answer() {
  if (!AwaitReadable(connection_.get(), "packet")) return TemplateOutput();
  char packet[1024];
  const ssize_t size = recv(connection_.get(), packet, sizeof(packet), 0);
  return size < 0 ? strerror(errno) : std::string(packet, static_cast<size_t>(size));
}

void ForkAgent::SendFork(const std::vector<std::string>& argv) {
  std::string rest;
  for (const std::string& field : fields) rest += field + '\0';
  const UniqueFd file = PayloadFile(argv, env, cwd, rest);
  EXPECT_TRUE(file);
  const UniqueFd program(open(shim.c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd record(open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const UniqueFd output = OpenDirectory(dir_);
  std::vector<int> sent = {file.get(), program.get(), record.get(), report_writer_.get(),
                           output.get()};
  UniqueFd directories[2];
  if (cgroup != nullptr) {
    directories[0] = OpenDirectory(cgroup->path());
    directories[1] = OpenDirectory(shim_cgroup->path());
    sent.insert(sent.end(), {directories[0].get(), directories[1].get()});
  }
  ++slot_;
  Send("fork " + std::to_string(1000 + slot_) + " " + std::to_string(slot_), sent);
}

std::string ForkAgent::Fork(const std::vector<std::string>& argv) {
  SendFork(argv);
  return Answer();
}

Facts ForkAgent::AwaitEnd() {
  const std::string file = dir_ + "/" + std::to_string(slot_);
  while (!fs::exists(file) || reported_ < slot_) {
    char byte;
    if (!AwaitReadable(reports_.get(), "end of the process") || read(reports_.get(), &byte, 1) != 1)
      break;
    reported_ = slot_;
  }
  return Facts(ReadFile(file));
}

Facts ForkAgent::Run(const std::vector<std::string>& argv) {
  const std::string answer = Fork(argv);
  EXPECT_GT(ForkedPid(answer), 1) << answer;
  return ForkedPid(answer) > 1 ? AwaitEnd() : Facts();
}

// The template answers in order, so an answer says that everything before it is done; and a request
// that comes without descriptors is refused before any is opened.
size_t ForkAgent::CountIdleDescriptors() {
  Send("fork 1 1", {});
  EXPECT_EQ(Answer().rfind("failed 1 request 0 0 descriptors", 0), 0u);
  return CountDescriptorsOf(template_);
}

void ForkAgent::KillTemplate() {
  if (template_ <= 1 || template_status_ != -1) return;
  kill(template_, SIGKILL);
  AwaitTemplateEnd();
}

int ForkAgent::AwaitTemplateEnd() {
  if (template_status_ != -1) return template_status_;
  const UniqueFd watched(static_cast<int>(syscall(SYS_pidfd_open, template_, 0)));
  if (!AwaitReadable(watched.get(), "end of the template")) kill(template_, SIGKILL);
  EXPECT_EQ(waitpid(template_, &template_status_, 0), template_);
  return template_status_;
}

std::string ForkAgent::TemplateOutput() const { return ReadFile(dir_ + "/template"); }

pid_t ForkedPid(const std::string& answer) {
  std::istringstream words(answer);
  std::string word;
  int number = 0;
  pid_t pid = 0;
  words >> word >> number >> pid;
  return word == "forked" ? pid : 0;
}

bool AwaitNoChildOf(pid_t pid) {
  const std::string task = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid);
  for (int left_ms = kDeadlineMs; left_ms > 0; left_ms -= 10) {
    if (ReadFile(task + "/children").empty()) return true;
    poll(nullptr, 0, 10);
  }
  return false;
}

size_t CountDescriptorsOf(pid_t pid) {
  const fs::directory_iterator fds("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<size_t>(std::distance(begin(fds), end(fds)));
}

}  // namespace shoal::testing
