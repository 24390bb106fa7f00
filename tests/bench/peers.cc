// Programs that others start many processes by, beside `shoal run`: the whole command, from
// posix_spawn to its end. Each of theirs comes from its Debian package; where that is not installed,
// the row says so. (Python's three methods are rows of warm.cc.)
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/unique_fd.h"
#include "tests/bench/bench_agent.h"

namespace shoal::bench {
namespace {

constexpr char kProgram[] = "/bin/true";

struct Peer {
  std::string package;
  std::vector<std::string> argv;
  int lines = 0;  // on its stdin
  const char* to_reach = "";
};

bool IsInstalled(const std::string& program) {
  return access(absl::StrCat("/usr/bin/", program).c_str(), X_OK) == 0;
}

std::string Cores() { return absl::StrCat(sysconf(_SC_NPROCESSORS_ONLN)); }

// A file that is read once by each run.
UniqueFd LinesOf(int count) {
  UniqueFd file(memfd_create("lines", MFD_CLOEXEC));
  std::string text;
  for (int i = 0; i < count; ++i) absl::StrAppend(&text, i, "\n");
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    fprintf(stderr, "the lines for a peer could not be written\n");
  }
  return file;
}

double MsOf(const Peer& peer, int in, int out) {
  lseek(in, 0, SEEK_SET);
  return absl::ToDoubleMilliseconds(TimeOf([&] { WaitRaw(SpawnRaw(peer.argv, out, in)); }));
}

// The peer and `shoal` in turn.
void Compare(const std::string& what, const Peer& peer, const std::string& hosts,
             const std::vector<std::string>& words, int rounds) {
  if (!IsInstalled(peer.argv[0])) {
    return PrintRow(what, "–", "", "", absl::StrCat("not installed: package ", peer.package));
  }
  const UniqueFd lines = LinesOf(peer.lines);
  const UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  std::vector<double> theirs, ours, ratios;
  for (int i = -1; i < rounds; ++i) {
    const double their = MsOf(peer, lines.get(), null.get());
    const double our = absl::ToDoubleMilliseconds(TimeOf([&] {
      if (!RunShoal(hosts, words)) fprintf(stderr, "shoal %s failed\n", words[0].c_str());
    }));
    if (i < 0) continue;  // warm
    theirs.push_back(their);
    ours.push_back(our);
    ratios.push_back(our / their);
  }
  PrintRow(what, absl::StrFormat("%.1f ms", Median(theirs)),
           absl::StrFormat("%.1f ms", Median(ours)), absl::StrFormat("%.2f", Median(ratios)),
           peer.to_reach);
}

void OnOneHost(int count, const char* to_reach, int rounds) {
  BenchAgent agent;
  const std::vector<std::string> words = {"run", "-n", absl::StrCat(count), "--", kProgram};
  const auto row = [count](const char* by) {
    return absl::StrFormat("shoal run -n %d true (raw: %s)", count, by);
  };
  Compare(row("xargs -P cores"),
          {"findutils", {"xargs", "-P", Cores(), "-n", "1", kProgram}, count, to_reach},
          agent.process().target(), words, rounds);
  Compare(row("GNU parallel -j cores"),
          {"parallel", {"parallel", "--will-cite", "-j", Cores(), kProgram}, count},
          agent.process().target(), words, rounds);
}

// All of them on this machine, as agents to us and as names to the peers, which execute here what
// they would execute there.
void OnManyHosts(int count, int rounds) {
  std::vector<std::unique_ptr<BenchAgent>> agents;
  std::vector<std::string> targets;
  for (int i = 0; i < count; ++i) {
    agents.push_back(std::make_unique<BenchAgent>());
    targets.push_back(agents.back()->process().target());
  }
  const std::string names = absl::StrCat("node[1-", count, "]");
  const std::string hosts = absl::StrJoin(targets, ",");
  const std::vector<std::string> words = {"run", "--per-host", "1", "--", kProgram};
  const auto row = [count](const char* by) {
    return absl::StrFormat("shoal -H %d agents run --per-host 1 true (raw: %s)", count, by);
  };
  Compare(row("pdsh, local exec"), {"pdsh", {"pdsh", "-R", "exec", "-w", names, kProgram}}, hosts,
          words, rounds);
  Compare(row("clush, local exec"),
          {"clustershell", {"clush", "--worker=exec", "-w", names, kProgram}}, hosts, words,
          rounds);
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const bool quick = shoal::bench::IsQuick(argc, argv);
  shoal::bench::OnOneHost(1, "≤ 1.6 × xargs", quick ? 2 : 30);
  shoal::bench::OnOneHost(100, "≤ 1.2 × xargs", quick ? 1 : 10);
  if (!quick) shoal::bench::OnOneHost(1000, "≤ 1.2 × xargs", 5);
  shoal::bench::OnManyHosts(quick ? 3 : 200, quick ? 1 : 3);
}
