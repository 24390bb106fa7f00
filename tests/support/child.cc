// shoal-test-child: a process that does as it is told, for tests of every level.
//
// Its arguments are verbs with their operands, done one after another; at the end it exits with 0.
//   exit N              raise S             pause               sleep SECONDS
//   print TEXT          eprint TEXT         return TEXT         (to descriptor 3)
//   print-pid           flood STREAM BYTES  (tests/support/pattern.h)
//   ignore S            on-signal S TEXT N  (prints TEXT, exits with N)
//   stop                SIGSTOP to itself
//   list                prints what it was started with, one "key=value" a line
//   cat                 writes its stdin to its stdout, up to its end
//   take N              the same of N bytes
//   close-input         its stdin becomes /dev/null
//   terminal            prints what it is connected to: "terminal ROWS COLUMNS", or "no terminal"
//   raw                 its terminal passes bytes as they are
//   await-rows N        waits until its terminal has so many
//   truncate-stdout     opens /dev/stdout with O_TRUNC and prints "truncated"
//   close-output        stdout and stderr become /dev/null
//   try-children        starts processes in every way, and a thread (tests/support/try_children.h)
//   exec … --           becomes this program anew, with the verbs up to "--"
//   pretend SLOT … --   as exec, by the name and argument of a shim
//   be-shim SHIM SLOT OPTIONS … --
//                       becomes the adopting shim of a child that does the verbs up to "--"
//   fork-by SHIM SLOT OPTIONS DIR CGROUP REFUGE … --
//                       the same in a process made for it (tests/support/fork_side.h)
//   core                permits itself a core file of any size
//   fork … --           a child does the verbs up to "--"; the parent goes on behind
//   daemon N … --       as fork, N times, double-forked and in sessions of their own
//   fork-as KIND … --   as fork, in another way (tests/support/odd_children.h)
//   subreaper           orphans below it become its children
//   chain-fork          forks, exits in the parent, and so on in the child, for ever
//   leader-exits N      the leading thread exits at once; another one reads a line's worth of time
//                       and exits with N
//   leave-cgroup DIR    moves itself into another cgroup
//   open-fifo PATH      blocks until a writer has the FIFO open
//   kill-parent         SIGKILL to its parent: the shim
//   touch PATH          creates a file
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <initializer_list>

#include "shoal/v1/fork_protocol.h"
#include "tests/support/fork_side.h"
#include "tests/support/odd_children.h"
#include "tests/support/pattern.h"
#include "tests/support/try_children.h"

namespace {

constexpr char kShimName[] = "shoal-shim";

const char* signal_text = "";
int signal_code = 0;

[[noreturn]] void Fail(const char* what) {
  perror(what);
  _exit(125);
}

void WriteAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, data, size);
    if (written < 0) Fail("write");
    data += written;
    size -= static_cast<size_t>(written);
  }
}

void Print(int fd, const char* text) { WriteAll(fd, text, strlen(text)); }

// Up to so many bytes of stdin, to stdout.
void Take(uint64_t most) {
  static char block[65536];
  while (most > 0) {
    const size_t size = most < sizeof(block) ? static_cast<size_t>(most) : sizeof(block);
    const ssize_t got = read(STDIN_FILENO, block, size);
    if (got < 0) Fail("read");
    if (got == 0) return;
    WriteAll(STDOUT_FILENO, block, static_cast<size_t>(got));
    most -= static_cast<uint64_t>(got);
  }
}

bool IsControlled(int fd) { return isatty(fd) == 1 && tcgetsid(fd) == getsid(0); }

void PrintTerminal() {
  struct winsize size = {};
  const bool is_one =
      IsControlled(0) && IsControlled(1) && IsControlled(2) && ioctl(0, TIOCGWINSZ, &size) == 0;
  char text[64] = "no terminal";
  if (is_one) snprintf(text, sizeof(text), "terminal %d %d", size.ws_row, size.ws_col);
  Print(STDOUT_FILENO, text);
}

void MakeRaw() {
  struct termios modes;
  if (tcgetattr(STDIN_FILENO, &modes) != 0) Fail("tcgetattr");
  cfmakeraw(&modes);
  if (tcsetattr(STDIN_FILENO, TCSANOW, &modes) != 0) Fail("tcsetattr");
}

// SIGWINCH is blocked from before the first look.
void AwaitRows(int rows) {
  sigset_t change;
  sigemptyset(&change);
  sigaddset(&change, SIGWINCH);
  sigprocmask(SIG_BLOCK, &change, nullptr);
  signal(SIGWINCH, [](int) {});  // what is ignored by default is not kept for sigwait
  struct winsize size = {};
  while (ioctl(0, TIOCGWINSZ, &size) == 0 && size.ws_row != rows) {
    int number = 0;
    sigwait(&change, &number);
  }
}

void CloseInput() {
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0) Fail("close-input");
}

void Flood(int fd, uint64_t bytes) {
  static char block[65536];
  for (uint64_t offset = 0; offset < bytes;) {
    const uint64_t size = bytes - offset < sizeof(block) ? bytes - offset : sizeof(block);
    for (uint64_t i = 0; i < size; ++i) {
      block[i] = static_cast<char>(shoal::testing::PatternByte(offset + i));
    }
    WriteAll(fd, block, size);
    offset += size;
  }
}

void OnSignal(int) {
  Print(STDOUT_FILENO, signal_text);
  _exit(signal_code);
}

void ListStatusLines() {
  FILE* status = fopen("/proc/self/status", "r");
  if (status == nullptr) return;
  char line[512];
  while (fgets(line, sizeof(line), status) != nullptr) {
    char* colon = strchr(line, ':');
    if (strncmp(line, "Sig", 3) != 0 || colon == nullptr) continue;
    *colon = 0;
    printf("%s=%s", line, colon + 1 + strspn(colon + 1, " \t"));
  }
  fclose(status);
}

void List(int argc, char** argv) {
  DIR* fds = opendir("/proc/self/fd");
  if (fds == nullptr) Fail("/proc/self/fd");
  while (const dirent* entry = readdir(fds)) {
    if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(fds)) continue;
    char path[64], target[4096];
    snprintf(path, sizeof(path), "/proc/self/fd/%.16s", entry->d_name);
    const ssize_t size = readlink(path, target, sizeof(target));
    printf("fd=%s %.*s\n", entry->d_name, static_cast<int>(size), target);
  }
  closedir(fds);
  ListStatusLines();
  const mode_t mask = umask(0);
  umask(mask);
  char cwd[4096];
  printf("umask=%03o\ncwd=%s\npid=%d\nppid=%d\nsid=%d\npgid=%d\n", mask, getcwd(cwd, sizeof(cwd)),
         getpid(), getppid(), getsid(0), getpgid(0));
  for (int i = 0; i < argc; ++i) printf("argv=%s\n", argv[i]);
  for (char** entry = environ; *entry != nullptr; ++entry) printf("env=%s\n", *entry);
  fflush(stdout);
}

void TruncateStdout() {
  const int fd = open("/dev/stdout", O_WRONLY | O_TRUNC);
  if (fd < 0) Fail("/dev/stdout");
  Print(fd, "truncated");
  close(fd);
}

void CloseOutput() {
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  close(null);
}

void LeaveCgroup(const char* dir) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
  const int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, "0", 1) != 1) Fail(path);
  close(fd);
}

[[noreturn]] void ChainFork() {
  for (;;) {
    const pid_t pid = fork();
    if (pid > 0) _exit(0);
    if (pid < 0) usleep(1000);  // the pids cgroup holds it back
  }
}

[[noreturn]] void ExitLeaderFirst(int code) {
  static int exit_code;
  exit_code = code;
  pthread_t thread;
  pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        usleep(100'000);  // long after the leader
        _exit(exit_code);
      },
      nullptr);
  pthread_exit(nullptr);
}

// Index behind the "--" that belongs to the block at `from`.
int EndOfBlock(int argc, char** argv, int from) {
  int depth = 1;
  for (int i = from; i < argc; ++i) {
    for (const char* verb :
         {"fork", "daemon", "fork-as", "exec", "pretend", "be-shim", "fork-by"}) {
      depth += strcmp(argv[i], verb) == 0;
    }
    if (strcmp(argv[i], "--") == 0 && --depth == 0) return i;
  }
  return argc;
}

[[noreturn]] void RunVerbs(int argc, char** argv, int at, int end);

// The child of `pid` 0 does the block at `from`.
int ChildBlock(int argc, char** argv, pid_t pid, int from) {
  const int end = EndOfBlock(argc, argv, from);
  if (pid < 0) Fail("fork");
  if (pid == 0) RunVerbs(argc, argv, from, end);
  return end + 1;
}

int DaemonBlock(int argc, char** argv, int count, int from) {
  const int end = EndOfBlock(argc, argv, from);
  for (int i = 0; i < count; ++i) {
    const pid_t pid = fork();
    if (pid < 0) Fail("fork");
    if (pid == 0) {
      setsid();
      const pid_t daemon = fork();
      if (daemon < 0) Fail("fork");
      if (daemon > 0) _exit(0);
      RunVerbs(argc, argv, from, end);
    }
    waitpid(pid, nullptr, 0);
  }
  return end + 1;
}

int AdoptedBlock(int argc, char** argv, int at) {
  const bool by_template = strcmp(argv[at - 1], "fork-by") == 0;
  const shoal::testing::ForkSide side = {argv[at], argv[at + 1], argv[at + 2]};
  const int from = at + (by_template ? 6 : 3);
  const int end = EndOfBlock(argc, argv, from);
  const auto run = [&] { RunVerbs(argc, argv, from, end); };
  if (!by_template) shoal::testing::BecomeShim(side, run);
  shoal::testing::Fork(side, argv[at + 3], argv[at + 4], argv[at + 5], run);
  return end + 1;
}

// Verbs that end or wait; false if `verb` is another.
bool RunEnding(const char* verb, const char* operand) {
  if (strcmp(verb, "pause") == 0) {
    for (;;) pause();
  } else if (strcmp(verb, "stop") == 0) {
    raise(SIGSTOP);
  } else if (strcmp(verb, "chain-fork") == 0) {
    ChainFork();
  } else if (strcmp(verb, "kill-parent") == 0) {
    kill(getppid(), SIGKILL);
  } else if (operand != nullptr && strcmp(verb, "exit") == 0) {
    _exit(atoi(operand));
  } else if (operand != nullptr && strcmp(verb, "leader-exits") == 0) {
    ExitLeaderFirst(atoi(operand));
  } else {
    return false;
  }
  return true;
}

bool RunWithoutOperand(int argc, char** argv, const char* verb) {
  char number[16];
  if (strcmp(verb, "list") == 0) {
    List(argc, argv);
  } else if (strcmp(verb, "truncate-stdout") == 0) {
    TruncateStdout();
  } else if (strcmp(verb, "cat") == 0) {
    Take(SIZE_MAX);
  } else if (strcmp(verb, "terminal") == 0) {
    PrintTerminal();
  } else if (strcmp(verb, "raw") == 0) {
    MakeRaw();
  } else if (strcmp(verb, "close-input") == 0) {
    CloseInput();
  } else if (strcmp(verb, "close-output") == 0) {
    CloseOutput();
  } else if (strcmp(verb, "subreaper") == 0) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  } else if (strcmp(verb, "print-pid") == 0) {
    snprintf(number, sizeof(number), "%d\n", getpid());
    Print(STDOUT_FILENO, number);
  } else if (strcmp(verb, "try-children") == 0) {
    shoal::testing::TryChildren();
  } else if (strcmp(verb, "core") == 0) {
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &all);
  } else {
    return false;
  }
  return true;
}

bool RunWithOperand(const char* verb, const char* operand) {
  if (strcmp(verb, "raise") == 0) {
    raise(atoi(operand));
  } else if (strcmp(verb, "sleep") == 0) {
    usleep(static_cast<useconds_t>(atof(operand) * 1e6));
  } else if (strcmp(verb, "print") == 0) {
    Print(STDOUT_FILENO, operand);
  } else if (strcmp(verb, "eprint") == 0) {
    Print(STDERR_FILENO, operand);
  } else if (strcmp(verb, "return") == 0) {
    Print(shoal::fork_protocol::kProcessResultFd, operand);
  } else if (strcmp(verb, "ignore") == 0) {
    signal(atoi(operand), SIG_IGN);
  } else if (strcmp(verb, "leave-cgroup") == 0) {
    LeaveCgroup(operand);
  } else if (strcmp(verb, "open-fifo") == 0) {
    close(open(operand, O_RDONLY));
  } else if (strcmp(verb, "await-rows") == 0) {
    AwaitRows(atoi(operand));
  } else if (strcmp(verb, "take") == 0) {
    Take(strtoull(operand, nullptr, 10));
  } else if (strcmp(verb, "touch") == 0) {
    close(open(operand, O_WRONLY | O_CREAT, 0600));
  } else {
    return false;
  }
  return true;
}

void RunVerbs(int argc, char** argv, int at, int end) {
  while (at < end) {
    const char* verb = argv[at++];
    const int operands = end - at;
    if (strcmp(verb, "fork") == 0) {
      at = ChildBlock(argc, argv, fork(), at);
    } else if (strcmp(verb, "fork-as") == 0 && operands >= 1) {
      at = ChildBlock(argc, argv, shoal::testing::ForkAs(argv[at]), at + 1);
    } else if ((strcmp(verb, "be-shim") == 0 && operands >= 3) ||
               (strcmp(verb, "fork-by") == 0 && operands >= 6)) {
      at = AdoptedBlock(argc, argv, at);
    } else if (strcmp(verb, "exec") == 0) {
      argv[EndOfBlock(argc, argv, at)] = nullptr;
      argv[at - 1] = argv[0];
      execv("/proc/self/exe", argv + at - 1);
      Fail("exec");
    } else if (strcmp(verb, "pretend") == 0 && operands >= 1) {
      argv[EndOfBlock(argc, argv, at)] = nullptr;
      argv[at - 1] = const_cast<char*>(kShimName);
      execv("/proc/self/exe", argv + at - 1);
      Fail("pretend");
    } else if (strcmp(verb, "daemon") == 0 && operands >= 1) {
      at = DaemonBlock(argc, argv, atoi(argv[at]), at + 1);
    } else if (strcmp(verb, "flood") == 0 && operands >= 2) {
      Flood(atoi(argv[at]) + 1, strtoull(argv[at + 1], nullptr, 10));
      at += 2;
    } else if (strcmp(verb, "on-signal") == 0 && operands >= 3) {
      signal_text = argv[at + 1];
      signal_code = atoi(argv[at + 2]);
      signal(atoi(argv[at]), OnSignal);
      at += 3;
    } else if (RunEnding(verb, operands >= 1 ? argv[at] : nullptr) ||
               RunWithoutOperand(argc, argv, verb)) {
      continue;
    } else if (operands >= 1 && RunWithOperand(verb, argv[at])) {
      ++at;
    } else {
      fprintf(stderr, "shoal-test-child: unknown verb or missing operand: %s\n", verb);
      _exit(125);
    }
  }
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  const bool pretends = strcmp(argv[0], kShimName) == 0;
  if (pretends) prctl(PR_SET_NAME, kShimName);
  RunVerbs(argc, argv, pretends ? 2 : 1, argc);
}
