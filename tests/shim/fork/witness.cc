// Stands where the shim is executed: says what it was given, and what became of the process.
//
// argv {"shoal-shim", SLOT, "--adopt", PID}. When the process has ended, or after a minute, at
// which it is killed, the file SLOT of the output directory has one line "KEY HEX" for each fact,
// and one byte goes to the report pipe.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "shoal/v1/fork_protocol.h"
#include "tests/shim/fork/facts.h"

using namespace shoal::fork_protocol;
using shoal::testing::Facts;

int main(int argc, char** argv) {
  if (argc != 4) return 64;
  Facts facts;
  facts.AddDescriptors();
  for (int i = 0; i < argc; ++i) facts.Add("arg", argv[i]);
  facts.AddStatus();
  facts.AddEnvironment();
  facts.AddCgroup();
  int is_subreaper = 0;
  prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper);
  facts.Add("subreaper", std::to_string(is_subreaper));
  const pid_t process = atoi(argv[3]);
  if (process <= 1) return 64;

  struct {
    int fd;
    const char* name;
    std::string text;
  } pipes[] = {{kStartFd, "start", ""},
               {kStdoutFd, "out", ""},
               {kStderrFd, "err", ""},
               {kResultFd, "result", ""}};
  for (auto& pipe : pipes) {
    for (;;) {
      pollfd watched = {pipe.fd, POLLIN, 0};
      if (poll(&watched, 1, 60'000) == 0) kill(process, SIGKILL);
      char bytes[4096];
      const ssize_t size = read(pipe.fd, bytes, sizeof(bytes));
      if (size <= 0) break;
      pipe.text.append(bytes, static_cast<size_t>(size));
    }
    facts.Add(pipe.name, pipe.text);
  }
  int status = -1;
  if (waitpid(process, &status, 0) != process) status = -1;
  facts.Add("status", std::to_string(status));

  const int file = openat(kOutputFd, argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const std::string text = facts.Text();
  if (write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return 1;
  return write(kReportFd, "x", 1) == 1 ? 0 : 1;
}
