// Templates written in Python, of one script whose verbs say what a forked process does.
#ifndef SHOAL_TESTS_SYSTEM_TEMPLATE_FIXTURE_H_
#define SHOAL_TESTS_SYSTEM_TEMPLATE_FIXTURE_H_

#include <signal.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/ids.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {

inline constexpr char kScript[] = R"(#!/usr/bin/python3
import os, signal, sys, threading, time
sys.dont_write_bytecode = True
sys.path.insert(0, "@DIR@")
import shoal_template

loaded = None

def load():
    global loaded
    loaded = "loaded by %d" % os.getpid()

def main(argv):
    verb = argv[1] if len(argv) > 1 else "exit"
    if verb == "tell":
        print(os.getpid(), os.getppid(), os.getsid(0), os.environ.get("SHOAL_NAME"), os.getcwd(),
              os.environ.get("SHOAL_TEMPLATE"), argv[2:], loaded)
        print("and on stderr", file=sys.stderr)
    elif verb == "exit":
        return int(argv[2]) if len(argv) > 2 else 0
    elif verb == "die":
        os.kill(os.getpid(), int(argv[2]))
    elif verb == "pipes":
        print(*(fd for fd in range(100) if os.path.exists("/proc/self/fd/%d" % fd) and
                os.readlink("/proc/self/fd/%d" % fd).startswith("pipe:")))
    elif verb == "size":  # of its terminal, as soon as it runs
        print("size", *os.get_terminal_size(0))
        print("got", input())
    elif verb == "cat":
        while piece := os.read(0, 65536):
            os.write(1, piece)
    elif verb == "gate":  # ends with what the gate says, once it opens
        return int(open(argv[2]).read())
    elif verb == "append":
        with open(argv[2], "a") as file:
            file.write("once\n")
        while True:
            signal.pause()

if __name__ == "__main__":
    if os.path.exists(sys.argv[0] + ".broken"):
        sys.exit("cannot load the mesh")
    if sys.argv[1:2] == ["offer"]:
        if sys.argv[2:3] == ["gate"]:  # takes until it opens
            open(sys.argv[3]).read()
        if sys.argv[2:3] == ["threads"]:
            threading.Thread(target=signal.pause, daemon=True).start()
        load()
        sys.exit(main(shoal_template.offer()))
    else:
        shoal_template.serve(main, preload=load)
)";

class TemplateTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    std::string text = kScript;
    text.replace(text.find("@DIR@"), 5, SHOAL_PYTHON_DIR);
    WriteFile(script(), text, 0700);
  }
  std::string script() const { return Scratch("work.py"); }

  v1::ProcessSpec Forkserver(std::vector<std::string> words, absl::string_view name = "") {
    words.insert(words.begin(), script());
    v1::ProcessSpec spec = SpecOf(words, name);
    spec.set_start_method(v1::START_METHOD_FORKSERVER);
    return spec;
  }
  v1::ProcessSpec ForkOf(const std::string& parent, std::vector<std::string> words,
                         absl::string_view name = "") {
    words.insert(words.begin(), "forked");
    v1::ProcessSpec spec = SpecOf(words, name);
    spec.set_start_method(v1::START_METHOD_FORK);
    spec.set_fork_of(parent);
    return spec;
  }
  // What a spawn that fails is answered with.
  grpc::Status SpawnRefused(AgentProcess& agent, const v1::ProcessSpec& spec) {
    v1::SpawnRequest request;
    request.set_request_id(NewRequestId());
    *request.mutable_spec() = spec;
    v1::SpawnResponse response;
    grpc::Status status = agent.stub().TrySpawn(request, &response);
    EXPECT_FALSE(status.ok());
    return status;
  }
  // The one template that lives.
  v1::Process LiveTemplate(AgentProcess& agent) {
    v1::Process found;
    for (const v1::Process& process : agent.stub().List()) {
      if (process.state() == v1::STATE_RUNNING && process.name() == "work.py-template") {
        found = process;
      }
    }
    EXPECT_NE(found.pid(), 0) << "no template runs";
    return found;
  }
  static void KillHard(pid_t pid) {
    ASSERT_GT(pid, 1);
    EXPECT_EQ(kill(pid, SIGKILL), 0);
  }
  static size_t EntriesOf(const std::string& directory) {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) {
      ++count;
    }
    return count;
  }
  static size_t FdsOf(pid_t pid) { return EntriesOf(absl::StrCat("/proc/", pid, "/fd")); }
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SYSTEM_TEMPLATE_FIXTURE_H_
