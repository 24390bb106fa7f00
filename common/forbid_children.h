// Has the kernel refuse every further process to the calling one: forbid_children of a spec.
//
// fork, vfork and clone without CLONE_THREAD fail with EPERM, whichever of the machine's system
// call tables they are called by; clone3, whose flags a filter cannot see, with ENOSYS, upon which
// a libc takes clone: threads work. A program for a machine that is not known here gets EPERM from
// every call. All this outlives execve(2), and programs that are set-user-ID get no rights by it.
//
// Used between fork and execve, by the shim and by client/shoal/fork/fork_server.cc: C headers only.
//
// Thread-safety: holds for the calling thread; call it while there is only one.
// Blocking:      never.
// Errors:        an errno; nothing is forbidden then, but no_new_privs may be set.
#ifndef SHOAL_COMMON_FORBID_CHILDREN_H_
#define SHOAL_COMMON_FORBID_CHILDREN_H_

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

namespace shoal {
namespace forbid_children {

// clone3 has one number everywhere; the other three are those of the table named.
inline constexpr uint32_t kClone3 = 435;
#if defined(__x86_64__)
inline constexpr uint32_t kNative = AUDIT_ARCH_X86_64;
inline constexpr uint32_t kClone = 56, kFork = 57, kVfork = 58;
inline constexpr uint32_t kCompat = AUDIT_ARCH_I386;
inline constexpr uint32_t kX32Bit = 0x40000000;  // x32 has the numbers of x86-64 with this bit
#elif defined(__aarch64__)
inline constexpr uint32_t kNative = AUDIT_ARCH_AARCH64;
inline constexpr uint32_t kNone = 0xffffffff;
inline constexpr uint32_t kClone = 220, kFork = kNone, kVfork = kNone;
inline constexpr uint32_t kCompat = AUDIT_ARCH_ARM;
inline constexpr uint32_t kX32Bit = 0;
#else
#error "The system call numbers of this machine are to be added here."
#endif
// Of i386 and of 32-bit ARM alike.
inline constexpr uint32_t kCompatFork = 2, kCompatVfork = 190, kCompatClone = 120;

// Both machines are little-endian: the lower half of the first argument comes first.
inline constexpr uint32_t kNumberAt = offsetof(seccomp_data, nr);
inline constexpr uint32_t kArchAt = offsetof(seccomp_data, arch);
inline constexpr uint32_t kFlagsAt = offsetof(seccomp_data, args);

}  // namespace forbid_children

// Returns 0 or an errno. Sets no_new_privs, too: without it only root may install a filter.
inline int ForbidChildrenAsyncSafe() {
  using namespace forbid_children;
  constexpr uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
  constexpr uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
  constexpr uint16_t kIfSet = BPF_JMP | BPF_JSET | BPF_K;
  constexpr uint16_t kReturn = BPF_RET | BPF_K;
  // A jump names how many instructions it passes over.
  sock_filter code[] = {
      /* 0*/ BPF_STMT(kLoad, kArchAt),
      /* 1*/ BPF_JUMP(kIfEqual, kNative, 5, 0),
      /* 2*/ BPF_JUMP(kIfEqual, kCompat, 0, 14),  // else to 17
      /* 3*/ BPF_STMT(kLoad, kNumberAt),
      /* 4*/ BPF_JUMP(kIfEqual, kCompatFork, 12, 0),   // to 17
      /* 5*/ BPF_JUMP(kIfEqual, kCompatVfork, 11, 0),  // to 17
      /* 6*/ BPF_JUMP(kIfEqual, kCompatClone, 6, 5),   // to 13, or 12
      /* 7*/ BPF_STMT(kLoad, kNumberAt),
      /* 8*/ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~kX32Bit),
      /* 9*/ BPF_JUMP(kIfEqual, kFork, 7, 0),    // to 17
      /*10*/ BPF_JUMP(kIfEqual, kVfork, 6, 0),   // to 17
      /*11*/ BPF_JUMP(kIfEqual, kClone, 1, 0),   // to 13
      /*12*/ BPF_JUMP(kIfEqual, kClone3, 3, 2),  // to 16, or 15
      /*13*/ BPF_STMT(kLoad, kFlagsAt),
      /*14*/ BPF_JUMP(kIfSet, CLONE_THREAD, 0, 2),  // else to 17
      /*15*/ BPF_STMT(kReturn, SECCOMP_RET_ALLOW),
      /*16*/ BPF_STMT(kReturn, SECCOMP_RET_ERRNO | ENOSYS),
      /*17*/ BPF_STMT(kReturn, SECCOMP_RET_ERRNO | EPERM),
  };
  const sock_fprog program = {sizeof(code) / sizeof(*code), code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return errno;
  return 0;
}

}  // namespace shoal

#endif  // SHOAL_COMMON_FORBID_CHILDREN_H_
