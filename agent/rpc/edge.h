// What the services stand on: the loop and the state behind it, and the identity of this agent.
//
// Ownership:     owns nothing; filled by main once the agent has recovered, outlives the services.
// Thread-safety: constant once filled. `supervisor` is for closures on `loop` only.
#ifndef SHOAL_AGENT_RPC_EDGE_H_
#define SHOAL_AGENT_RPC_EDGE_H_

#include <string>
#include <utility>

#include "absl/time/time.h"
#include "agent/core/ports/clock.h"
#include "agent/core/ports/process_trees.h"
#include "agent/core/slices.h"
#include "agent/core/supervisor.h"
#include "agent/loop/event_loop.h"
#include "agent/loop/fair_queue.h"
#include "agent/output/output_follower.h"
#include "agent/rpc/call_quota.h"
#include "agent/rpc/identity.h"
#include "agent/rpc/open_calls.h"
#include "agent/spec/spec_checks.h"

namespace shoal::agent {

class Auditor;
class BlobStore;
class HelperThread;

struct Edge {
  // Runs what a caller asks for on the loop, when it is the caller's turn.
  void Post(const Permit& permit, EventLoop::Closure closure) const {
    turns->Post(permit.caller().name, permit.caller().connection, std::move(closure));
  }

  // The same on the thread of disk work.
  void PostBlobWork(const Permit& permit, EventLoop::Closure closure) const {
    blob_turns->Post(permit.caller().name, permit.caller().connection, std::move(closure));
  }

  EventLoop* loop = nullptr;
  FairQueue* turns = nullptr;
  Slices* slices = nullptr;  // for closures on `loop` only
  Supervisor* supervisor = nullptr;
  Clock* clock = nullptr;
  ProcessTrees* trees = nullptr;
  OutputSource output;
  BlobStore* blobs = nullptr;           // for closures on `blob_thread` only
  HelperThread* blob_thread = nullptr;  // hashes, writes and reads blobs
  FairQueue* blob_turns = nullptr;      // in front of it
  Callers* callers = nullptr;
  Auditor* auditor = nullptr;
  OpenCalls* calls = nullptr;
  CallQuota* quota = nullptr;

  std::string host_name;
  std::string agent_id;
  std::string boot_id;
  SpecLimits limits;
  // A call on which a client sends ends when it has sent nothing for so long.
  absl::Duration idle_call_limit = absl::Minutes(15);
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_EDGE_H_
