#include "agent/core/input_place.h"

#include "absl/strings/str_cat.h"
#include "agent/core/process_table.h"
#include "agent/core/reason.h"

namespace shoal::agent {
namespace {

absl::Status Conflict(const ProcessEntry& process, absl::string_view what) {
  return WithReason(kReasonInputConflict, absl::FailedPreconditionError(absl::StrCat(
                                              "the input of ", Describe(process), ": ", what)));
}

}  // namespace

// FNV-1a, 64 bits.
uint64_t WriterDigest(absl::string_view writer) {
  uint64_t digest = 0xcbf29ce484222325;
  for (const char byte : writer) {
    digest = (digest ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return digest;
}

absl::Status CheckInputPlace(const ProcessEntry& process, const InputPlace& place) {
  const InputState& input = process.input;
  if (place.begin > input.kept) {
    return absl::OutOfRangeError(absl::StrCat("the input of ", Describe(process), " is kept up to ",
                                              input.kept, ": offset ", place.begin,
                                              " would leave bytes out"));
  }
  if (place.is_last && place.end < input.kept) {
    return absl::OutOfRangeError(absl::StrCat("the input of ", Describe(process), " is kept up to ",
                                              input.kept, " already: it cannot end at ",
                                              place.end));
  }
  const bool is_known = place.writer == input.writer && place.begin >= input.writer_at;
  if (place.begin < input.kept && place.begin < place.end && !is_known) {
    return Conflict(process, absl::StrCat("another writer has written to it meanwhile: what was to "
                                          "go to ",
                                          place.begin, " is there already, up to ", input.kept));
  }
  if (place.end <= input.kept) return absl::OkStatus();
  if (input.ended) return Conflict(process, absl::StrCat("it has ended, at ", input.kept));
  return IsInputClosed(process) ? InputClosed(process) : absl::OkStatus();
}

absl::Status InputClosed(const ProcessEntry& process) {
  const InputState& input = process.input;
  return WithReason(
      kReasonInputClosed,
      absl::FailedPreconditionError(absl::StrCat(
          Describe(process), process.IsTreeOver() ? " has ended" : " has closed its input", ": of ",
          input.kept, " bytes it has taken ", input.taken)));
}

}  // namespace shoal::agent
