// A program of 100 MB on a host that lacks it: from the order to its end, beyond what the transfer
// of the same bytes costs by a plain socket into a file, hashed; and a second time.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/ids.h"
#include "common/sha256.h"
#include "common/unique_fd.h"
#include "shoal/shipping.h"
#include "shoal/shipping/digest_cache.h"
#include "tests/bench/bench_agent.h"

namespace shoal::bench {
namespace {

constexpr size_t kPieceBytes = size_t{512} << 10;

// /bin/true, and so many bytes behind it that nothing compresses.
void MakeProgram(const std::string& path, size_t size, uint64_t seed) {
  std::filesystem::copy_file("/bin/true", path, std::filesystem::copy_options::overwrite_existing);
  std::string bytes(size, '\0');
  std::mt19937_64 random(seed);
  for (size_t i = 0; i + 8 <= size; i += 8) {
    const uint64_t word = random();
    std::copy_n(reinterpret_cast<const char*>(&word), 8, bytes.begin() + static_cast<long>(i));
  }
  std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

// The same bytes over a Unix socket into a file, hashed on arrival.
void RawTransfer(const std::string& from, const std::string& to) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) abort();
  std::thread sender([&] {
    const UniqueFd end(ends[0]);
    const UniqueFd file(open(from.c_str(), O_RDONLY | O_CLOEXEC));
    std::string piece(kPieceBytes, '\0');
    for (ssize_t got; (got = read(file.get(), piece.data(), piece.size())) > 0;) {
      for (ssize_t sent = 0; sent < got;) {
        const ssize_t put = write(end.get(), piece.data() + sent, static_cast<size_t>(got - sent));
        if (put <= 0) abort();
        sent += put;
      }
    }
  });
  const UniqueFd end(ends[1]);
  const UniqueFd file(open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  std::string piece(kPieceBytes, '\0');
  Sha256 hash;
  for (ssize_t got; (got = read(end.get(), piece.data(), piece.size())) > 0;) {
    hash.Update({piece.data(), static_cast<size_t>(got)});
    if (write(file.get(), piece.data(), static_cast<size_t>(got)) != got) abort();
  }
  hash.Finish();
  sender.join();
}

void Check(const absl::Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "%s\n", status.ToString().c_str());
  exit(1);
}

void ShipAndRun(Host* host, const std::string& program) {
  absl::StatusOr<ShipFile> file = DescribeFile(program);
  Check(file.status());
  absl::StatusOr<std::vector<v1::ShippedFile>> shipped = Ship(host, {*file});
  Check(shipped.status());
  v1::SpawnRequest request;
  request.mutable_spec()->add_argv(absl::StrCat("./", file->path));
  request.mutable_spec()->mutable_files()->Assign(shipped->begin(), shipped->end());
  absl::StatusOr<v1::SpawnResponse> spawned = host->Spawn(request);
  Check(spawned.status());
  v1::WaitRequest wait;
  wait.mutable_selector()->add_terms(spawned->process().id());
  Check(host->Wait(wait).status());
}

std::string Ms(double value) { return absl::StrFormat("%.0f ms", value); }

void Measure(BenchAgent& agent, const std::string& directory, size_t size, int rounds) {
  HostAddress address;
  address.name = "ant";
  address.unix_path = agent.process().socket();
  absl::StatusOr<std::shared_ptr<Host>> host = Host::Create(address);
  Check(host.status());
  Check((*host)->GetFacts().status());
  std::vector<std::string> programs;
  for (int i = 0; i < rounds; ++i) {
    programs.push_back(absl::StrCat(directory, "/program", i));
    MakeProgram(programs.back(), size, static_cast<uint64_t>(i));
  }
  absl::SleepFor(absl::Seconds(2.1));  // a file that has just changed is not remembered
  std::vector<double> raw, digest, first, second;
  const auto ms = [](absl::Duration span) { return absl::ToDoubleMilliseconds(span); };
  for (const std::string& program : programs) {
    raw.push_back(ms(TimeOf([&] { RawTransfer(program, directory + "/raw"); })));
    digest.push_back(ms(TimeOf([&] {
      const UniqueFd fd(open(program.c_str(), O_RDONLY | O_CLOEXEC));
      Check(DigestCache::Get().DigestOf(fd.get(), program).status());
    })));
    first.push_back(ms(TimeOf([&] { ShipAndRun(host->get(), program); })));
    second.push_back(ms(TimeOf([&] { ShipAndRun(host->get(), program); })));
  }
  const double transfer = Median(raw);
  PrintRow(absl::StrFormat("program of %d MB started where it is not", size / 1'000'000),
           Ms(transfer), Ms(Median(first)), absl::StrFormat("%+.0f ms", Median(first) - transfer),
           "≤ +50 ms");
  PrintRow("the same, started there again", Ms(transfer),
           absl::StrFormat("%.1f ms", Median(second)), "", "no transfer");
  PrintRow("its digest, once for each version of a program", "", Ms(Median(digest)), "", "");
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const bool quick = shoal::bench::IsQuick(argc, argv);
  char name[] = "/tmp/shoal-bench-ship-XXXXXX";
  if (mkdtemp(name) == nullptr) return 1;
  setenv("XDG_CACHE_HOME", name, 1);
  {
    shoal::bench::BenchAgent agent;
    shoal::bench::Measure(agent, name, quick ? 1'000'000 : 100'000'000, quick ? 1 : 5);
  }
  std::filesystem::remove_all(name);
}
