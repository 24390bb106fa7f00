#include "tests/bench/raw_pipeline.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/bench/bench_agent.h"

namespace shoal::bench {
namespace {

void WriteAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t put = write(fd, data.data(), data.size());
    Require(put > 0, "write");
    data.remove_prefix(static_cast<size_t>(put));
  }
}

}  // namespace

void Require(bool holds, const char* what) {
  if (holds) return;
  perror(what);
  exit(1);
}

Piped StartWriter(const std::vector<std::string>& words) {
  auto [read_end, write_end] = Pipe();
  return {.pid = SpawnRaw(words, write_end.get()), .pipe = std::move(read_end)};
}

Ends Pipe() {
  int ends[2];
  Require(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Ends SocketPair() {
  int ends[2];
  Require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

size_t ReadAll(int fd) {
  std::string piece(kPieceBytes, '\0');
  size_t total = 0;
  for (ssize_t got; (got = read(fd, piece.data(), piece.size())) > 0;) {
    total += static_cast<size_t>(got);
  }
  return total;
}

void CopyAll(int from, int to) {
  std::string piece(kPieceBytes, '\0');
  for (ssize_t got; (got = read(from, piece.data(), piece.size())) > 0;) {
    WriteAll(to, absl::string_view(piece.data(), static_cast<size_t>(got)));
  }
}

void SpliceAll(int from, int to) {
  ssize_t moved;
  while ((moved = splice(from, nullptr, to, nullptr, 1 << 20, 0)) > 0) {
  }
  Require(moved == 0, "splice");
}

GrowingFile::GrowingFile(const std::string& path)
    : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
  Require(static_cast<bool>(fd_), "open");
}

void GrowingFile::FillFrom(int source) {
  ssize_t moved;
  while ((moved = splice(source, nullptr, fd_.get(), nullptr, 1 << 20, 0)) > 0) {
    MutexLock lock(&mu_);
    length_ += moved;
  }
  Require(moved == 0, "splice");
  MutexLock lock(&mu_);
  complete_ = true;
}

void GrowingFile::SendTo(int target) {
  std::string piece(kPieceBytes, '\0');
  for (off_t offset = 0; HasMoreThan(offset);) {
    const ssize_t got = pread(fd_.get(), piece.data(), piece.size(), offset);
    Require(got > 0, "pread");
    WriteAll(target, absl::string_view(piece.data(), static_cast<size_t>(got)));
    offset += got;
  }
}

bool GrowingFile::HasMoreThan(off_t offset) {
  MutexLock lock(&mu_);
  const auto changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return length_ > offset || complete_;
  };
  mu_.Await(changed);
  return length_ > offset;
}

Rates MeasureRates(size_t size, int rounds, const std::function<size_t()>& raw,
                   const std::function<size_t()>& shoal) {
  Rates rates;
  const auto rate_of = [size](const std::function<size_t()>& move, const char* loss) {
    size_t got = 0;
    const absl::Duration span = TimeOf([&] { got = move(); });
    Require(got == size, loss);
    return static_cast<double>(size) / 1e6 / absl::ToDoubleSeconds(span);
  };
  for (int i = 0; i < rounds; ++i) {
    rates.raw.push_back(rate_of(raw, "the raw pipeline lost something"));
    rates.shoal.push_back(rate_of(shoal, "shoal run lost something"));
    rates.ratio.push_back(rates.shoal.back() / rates.raw.back());
  }
  return rates;
}

void PrintRates(absl::string_view what, const Rates& rates, absl::string_view to_reach) {
  PrintRow(what, absl::StrFormat("%.0f MB/s", Median(rates.raw)),
           absl::StrFormat("%.0f MB/s", Median(rates.shoal)),
           absl::StrFormat("%.2f", Median(rates.ratio)), to_reach);
}

}  // namespace shoal::bench
