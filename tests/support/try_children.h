// Tries every way to start a process or a thread, and prints what came of each: for tests of
// forbid_children.
#ifndef SHOAL_TESTS_SUPPORT_TRY_CHILDREN_H_
#define SHOAL_TESTS_SUPPORT_TRY_CHILDREN_H_

namespace shoal::testing {

// One "way=errno" a line on stdout, 0 where it worked, 127 from system(3) where it did not; what
// was started has ended.
void TryChildren();

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_TRY_CHILDREN_H_
