#include "client/cli/standard_output.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/exit_status.h"
#include "client/cli/progress.h"
#include "client/cli/raw_terminal.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

constexpr size_t kMuch = size_t{64} << 10;
constexpr int kTerminated = 128;  // and the signal

struct Output {
  std::string printed;  // and not yet written
  int error = 0;        // of the write that failed
};

std::atomic<bool> is_quiet = false;

Output& TheOutput() {
  static auto* const kOutput = new Output;
  return *kOutput;
}

// All of `bytes`, over partial writes; 0, or the errno of the write that failed.
int WriteAll(int fd, absl::string_view bytes) {
  const ProgressPause pause(fd, bytes);
  while (!bytes.empty()) {
    ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      // Another program made our terminal non-blocking.
      pollfd wait = {fd, POLLOUT, 0};
      poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

bool IsCharacterDevice(int fd) {
  struct stat found = {};
  return fstat(fd, &found) == 0 && S_ISCHR(found.st_mode);
}

bool PipeHasNoReader(int fd) {
  pollfd look = {fd, 0, 0};
  return poll(&look, 1, 0) == 1 && (look.revents & POLLERR) != 0;
}

void Fail(int error) {
  TheOutput().error = error;
  if (OutputHasNoReader()) return;
  WriteError(absl::StrCat("shoal: ", ToSentence(ErrnoStatus(error, "cannot write stdout")), "\n"));
}

}  // namespace

bool IsTerminal(v1::StreamKind stream) {
  return isatty(stream == v1::STREAM_KIND_STDERR ? STDERR_FILENO : STDOUT_FILENO) != 0;
}

void BeginOutput() {
  TheOutput() = Output();
  is_quiet = false;
  signal(SIGPIPE, SIG_IGN);
}

void Print(absl::string_view text) {
  absl::StrAppend(&TheOutput().printed, text);
  if (TheOutput().printed.size() > kMuch) FlushOutput();
}

bool FlushOutput() { return WriteOutput(""); }

bool WriteOutput(absl::string_view bytes) {
  const std::string printed = std::exchange(TheOutput().printed, {});
  for (absl::string_view part : {absl::string_view(printed), bytes}) {
    if (TheOutput().error != 0) return false;
    if (int error = WriteAll(STDOUT_FILENO, part); error != 0) Fail(error);
  }
  return TheOutput().error == 0;
}

void WriteError(absl::string_view bytes) {
  if (!RawTerminal::IsTaken() || !IsTerminal(v1::STREAM_KIND_STDERR)) {
    WriteAll(STDERR_FILENO, bytes);
  } else {
    WriteAll(STDERR_FILENO, absl::StrReplaceAll(bytes, {{"\n", "\r\n"}}));
  }
}

void WriteNote(absl::string_view bytes) {
  if (!is_quiet) WriteError(bytes);
}

void SetQuiet() { is_quiet = true; }
bool IsQuiet() { return is_quiet; }

bool ForwardError(absl::string_view bytes) {
  bool has_reader = WriteAll(STDERR_FILENO, bytes) != EPIPE;
  if (!has_reader && TheOutput().error == 0 && PipeHasNoReader(STDOUT_FILENO)) Fail(EPIPE);
  return TheOutput().error == 0;
}

bool OutputHasNoReader() {
  int error = TheOutput().error;
  return error == EPIPE || (error == EIO && IsCharacterDevice(STDOUT_FILENO));
}

int FinishOutput(int status) {
  if (FlushOutput()) return status;
  if (!OutputHasNoReader()) return kExitFailure;
  return kTerminated + (TheOutput().error == EPIPE ? SIGPIPE : SIGHUP);
}

}  // namespace shoal::cli
