// What of a program has to be sent along: itself, and the shared libraries that a host lacks.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_SHIPPING_PROGRAM_FILES_H_
#define SHOAL_CLIENT_SHOAL_SHIPPING_PROGRAM_FILES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shoal/shipping.h"

namespace shoal {

// A library that a program has loaded, by the name under which the linker looks for it.
struct LoadedLibrary {
  std::string soname;
  std::string path;
};

// Those of this program, without the kernel's own.
std::vector<LoadedLibrary> LoadedLibraries();

// This program as "program", and the libraries among `missing` as lib/SONAME. NOT_FOUND naming the
// parts of the C library that are missing: they are of one version with each other and with the
// dynamic linker that the kernel of the host starts, and never mixed.
absl::StatusOr<std::vector<ShipFile>> FilesOfProgram(const std::vector<LoadedLibrary>& libraries,
                                                     const std::vector<std::string>& missing,
                                                     absl::string_view host_name);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_SHIPPING_PROGRAM_FILES_H_
