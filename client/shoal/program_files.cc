// ShipProgram: this program and its shared libraries.
#include <link.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/status.h"
#include "shoal/shipping.h"

namespace shoal {
namespace {

// A library that this program has loaded, by the name under which the linker looks for it.
struct Library {
  std::string soname;
  std::string path;
};

int Note(dl_phdr_info* info, size_t size, void* libraries) {
  static_cast<void>(size);
  const std::string path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  // The program itself has no name, the kernel's own object no directory.
  if (!absl::StartsWith(path, "/")) return 0;
  static_cast<std::vector<Library>*>(libraries)->push_back(
      {path.substr(path.rfind('/') + 1), path});
  return 0;
}

// Parts of glibc: of one version with each other and with the dynamic linker that the kernel of the
// host starts, so they are never mixed.
bool IsOfCLibrary(absl::string_view soname) {
  constexpr absl::string_view kPrefixes[] = {
      "ld-linux",           "ld.so",          "libc.so",   "libm.so",
      "libmvec.so",         "libdl.so",       "librt.so",  "libpthread.so",
      "libresolv.so",       "libutil.so",     "libanl.so", "libnss_",
      "libBrokenLocale.so", "libthread_db.so"};
  return absl::c_any_of(kPrefixes,
                        [&](absl::string_view prefix) { return absl::StartsWith(soname, prefix); });
}

}  // namespace

absl::StatusOr<std::vector<v1::ShippedFile>> ShipProgram(Host* host, const ShipOptions& options) {
  std::vector<Library> libraries;
  dl_iterate_phdr(&Note, &libraries);
  v1::FindMissingLibrariesRequest request;
  for (const Library& library : libraries) request.add_sonames(library.soname);
  CallOptions asking;
  asking.timeout = options.patience;
  SHOAL_ASSIGN_OR_RETURN(v1::FindMissingLibrariesResponse answer,
                         host->FindMissingLibraries(std::move(request), asking));
  std::vector<ShipFile> files;
  files.push_back({.local_path = "/proc/self/exe",
                   .content = {},
                   .path = "program",
                   .executable = true,
                   .library = false});
  std::vector<std::string> hopeless;
  for (const Library& library : libraries) {
    if (!absl::c_linear_search(answer.missing_sonames(), library.soname)) continue;
    if (IsOfCLibrary(library.soname)) {
      hopeless.push_back(library.soname);
    } else {
      files.push_back({.local_path = library.path,
                       .content = {},
                       .path = absl::StrCat("lib/", library.soname),
                       .executable = false,
                       .library = true});
    }
  }
  if (hopeless.empty()) return Ship(host, files, options);
  return absl::NotFoundError(absl::StrCat(
      "host \"", host->name(), "\" lacks ", absl::StrJoin(hopeless, ", "),
      " of the C library, which is not sent along: link the program statically, or build it for "
      "that host"));
}

}  // namespace shoal
