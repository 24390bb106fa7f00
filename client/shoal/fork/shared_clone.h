// clone3(2) with CLONE_VM and CLONE_VFORK on the caller's own stack: vfork(2) with all the flags.
//
// Copying the page tables of a large process is what a fork costs. A process that only prepares an
// execve shares them instead, and the one copy is left to the fork that is wanted.
//
// Thread-safety: single-threaded process only.
// Blocking:      the caller is suspended until the new process has executed a program or ended.
#ifndef SHOAL_CLIENT_SHOAL_FORK_SHARED_CLONE_H_
#define SHOAL_CLIENT_SHOAL_FORK_SHARED_CLONE_H_

#include <linux/sched.h>
#include <stddef.h>

namespace shoal::forking {

// False where SharedClone() has no routine, and where it must not be used: a sanitizer would see
// the new process's writes to the stack, and a shadow stack its returns.
bool CanShareMemory();

// As the raw system call: 0 in the new process, its PID in the caller, or -errno. REQUIRES:
// CanShareMemory(), CLONE_VM and CLONE_VFORK, no stack; every signal blocked.
//
// The new process may call functions, but must not return from the one that called this, nor change
// what its caller needs afterwards: they share the memory and this very stack. A copy of it made by
// fork(2), with memory of its own, may return.
extern "C" [[gnu::returns_twice]] long ShoalSharedClone(struct clone_args* arguments, size_t size);

}  // namespace shoal::forking

#endif  // SHOAL_CLIENT_SHOAL_FORK_SHARED_CLONE_H_
