#include "agent/os/system_peers.h"

#include <optional>
#include <utility>

#include "agent/os/cgroup.h"
#include "agent/os/procfs.h"

namespace shoal::agent {

std::shared_ptr<const SocketPeer> ReadPeer(int pid) {
  if (pid <= 0) return nullptr;
  const std::optional<ProcStat> stat = ReadProcStat(pid);
  if (!stat) return nullptr;
  SocketPeer peer{.pid = pid, .start_ticks = stat->start_ticks, .process_ids = IdsInCgroup(pid)};
  std::optional<std::string> id = ReadInEnvironment(pid, "SHOAL_ID");
  if (id) peer.process_ids.push_back(*std::move(id));
  return std::make_shared<const SocketPeer>(std::move(peer));
}

bool SystemPeers::IsStopped(const Opener& opener) {
  const std::optional<ProcStat> stat = ReadProcStat(opener.pid);
  return stat && stat->start_ticks == opener.start_ticks && agent::IsStopped(*stat);
}

bool SystemPeers::IsGone(const SocketPeer& peer) {
  const std::optional<ProcStat> stat = ReadProcStat(peer.pid);
  return !stat || stat->start_ticks != peer.start_ticks || HasEnded(*stat);
}

}  // namespace shoal::agent
