#include <gtest/gtest.h>

#include <string>

#include "shoal/host/output_positions.h"

namespace shoal {
namespace {

v1::ReadOutputResponse Data(int64_t offset, const std::string& bytes) {
  v1::ReadOutputResponse frame;
  frame.set_id("A");
  frame.set_stream(v1::STREAM_KIND_STDOUT);
  frame.set_offset(offset);
  frame.set_data(bytes);
  return frame;
}

TEST(OutputPositions, AFrameThatWasHadIsDroppedAndAnOverlapCut) {
  OutputPositions positions;
  EXPECT_EQ(positions.Advance(Data(0, "abcd")), 0u);
  EXPECT_EQ(positions.Advance(Data(0, "abcd")), std::nullopt);
  EXPECT_EQ(positions.Advance(Data(2, "cdef")), 2u);
  EXPECT_EQ(positions.OffsetOf("A", v1::STREAM_KIND_STDOUT), 6);
}

TEST(OutputPositions, ATailBeginsInTheMiddle) {
  OutputPositions positions;
  EXPECT_EQ(positions.Advance(Data(100, "x")), 0u);
  v1::ReadOutputRequest request;
  positions.WriteResume(&request);
  ASSERT_EQ(request.resume_size(), 1);
  EXPECT_EQ(request.resume(0).offset(), 101);
}

TEST(OutputPositions, AGapMovesPastWhatIsGone) {
  OutputPositions positions;
  v1::ReadOutputResponse gap = Data(0, "");
  gap.mutable_gap()->set_from(0);
  gap.mutable_gap()->set_to(50);
  EXPECT_TRUE(positions.Advance(gap).has_value());
  EXPECT_FALSE(positions.Advance(gap).has_value());
  EXPECT_EQ(positions.Advance(Data(50, "x")), 0u);
}

TEST(OutputPositions, AnEndCountsOnce) {
  OutputPositions positions;
  v1::ReadOutputResponse end = Data(0, "");
  end.mutable_end();
  EXPECT_TRUE(positions.Advance(end).has_value());
  EXPECT_FALSE(positions.Advance(end).has_value());
  EXPECT_TRUE(positions.HasEnded("A", v1::STREAM_KIND_STDOUT));
  EXPECT_FALSE(positions.HasEnded("A", v1::STREAM_KIND_STDERR));
}

TEST(OutputPositions, PositionsGivenByTheCallerStayUntilThereIsNewer) {
  OutputPositions positions;
  positions.Advance(Data(5, "x"));
  v1::ReadOutputRequest request;
  for (const char* id : {"A", "B"}) {
    v1::OutputPosition* given = request.add_resume();
    given->set_id(id);
    given->set_stream(v1::STREAM_KIND_STDOUT);
    given->set_offset(1);
  }
  positions.WriteResume(&request);
  ASSERT_EQ(request.resume_size(), 2);
  EXPECT_EQ(request.resume(0).offset(), 6);
  EXPECT_EQ(request.resume(1).offset(), 1);
}

TEST(OutputPositions, EveryFourMebibytesAreDueForAcknowledgement) {
  OutputPositions positions;
  std::string half(kAcknowledgeBytes / 2, 'x');
  v1::AcknowledgeOutputRequest request;
  positions.Advance(Data(0, half));
  EXPECT_FALSE(positions.TakeDue(Data(0, half), &request));
  v1::ReadOutputResponse second = Data(kAcknowledgeBytes / 2, half);
  positions.Advance(second);
  EXPECT_TRUE(positions.TakeDue(second, &request));
  EXPECT_FALSE(positions.TakeDue(second, &request));
  ASSERT_EQ(request.positions_size(), 1);
  EXPECT_EQ(request.positions(0).offset(), kAcknowledgeBytes);
}

}  // namespace
}  // namespace shoal
