#include "shoal/shipping/program_files.h"

#include <link.h>

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"

namespace shoal {
namespace {

int Note(dl_phdr_info* info, size_t size, void* libraries) {
  static_cast<void>(size);
  const std::string path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  // The program itself has no name, the kernel's own object no directory.
  if (!absl::StartsWith(path, "/")) return 0;
  static_cast<std::vector<LoadedLibrary>*>(libraries)->push_back(
      {path.substr(path.rfind('/') + 1), path});
  return 0;
}

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

std::vector<LoadedLibrary> LoadedLibraries() {
  std::vector<LoadedLibrary> libraries;
  dl_iterate_phdr(&Note, &libraries);
  return libraries;
}

absl::StatusOr<std::vector<ShipFile>> FilesOfProgram(const std::vector<LoadedLibrary>& libraries,
                                                     const std::vector<std::string>& missing,
                                                     absl::string_view host_name) {
  std::vector<ShipFile> files(1);
  files[0].local_path = "/proc/self/exe";
  files[0].path = "program";
  files[0].executable = true;
  std::vector<std::string> hopeless;
  for (const LoadedLibrary& library : libraries) {
    if (!absl::c_linear_search(missing, library.soname)) continue;
    if (IsOfCLibrary(library.soname)) {
      hopeless.push_back(library.soname);
      continue;
    }
    ShipFile& file = files.emplace_back();
    file.local_path = library.path;
    file.path = absl::StrCat("lib/", library.soname);
    file.library = true;
  }
  if (hopeless.empty()) return files;
  return absl::NotFoundError(absl::StrCat(
      "host \"", host_name, "\" lacks ", absl::StrJoin(hopeless, ", "),
      " of the C library, which is not sent along: link the program statically, or build it for "
      "that host"));
}

absl::StatusOr<std::vector<v1::ShippedFile>> ShipProgram(Host* host, const ShipOptions& options) {
  const std::vector<LoadedLibrary> libraries = LoadedLibraries();
  v1::FindMissingLibrariesRequest request;
  for (const LoadedLibrary& library : libraries) request.add_sonames(library.soname);
  CallOptions asking;
  asking.timeout = options.patience;
  SHOAL_ASSIGN_OR_RETURN(v1::FindMissingLibrariesResponse answer,
                         host->FindMissingLibraries(std::move(request), asking));
  const std::vector<std::string> missing(answer.missing_sonames().begin(),
                                         answer.missing_sonames().end());
  SHOAL_ASSIGN_OR_RETURN(std::vector<ShipFile> files,
                         FilesOfProgram(libraries, missing, host->name()));
  return Ship(host, files, options);
}

}  // namespace shoal
