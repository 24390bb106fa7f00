// A keystroke to `cat` at a terminal and its way back through `shoal attach`, against a unary call to
// the same agent and against `cat` at a terminal without Shoal.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/bench_agent.h"
#include "tests/support/system/agent_stub.h"
#include "tests/support/system/binaries.h"
#include "tests/support/system/terminal_session.h"

namespace shoal::bench {
namespace {

// Each byte comes back from the program, not from the line discipline.
std::vector<std::string> Echo() {
  return {"/bin/sh", "-c", "stty raw -echo; echo ready; exec cat"};
}

double Microseconds(absl::Duration span) { return absl::ToDoubleMicroseconds(span); }

double At(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

std::vector<double> TypeKeys(testing::TerminalSession& terminal, int keys) {
  std::vector<double> spans;
  for (int i = 0; i < keys; ++i) {
    const std::string key(1, static_cast<char>('a' + i % 26));
    spans.push_back(Microseconds(TimeOf([&] {
      terminal.Type(key);
      terminal.AwaitText(key);
    })));
  }
  return spans;
}

std::vector<double> ByHand(const testing::CommandOptions& options, int keys) {
  testing::TerminalSession terminal(Echo(), options);
  terminal.AwaitText("ready");
  std::vector<double> spans = TypeKeys(terminal, keys);
  terminal.HangUp();
  terminal.Wait();
  return spans;
}

std::vector<double> ByAttach(BenchAgent& agent, const testing::CommandOptions& options, int keys) {
  std::vector<std::string> start = {"start", "-t", "--name", "keys", "--"};
  for (std::string& word : Echo()) start.push_back(std::move(word));
  if (!RunShoal(agent, std::move(start))) exit(1);
  const std::vector<std::string> attach = {testing::ShoalPath(), "-H", agent.process().target(),
                                           "attach", "keys"};
  testing::TerminalSession terminal(attach, options);
  terminal.AwaitText("ready");
  std::vector<double> spans = TypeKeys(terminal, keys);
  terminal.Type("\x10\x11");  // leaves it
  terminal.Wait();
  agent.stub().TerminateAll();
  return spans;
}

std::vector<double> Calls(BenchAgent& agent, int calls) {
  std::vector<double> spans;
  spans.reserve(static_cast<size_t>(calls));
  for (int i = 0; i < calls; ++i) {
    spans.push_back(Microseconds(TimeOf([&] { agent.stub().List(); })));
  }
  return spans;
}

void Print(const std::string& what, double call, double echo, const std::string& to_reach) {
  PrintRow(what, absl::StrFormat("%.0f µs", call), absl::StrFormat("%.0f µs", echo),
           absl::StrFormat("%.2f", echo / call), to_reach);
}

void Measure(BenchAgent& agent, int keys) {
  testing::CommandOptions options;
  options.env = {{"PATH", "/usr/bin:/bin"}, {"TERM", "xterm"}, {"HOME", "/nonexistent"}};
  Calls(agent, keys / 10);
  const std::vector<double> call = Calls(agent, keys);
  const std::vector<double> hand = ByHand(options, keys);
  const std::vector<double> attach = ByAttach(agent, options, keys);
  Print("keystroke to `cat` and back by `attach`, p50 (raw: one unary call)", At(call, 0.5),
        At(attach, 0.5), "≤ 4 × a call");
  Print("the same, p99", At(call, 0.99), At(attach, 0.99), "≤ 10 × a call");
  Print("the same, p50 (raw: `cat` at a terminal without Shoal)", At(hand, 0.5), At(attach, 0.5),
        "");
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const bool quick = shoal::bench::IsQuick(argc, argv);
  shoal::bench::BenchAgent agent;
  shoal::bench::Measure(agent, quick ? 20 : 2000);
}
