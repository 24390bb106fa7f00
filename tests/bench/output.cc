// Output of one process to a client that reads it all, in writes of 64 KiB: by `shoal run`, and by
// the same pipeline without gRPC, pipe → file → Unix socket.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/mutex.h"
#include "common/unique_fd.h"
#include "tests/bench/bench_agent.h"
#include "tests/support/system/binaries.h"

namespace shoal::bench {
namespace {

constexpr size_t kWriteBytes = 64 << 10;
constexpr size_t kPieceBytes = 256 << 10;

void Require(bool holds, const char* what) {
  if (holds) return;
  perror(what);
  exit(1);
}

std::vector<std::string> Program(int writes) {
  return {"/usr/bin/dd", "if=/dev/zero", absl::StrCat("bs=", kWriteBytes),
          absl::StrCat("count=", writes), "status=none"};
}

// Its stdout is the write end of the pipe whose read end is returned.
struct Started {
  pid_t pid = 0;
  UniqueFd out;
};

Started Start(const std::vector<std::string>& words) {
  int ends[2];
  Require(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
  Started started{.out = UniqueFd(ends[0])};
  const UniqueFd write_end(ends[1]);
  started.pid = SpawnRaw(words, write_end.get());
  return started;
}

size_t ReadAll(int fd) {
  std::string piece(kPieceBytes, '\0');
  size_t total = 0;
  for (ssize_t got; (got = read(fd, piece.data(), piece.size())) > 0;) {
    total += static_cast<size_t>(got);
  }
  return total;
}

// A file that one thread appends to, and another reads as it grows.
class GrowingFile {
 public:
  explicit GrowingFile(const std::string& path)
      : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    Require(static_cast<bool>(fd_), "open");
  }

  void FillFrom(int pipe) {
    for (ssize_t moved; (moved = splice(pipe, nullptr, fd_.get(), nullptr, 1 << 20, 0)) > 0;) {
      MutexLock lock(&mu_);
      length_ += moved;
    }
    MutexLock lock(&mu_);
    complete_ = true;
  }

  void SendTo(int socket) {
    std::string piece(kPieceBytes, '\0');
    for (off_t offset = 0; HasMoreThan(offset);) {
      const ssize_t got = pread(fd_.get(), piece.data(), piece.size(), offset);
      for (ssize_t sent = 0; sent < got;) {
        const ssize_t put = write(socket, piece.data() + sent, static_cast<size_t>(got - sent));
        Require(put > 0, "write");
        sent += put;
      }
      offset += got;
    }
  }

 private:
  bool HasMoreThan(off_t offset) {
    MutexLock lock(&mu_);
    const auto changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return length_ > offset || complete_;
    };
    mu_.Await(changed);
    return length_ > offset;
  }

  const UniqueFd fd_;
  Mutex mu_;
  off_t length_ ABSL_GUARDED_BY(mu_) = 0;
  bool complete_ ABSL_GUARDED_BY(mu_) = false;
};

size_t ReadRaw(int writes, const std::string& path) {
  const Started program = Start(Program(writes));
  GrowingFile file(path);
  int ends[2];
  Require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  const UniqueFd client(ends[0]);
  std::thread collector([&] { file.FillFrom(program.out.get()); });
  std::thread server([&] {
    const UniqueFd socket(ends[1]);
    file.SendTo(socket.get());
  });
  const size_t total = ReadAll(client.get());
  collector.join();
  server.join();
  WaitRaw(program.pid);
  return total;
}

size_t ReadByShoal(BenchAgent& agent, int writes) {
  std::vector<std::string> words = Program(writes);
  words.insert(words.begin(),
               {testing::ShoalPath(), "-H", agent.process().target(), "run", "-n", "1", "--"});
  const Started command = Start(words);
  const size_t total = ReadAll(command.out.get());
  WaitRaw(command.pid);
  return total;
}

void Measure(BenchAgent& agent, const std::string& path, int writes, int rounds) {
  const size_t size = kWriteBytes * static_cast<size_t>(writes);
  std::vector<double> raw, shoal, ratio;
  const auto rate = [size](absl::Duration span) {
    return static_cast<double>(size) / 1e6 / absl::ToDoubleSeconds(span);
  };
  for (int i = 0; i < rounds; ++i) {
    size_t got = 0;
    raw.push_back(rate(TimeOf([&] { got = ReadRaw(writes, path); })));
    Require(got == size, "the raw pipeline lost something");
    shoal.push_back(rate(TimeOf([&] { got = ReadByShoal(agent, writes); })));
    Require(got == size, "shoal run lost something");
    ratio.push_back(shoal.back() / raw.back());
  }
  PrintRow("output of one process to a client, writes of 64 KiB (raw: pipe → file → socket)",
           absl::StrFormat("%.0f MB/s", Median(raw)), absl::StrFormat("%.0f MB/s", Median(shoal)),
           absl::StrFormat("%.2f", Median(ratio)), "≥ 0.7 × raw");
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const bool quick = shoal::bench::IsQuick(argc, argv);
  char name[] = "/tmp/shoal-bench-output-XXXXXX";
  if (mkdtemp(name) == nullptr) return 1;
  {
    shoal::bench::BenchAgent agent;
    shoal::bench::Measure(agent, std::string(name) + "/file", quick ? 64 : 8192, quick ? 1 : 7);
  }
  std::filesystem::remove_all(name);
}
