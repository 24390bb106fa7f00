// What a story says of output.
#include <cerrno>

#include "client/cli/story.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/cli/told_process.h"

namespace shoal::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

StreamGap GapOf(v1::StreamKind stream, int64_t from, int64_t to, v1::Gap::Reason reason) {
  StreamGap one;
  one.stream = stream;
  one.gap.set_from(from);
  one.gap.set_to(to);
  one.gap.set_reason(reason);
  return one;
}

TEST(Story, AResultIsNamedAsSuch) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(0);
  process.set_output_complete(true);
  v1::StreamPosition* result = process.add_output();
  result->set_stream(v1::STREAM_KIND_RESULT);
  result->set_end_offset(12);
  EXPECT_THAT(TellStory(process, At(17, 0, 0)), HasSubstr("result 12 bytes, nothing dropped."));
}

TEST(Story, SaysWhatBecameOfItsOutput) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(0);
  v1::StreamPosition* out = process.add_output();
  out->set_stream(v1::STREAM_KIND_STDOUT);
  out->set_begin_offset(312);
  out->set_end_offset(1000);
  EXPECT_THAT(TellStory(process, At(15, 0, 0)),
              EndsWith("stdout 1.0 KiB, the first 312 bytes read, and let go; somebody still holds "
                       "them open."));
  process.add_flags(v1::FLAG_OUTPUT_DROPPED);
  process.add_flags(v1::FLAG_OUTPUT_TRUNCATED);
  EXPECT_THAT(TellStory(process, At(15, 0, 0)),
              EndsWith("stdout 1.0 KiB, the first 312 bytes dropped; what its shim had not moved "
                       "yet is lost."));
}

TEST(Story, OfAFailureHasTheEndOfStderr) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(3);
  process.mutable_exit()->set_stderr_tail("first\nno mesh\n");
  EXPECT_THAT(TellStory(process, At(15, 0, 0)),
              EndsWith("\nThe end of its stderr:\n  │ first\n  │ no mesh"));
  process.mutable_exit()->set_code(0);
  EXPECT_THAT(TellStory(process, At(15, 0, 0)), Not(HasSubstr("stderr:")));
}

TEST(Story, SaysWhyOutputCannotBeWrittenAndWhatDropsIt) {
  v1::Process process = Web();
  process.add_flags(v1::FLAG_OUTPUT_STALLED);
  process.set_output_error_number(ENOSPC);
  EXPECT_THAT(TellStory(process, At(15, 0, 0)),
              EndsWith(" Its output cannot be written: No space left on device; it waits until it "
                       "can be."));
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(0);
  process.set_tree_empty(true);
  v1::StreamPosition* out = process.add_output();
  out->set_stream(v1::STREAM_KIND_STDOUT);
  out->set_end_offset(1000);
  EXPECT_THAT(
      TellStory(process, At(15, 0, 0)),
      EndsWith("stdout 1.0 KiB, nothing dropped; the rest waits for room. Its output cannot "
               "be written: No space left on device; that is tried until it can be, or "
               "`shoal rm` drops the rest."));
}

TEST(Story, TellsWhatIsNotKeptAndWhy) {
  v1::Process process = Web();
  v1::StreamPosition* out = process.add_output();
  out->set_stream(v1::STREAM_KIND_STDOUT);
  out->set_begin_offset(4096);
  out->set_end_offset(12 << 10);
  std::vector<StreamGap> gaps = {
      GapOf(v1::STREAM_KIND_STDOUT, 0, 4096, v1::Gap::REASON_CAP),
      GapOf(v1::STREAM_KIND_STDERR, 0, 7, v1::Gap::REASON_ACKNOWLEDGED),
      GapOf(v1::STREAM_KIND_STDOUT, 8192, 9000, v1::Gap::REASON_MISSING),
      GapOf(v1::STREAM_KIND_STDOUT, 9500, 9501, v1::Gap::REASON_MISSING)};
  EXPECT_THAT(TellStory(process, At(17, 0, 0), 0, gaps),
              EndsWith("stdout 12 KiB. "
                       "Bytes 8192 to 9000, 9500 to 9501 of its stdout are not kept: another "
                       "program has removed or cut their file. "
                       "Bytes 0 to 4096 of its stdout are not kept: the cap was reached, or the "
                       "disk was full. "
                       "Bytes 0 to 7 of its stderr are not kept: they were read, and "
                       "acknowledged."));
}

TEST(Story, AReasonForAGapThatIsNotKnownHereIsToldAsSuch) {
  const std::vector<StreamGap> gaps = {
      GapOf(v1::STREAM_KIND_STDERR, 3, 4, static_cast<v1::Gap::Reason>(99))};
  EXPECT_THAT(TellStory(Web(), At(17, 0, 0), 0, gaps),
              HasSubstr("Bytes 3 to 4 of its stderr are not kept: its agent gives a reason that "
                        "this command does not know."));
}

TEST(Story, OfManyGapsTellsHowManyThereAre) {
  v1::Process process = Web();
  std::vector<StreamGap> gaps;
  for (int64_t i = 0; i < 60; i += 10) {
    gaps.push_back(GapOf(v1::STREAM_KIND_STDOUT, i, i + 1, v1::Gap::REASON_MISSING));
  }
  EXPECT_THAT(TellStory(process, At(17, 0, 0), 0, gaps),
              HasSubstr("Bytes 0 to 1, 10 to 11, 20 to 21, 30 to 31 and 2 more ranges of its "
                        "stdout are not kept"));
}

}  // namespace
}  // namespace shoal::cli
