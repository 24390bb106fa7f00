// A shared library that no host has but the one that it was built on.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_PRIVATE_LIBRARY_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_PRIVATE_LIBRARY_H_

namespace shoal::testing {

// The file that this library was loaded from.
const char* PathOfPrivateLibrary();

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_PRIVATE_LIBRARY_H_
