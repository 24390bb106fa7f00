// What the supervisor needs of the outside. The system implements it in agent/os and agent/store,
// tests in tests/support; each part of the core is given the ports that it uses.
//
// Ownership:     plain data; main owns the implementations, which outlive the supervisor.
// Thread-safety: as each port says.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_PORTS_H_
#define SHOAL_AGENT_CORE_PORTS_H_

namespace shoal::agent {

class Clock;
class ForkOffers;
class InputRings;
class OutputFiles;
class Peers;
class ProcessFiles;
class ProcessTrees;
class Programs;
class Scheduler;
class ShimSlots;
class Store;

struct Ports {
  Clock* clock = nullptr;
  Scheduler* scheduler = nullptr;
  Store* store = nullptr;
  ShimSlots* slots = nullptr;
  ForkOffers* offers = nullptr;
  Programs* programs = nullptr;
  ProcessTrees* trees = nullptr;
  Peers* peers = nullptr;
  OutputFiles* output = nullptr;
  ProcessFiles* files = nullptr;
  InputRings* inputs = nullptr;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_H_
