#include "tests/support/system/private_library.h"

#include <dlfcn.h>

namespace shoal::testing {

const char* PathOfPrivateLibrary() {
  Dl_info self;
  return dladdr(reinterpret_cast<void*>(&PathOfPrivateLibrary), &self) != 0 ? self.dli_fname : "";
}

}  // namespace shoal::testing
