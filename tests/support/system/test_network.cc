#include "tests/support/system/test_network.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/support/system/command.h"

namespace shoal::testing {
namespace {

constexpr char kSubnet[] = "10.78.0.";

UniqueFd OwnNamespace() { return UniqueFd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)); }

// A thread may have a network namespace of its own; the descriptor keeps it when the thread ends.
UniqueFd MakeNamespace() {
  UniqueFd made;
  std::thread([&made] {
    if (unshare(CLONE_NEWNET) == 0) made = OwnNamespace();
  }).join();
  return made;
}

std::string Cable(int host) { return absl::StrCat("cable", host); }

}  // namespace

TestNetwork::TestNetwork() {
  if (unshare(CLONE_NEWNET) != 0) return;
  isolated_ = true;
  RunTool({"ip", "link", "set", "lo", "up"});
  RunTool({"ip", "link", "add", "bridge", "type", "bridge"});
  RunTool({"ip", "addr", "add", absl::StrCat(kSubnet, "254/24"), "dev", "bridge"});
  RunTool({"ip", "link", "set", "bridge", "up"});
}

int TestNetwork::AddHost() {
  const int number = static_cast<int>(hosts_.size());
  Host& host = hosts_.emplace_back();
  if (!isolated_) {
    const int pid = getpid();
    host.address = absl::StrFormat("127.%d.%d.%d", 78 + pid / 65536, pid / 256 % 256, 1 + number);
    return number;
  }
  host.address = absl::StrCat(kSubnet, number + 1);
  host.network_namespace = MakeNamespace();
  const int fd = host.network_namespace.get();
  if (fd < 0) ADD_FAILURE() << "no network namespace for host " << number;
  // ip(8) takes a namespace by path; ours has one as long as this process holds the descriptor.
  const std::string path = absl::StrCat("/proc/", getpid(), "/fd/", {fd});
  RunTool(
      {"ip", "link", "add", Cable(number), "type", "veth", "peer", "name", "eth0", "netns", path});
  RunTool({"ip", "link", "set", Cable(number), "master", "bridge", "up"});
  RunTool({"ip", "addr", "add", absl::StrCat(host.address, "/24"), "dev", "eth0"}, {fd});
  RunTool({"ip", "link", "set", "eth0", "up"}, {fd});
  RunTool({"ip", "link", "set", "lo", "up"}, {fd});
  return number;
}

std::string TestNetwork::Address(int host) const {
  return hosts_[static_cast<size_t>(host)].address;
}

std::vector<int> TestNetwork::Namespaces(int host) const {
  const UniqueFd& own = hosts_[static_cast<size_t>(host)].network_namespace;
  return own ? std::vector<int>{own.get()} : std::vector<int>();
}

void TestNetwork::Cut(int host) { RunTool({"ip", "link", "set", Cable(host), "down"}); }
void TestNetwork::Mend(int host) { RunTool({"ip", "link", "set", Cable(host), "up"}); }

}  // namespace shoal::testing
