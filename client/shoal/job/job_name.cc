#include "shoal/job/job_name.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/program_name.h"

namespace shoal {
namespace {

constexpr size_t kChanceLength = 4;

}  // namespace

std::string MakeJobName(absl::string_view program) {
  return absl::StrCat(ProgramName(program), "-",
                      absl::AsciiStrToLower(NewId().substr(0, kChanceLength)));
}

}  // namespace shoal
