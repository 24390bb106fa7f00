#include "shoal/child/crash.h"

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/signals.h"
#include "shoal/child/frames.h"
#include "shoal/process_info.h"

namespace shoal::internal {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr unsigned kSecondsToTell = 5;
// A stack that has overflowed cannot be used. No memory until it is needed.
alignas(16) char crash_stack[size_t{256} << 10];

// Made before: nothing may be allocated in a crash.
struct Texts {
  std::string before_pid, after_pid;
  std::string names[std::size(kSignals)];
};
Texts* texts = nullptr;

std::atomic<long> teller{0};      // the thread that tells; 0: none yet
std::atomic<int> told_signal{0};  // what it tells

void Write(absl::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

void WriteNumber(uint64_t number, unsigned base) {
  char digits[24];
  char* first = digits + sizeof(digits);
  do {
    *--first = "0123456789abcdef"[number % base];
    number /= base;
  } while (number != 0);
  Write(absl::string_view(first, static_cast<size_t>(digits + sizeof(digits) - first)));
}

// It comes again when the handler returns, and then nothing handles it.
void EndBy(int signal) {
  ::signal(signal, SIG_DFL);
  raise(signal);
}

// The crash holds what finding the names needs.
void OnStuck(int) {
  sigset_t crash;
  sigemptyset(&crash);
  sigaddset(&crash, told_signal);
  EndBy(told_signal);
  pthread_sigmask(SIG_UNBLOCK, &crash, nullptr);
}

void GiveUpInTime() {
  struct sigaction stuck = {};
  stuck.sa_handler = OnStuck;
  sigaction(SIGALRM, &stuck, nullptr);
  sigset_t alarm_signal;
  sigemptyset(&alarm_signal);
  sigaddset(&alarm_signal, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &alarm_signal, nullptr);
  alarm(kSecondsToTell);
}

void* PlaceOf(void* context) {
  const mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  void* place = nullptr;
  std::memcpy(&place, &machine.gregs[REG_RIP], sizeof(place));
  return place;
#elif defined(__aarch64__)
  void* place = nullptr;
  std::memcpy(&place, &machine.pc, sizeof(place));
  return place;
#endif
}

void WriteStack(void* place) {
  void* frames[kMaxFrames];
  Frames all = {frames, frames + backtrace(frames, kMaxFrames)};
  // Below it are the handler and the kernel's return from it.
  void* const* crashed = std::find(all.first, all.last, place);
  if (crashed != all.last) all.first = crashed;
  Frames users = WithoutOurs(all);
  for (void* const* frame = users.first; frame < users.last; ++frame) {
    char name[kMaxSymbolBytes];
    // Only that of a call is a return address.
    NameFrame(*frame == place ? static_cast<char*>(*frame) + 1 : *frame, &name);
    Write("    @ 0x");
    WriteNumber(reinterpret_cast<uintptr_t>(*frame), 16);
    Write("  ");
    Write(name);
    Write("\n");
  }
}

void OnCrash(int signal, siginfo_t* info, void* context) {
  long none = 0;
  const long self = syscall(SYS_gettid);
  if (!teller.compare_exchange_strong(none, self)) {
    if (none == self) return EndBy(signal);  // telling it has crashed, too
    for (;;) pause();                        // it ends with the one that is told
  }
  told_signal = signal;
  GiveUpInTime();
  Write(texts->before_pid);
  WriteNumber(static_cast<uint64_t>(getpid()), 10);
  Write(texts->after_pid);
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    if (kSignals[i] == signal) Write(texts->names[i]);
  }
  if (info->si_code > 0 && signal != SIGABRT) {
    Write(" at address 0x");
    WriteNumber(reinterpret_cast<uintptr_t>(info->si_addr), 16);
  }
  Write("; it happened at\n");
  WriteStack(PlaceOf(context));
  EndBy(signal);
}

}  // namespace

void TellCrashes() {
  const ProcessInfo& self = CurrentProcess();
  texts = new Texts;
  texts->before_pid = absl::StrCat("shoal: ", self.name(), " (PID ");
  texts->after_pid = absl::StrCat(" on ", self.host(), "): ended by ");
  for (size_t i = 0; i < std::size(kSignals); ++i) texts->names[i] = SignalName(kSignals[i]);
  void* frame;
  backtrace(&frame, 1);  // the first one loads a library
  stack_t stack = {};
  stack.ss_sp = crash_stack;
  stack.ss_size = sizeof(crash_stack);
  sigaltstack(&stack, nullptr);
  for (int signal : kSignals) {
    struct sigaction before = {};
    if (sigaction(signal, nullptr, &before) != 0 || before.sa_handler != SIG_DFL) continue;
    struct sigaction action = {};
    action.sa_sigaction = OnCrash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(signal, &action, nullptr);
  }
}

}  // namespace shoal::internal
