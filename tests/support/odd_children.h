// Children that a parent has in another way than by fork alone, for tests of trees.
#ifndef SHOAL_TESTS_SUPPORT_ODD_CHILDREN_H_
#define SHOAL_TESTS_SUPPORT_ODD_CHILDREN_H_

#include <sys/types.h>

namespace shoal::testing {

// As fork(), -1 with EINVAL where `kind` is none of:
//   vfork    the parent is held by the kernel until the child has ended or executed
//   sibling  the child's parent is the parent of this process
//   traced   the child is traced by this process, and stopped when the parent goes on
pid_t ForkAs(const char* kind);

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_ODD_CHILDREN_H_
