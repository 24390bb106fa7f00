// Another process as the listener of a faked agent, as far as the kernel tells.
#ifndef SHOAL_TESTS_RPC_CLI_OTHER_LISTENER_H_
#define SHOAL_TESTS_RPC_CLI_OTHER_LISTENER_H_

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fake_agent.h"

namespace shoal::testing {

// In a process that was forked for it: SO_PEERCRED tells who called listen(2) last.
inline void ListenInPlaceOf(const FakeAgent& agent) {
  for (int fd = 3; fd < 1024; ++fd) {
    sockaddr_un address{};
    socklen_t size = sizeof(address);
    int listens = 0;
    socklen_t int_size = sizeof(listens);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &int_size) != 0 || listens == 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        address.sun_family != AF_UNIX || agent.socket_path() != address.sun_path) {
      continue;
    }
    listen(fd, 128);
  }
}

// The agent's listener has been a process of this uid. REQUIRES: root.
inline void ListenAs(const FakeAgent& agent, uid_t uid) {
  const pid_t child = fork();
  if (child == 0) {
    if (setresuid(uid, uid, uid) == 0) ListenInPlaceOf(agent);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
}

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_RPC_CLI_OTHER_LISTENER_H_
