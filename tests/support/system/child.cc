// What system tests let agents run: one program, a verb for each way to behave.
//
//   sleep                       until a signal ends it
//   ignore-term                 says "ready" and ignores SIGTERM and SIGINT
//   exit CODE                   at once
//   crash SIGNAL                ends itself by it
//   gated FIFO CODE TEXT        says "ready", reads FIFO until its end, prints TEXT, exits CODE
//   append FILE                 appends one line to FILE, then sleeps: proves how often it was run
//   flood LINES WIDTH TAG       LINES lines of WIDTH bytes that begin with TAG, in odd-sized writes
//   bytes SEED COUNT            COUNT pseudo-random bytes, to stdout
//   linger MILLISECONDS         ends at once, and leaves a child that lives for so long
//   result TEXT OUT             TEXT to descriptor 3, OUT to stdout
//   bomb                        forks for ever, as do its children; run it below a limit of PIDs
//   fork                        forks once, and says "forked", or why not
//   daemon MARKER               leaves a setsid grandchild that ignores SIGTERM, says "ready", sleeps
//   state                       prints its descriptors, signal mask, dispositions, umask
//   on-signal NUMBER            says "ready", then "got" each time the signal comes
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace {

void WriteAll(int fd, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t count = write(fd, bytes, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) _exit(90);
    bytes += count;
    size -= static_cast<size_t>(count);
  }
}

void Say(const std::string& text) { WriteAll(1, text.data(), text.size()); }

[[noreturn]] void Sleep() {
  for (;;) pause();
}

int IgnoreTerm() {
  signal(SIGTERM, SIG_IGN);
  signal(SIGINT, SIG_IGN);
  Say("ready\n");
  Sleep();
}

[[noreturn]] void Bomb() {
  for (;;) {
    if (fork() < 0) usleep(1000);  // the limit is reached: try again when something has ended
  }
}

int OnSignal(int number) {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, number);
  sigprocmask(SIG_BLOCK, &awaited, nullptr);
  Say("ready\n");
  while (sigwaitinfo(&awaited, nullptr) == number) Say("got\n");
  return 94;
}

int Gated(const char* fifo, const char* code, const char* text) {
  Say("ready\n");
  const int fd = open(fifo, O_RDONLY);
  if (fd < 0) return 91;
  char byte = 0;
  while (read(fd, &byte, 1) > 0) {
  }
  Say(text);
  return atoi(code);
}

int Append(const char* path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd < 0) return 92;
  WriteAll(fd, "once\n", 5);
  Sleep();
}

int Flood(long lines, size_t width, const char* tag) {
  std::string all;
  for (long i = 0; i < lines; ++i) {
    std::string line = std::string(tag) + " " + std::to_string(i) + " ";
    if (line.size() < width) line.append(width - line.size(), 'x');
    all += line + "\n";
  }
  // Writes that never end where a line does.
  for (size_t at = 0; at < all.size(); at += 1009) {
    WriteAll(1, all.data() + at, std::min<size_t>(1009, all.size() - at));
  }
  return 0;
}

int Bytes(uint64_t seed, size_t count) {
  std::string buffer;
  while (count > 0) {
    buffer.clear();
    while (buffer.size() < std::min<size_t>(count, 65536)) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      buffer.push_back(static_cast<char>(seed >> 56));
    }
    WriteAll(1, buffer.data(), buffer.size());
    count -= buffer.size();
  }
  return 0;
}

int Result(const std::string& text, const std::string& out) {
  WriteAll(3, text.data(), text.size());
  Say(out);
  return 0;
}

int Fork() {
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  Say(pid > 0 ? "forked" : strerror(errno));
  return 0;
}

int Daemon() {
  if (fork() == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    Say("ready\n");
    Sleep();
  }
  Sleep();
}

// Leaves a child that lives for a while, without its output.
int Linger(const char* milliseconds) {
  if (fork() != 0) return 0;
  for (int fd = 0; fd < 3; ++fd) close(fd);
  usleep(static_cast<useconds_t>(atol(milliseconds)) * 1000);
  return 0;
}

int PrintState() {
  std::string descriptors;
  DIR* directory = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(directory)) continue;
    descriptors += std::string(" ") + entry->d_name;
  }
  closedir(directory);
  sigset_t mask;
  sigprocmask(SIG_SETMASK, nullptr, &mask);
  std::string blocked;
  std::string ignored;
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    if (sigismember(&mask, number) == 1) blocked += " " + std::to_string(number);
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      ignored += " " + std::to_string(number);
    }
  }
  char text[64];
  snprintf(text, sizeof(text), "umask %03o\n", umask(0));
  Say("fds" + descriptors + "\nblocked" + blocked + "\nignored" + ignored + "\n" + text);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "sleep") Sleep();
  if (verb == "ignore-term") return IgnoreTerm();
  if (verb == "state") return PrintState();
  if (verb == "bomb") Bomb();
  if (verb == "fork") return Fork();
  if (verb == "result" && argc == 4) return Result(argv[2], argv[3]);
  if (verb == "daemon" && argc == 3) return Daemon();
  if (verb == "linger" && argc == 3) return Linger(argv[2]);
  if (verb == "exit" && argc == 3) return atoi(argv[2]);
  if (verb == "on-signal" && argc == 3) return OnSignal(atoi(argv[2]));
  if (verb == "append" && argc == 3) return Append(argv[2]);
  if (verb == "crash" && argc == 3) {
    raise(atoi(argv[2]));
    return 93;
  }
  if (verb == "gated" && argc == 5) return Gated(argv[2], argv[3], argv[4]);
  if (verb == "flood" && argc == 5) {
    return Flood(atol(argv[2]), static_cast<size_t>(atol(argv[3])), argv[4]);
  }
  if (verb == "bytes" && argc == 4) {
    return Bytes(strtoull(argv[2], nullptr, 10), strtoull(argv[3], nullptr, 10));
  }
  fprintf(stderr, "unknown verb \"%s\"\n", verb.c_str());
  return 2;
}
