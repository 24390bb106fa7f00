#include "shoal/fork/shared_clone.h"

#include <stdint.h>

#include "common/sanitizers.h"

// The new process overwrites the stack below its caller's frame, where the return address was when
// it was cloned; so that waits in a register, as in glibc's vfork.
#if defined(__x86_64__)
asm(R"(
    .text
    .globl ShoalSharedClone
    .hidden ShoalSharedClone
    .type ShoalSharedClone, @function
    .balign 16
ShoalSharedClone:
    .cfi_startproc
    endbr64
    popq %rdx                       # a system call leaves it alone
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rdx
    movl $435, %eax                 # clone3
    syscall
    pushq %rdx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rip, 0
    ret
    .cfi_endproc
    .size ShoalSharedClone, . - ShoalSharedClone
)");
#elif defined(__aarch64__)
asm(R"(
    .text
    .globl ShoalSharedClone
    .hidden ShoalSharedClone
    .type ShoalSharedClone, %function
    .balign 16
ShoalSharedClone:
    .cfi_startproc
    hint #34                        // bti c
    mov x8, #435                    // clone3; the return address is in x30 and stays there
    svc #0
    ret
    .cfi_endproc
    .size ShoalSharedClone, . - ShoalSharedClone
)");
#else
extern "C" long ShoalSharedClone(clone_args*, size_t) { return -38; }  // ENOSYS; not called
#endif

namespace shoal::forking {
namespace {

#if defined(__x86_64__)
constexpr bool kHasRoutine = true;
bool HasShadowStack() {
  uint64_t pointer = 0;
  asm volatile("rdsspq %0" : "+r"(pointer));  // does nothing where there is none
  return pointer != 0;
}
#elif defined(__aarch64__)
constexpr bool kHasRoutine = true;
bool HasShadowStack() {
  register uint64_t enabled asm("x16") = 1;
  asm volatile("hint #40" : "+r"(enabled));  // chkfeat x16: clears the bit of an enabled GCS
  return enabled == 0;
}
#else
constexpr bool kHasRoutine = false;
bool HasShadowStack() { return false; }
#endif

}  // namespace

bool CanShareMemory() { return kHasRoutine && !kIsSanitized && !HasShadowStack(); }

}  // namespace shoal::forking
