// Several hosts on one machine: a network that only one test sees.
//
// The test process moves into a network namespace of its own, which holds a bridge; each host is
// another namespace with one cable to it. None of them has a name, so all of them, cables included,
// go with their last process and descriptor, even when the test is killed. Where namespaces cannot
// be made, hosts are loopback addresses 127.78.x.y, and CanCut() is false.
//
// Ownership:     the fixture owns one; hosts are addressed by number, from 0.
// Thread-safety: main thread only; made before gRPC has started threads.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_TEST_NETWORK_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_TEST_NETWORK_H_

#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace shoal::testing {

class TestNetwork {
 public:
  TestNetwork();

  // Adds a host and returns its number.
  int AddHost();

  // The address of a host, without a port.
  std::string Address(int host) const;
  // Descriptor of its network namespace; none: it is the test's own.
  std::vector<int> Namespaces(int host) const;

  bool CanCut() const { return isolated_; }
  void Cut(int host);
  void Mend(int host);

 private:
  struct Host {
    std::string address;
    UniqueFd network_namespace;
  };
  bool isolated_ = false;
  std::vector<Host> hosts_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_TEST_NETWORK_H_
