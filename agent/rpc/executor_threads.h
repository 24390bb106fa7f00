// The threads of gRPC's executor, made before they are needed.
//
// gRPC 1.51 makes them one by one under load, and counts one before it has it: where pthread_create() fails then, as in
// a pids cgroup that a fork bomb has filled, what is queued to that thread is never run, and calls hang until the
// agent is started again.
//
// Thread-safety: not thread-safe.
// Blocking:      until they run; well below a millisecond for each.
// Errors:        none; see CheckSpareThreads() for what has to be there.
#ifndef SHOAL_AGENT_RPC_EXECUTOR_THREADS_H_
#define SHOAL_AGENT_RPC_EXECUTOR_THREADS_H_

namespace shoal::agent {

// How many there are when all are made.
int CountExecutorThreads();

// Makes them all. gRPC has to be in use: they go with its last user.
void MakeExecutorThreads();

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_EXECUTOR_THREADS_H_
