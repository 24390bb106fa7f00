// What of a program is sent along.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shoal/shipping/program_files.h"

namespace shoal {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

const std::vector<LoadedLibrary>& Libraries() {
  static const auto* const kLibraries =
      new std::vector<LoadedLibrary>{{"libmesh.so.3", "/opt/mesh/libmesh.so.3"},
                                     {"libz.so.1", "/lib/libz.so.1"},
                                     {"libc.so.6", "/lib/libc.so.6"},
                                     {"libm.so.6", "/lib/libm.so.6"},
                                     {"ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"}};
  return *kLibraries;
}

TEST(FilesOfProgram, AreItselfAndTheLibrariesThatTheHostLacks) {
  absl::StatusOr<std::vector<ShipFile>> files =
      FilesOfProgram(Libraries(), {"libmesh.so.3"}, "ant");
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_THAT(*files, SizeIs(2));
  EXPECT_EQ(files->at(0).local_path, "/proc/self/exe");
  EXPECT_EQ(files->at(0).path, "program");
  EXPECT_TRUE(files->at(0).executable);
  EXPECT_EQ(files->at(1).local_path, "/opt/mesh/libmesh.so.3");
  EXPECT_EQ(files->at(1).path, "lib/libmesh.so.3");
  EXPECT_TRUE(files->at(1).library);
}

TEST(FilesOfProgram, NeverPartsOfTheCLibraryWhoseLackIsSaid) {
  const absl::Status status =
      FilesOfProgram(Libraries(), {"libm.so.6", "libmesh.so.3", "ld-linux-x86-64.so.2"}, "ant")
          .status();
  EXPECT_EQ(status,
            absl::NotFoundError(
                "host \"ant\" lacks libm.so.6, ld-linux-x86-64.so.2 of the C library, which "
                "is not sent along: link the program statically, or build it for that "
                "host"));
}

TEST(LoadedLibraries, AreThoseOfThisProgramByTheirNames) {
  EXPECT_THAT(LoadedLibraries(), Contains(Field(&LoadedLibrary::soname, HasSubstr("libc.so"))));
  EXPECT_THAT(LoadedLibraries(), Not(Contains(Field(&LoadedLibrary::path, HasSubstr("vdso")))));
}

}  // namespace
}  // namespace shoal
