// Descriptors 0, 1 and 2, which a program may be started without.
//
// Thread-safety: single-threaded process only: first thing in main().
#ifndef SHOAL_COMMON_STANDARD_DESCRIPTORS_H_
#define SHOAL_COMMON_STANDARD_DESCRIPTORS_H_

namespace shoal {

// Opens on /dev/null what of 0, 1 and 2 is closed. Otherwise the next socket or eventfd takes the number, and what is
// printed is written into it. Reading and writing fail as before, with EBADF: what is printed is not lost unseen.
void OpenMissingDescriptors();

}  // namespace shoal

#endif  // SHOAL_COMMON_STANDARD_DESCRIPTORS_H_
