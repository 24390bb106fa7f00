// Descriptors 0, 1 and 2, which a program may be started without.
//
// Thread-safety: single-threaded process only: first thing in main().
#ifndef SHOAL_COMMON_STANDARD_DESCRIPTORS_H_
#define SHOAL_COMMON_STANDARD_DESCRIPTORS_H_

namespace shoal {

// Opens on /dev/null what of 0, 1 and 2 is closed. Otherwise the next socket or eventfd takes the
// number, and what is printed is written into it. Without a /dev/null the number is taken all the
// same, and reading and writing fail.
void OpenMissingDescriptors();

}  // namespace shoal

#endif  // SHOAL_COMMON_STANDARD_DESCRIPTORS_H_
