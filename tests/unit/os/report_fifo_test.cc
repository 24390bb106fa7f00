#include "agent/os/report_fifo.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

class ReportFifoTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto fifo = ReportFifo::Open(scratch_.path());
    ASSERT_TRUE(fifo.ok()) << fifo.status();
    fifo_ = *std::move(fifo);
  }
  bool Report(uint32_t slot) {
    const record::Report report{.slot = slot, .flags = 0, .shim_pid = 1, .id_prefix = 0};
    return write(fifo_->fd(), &report, sizeof(report)) == sizeof(report);
  }

  ScratchDirectory scratch_;
  std::unique_ptr<ReportFifo> fifo_;
};

TEST_F(ReportFifoTest, ReportsOfOneSlotAreOne) {
  for (uint32_t slot : {7u, 3u, 7u, 7u, 3u}) ASSERT_TRUE(Report(slot));
  const ReportFifo::Batch batch = fifo_->Read();
  EXPECT_EQ(batch.slots, (std::vector<int>{3, 7}));
  EXPECT_FALSE(batch.overflowed);
  EXPECT_TRUE(fifo_->Read().slots.empty());
}

TEST_F(ReportFifoTest, FullFifoIsAnOverflow) {
  uint32_t written = 0;
  while (Report(written)) ++written;
  EXPECT_GE(written, 4096u);
  const ReportFifo::Batch batch = fifo_->Read();
  EXPECT_TRUE(batch.overflowed);
  EXPECT_EQ(batch.slots.size(), written);
  EXPECT_FALSE(fifo_->Read().overflowed);
}

TEST_F(ReportFifoTest, ReportsOutliveTheAgentWhileAShimHoldsTheFifo) {
  UniqueFd shims(fcntl(fifo_->fd(), F_DUPFD_CLOEXEC, 20));
  ASSERT_TRUE(Report(5));
  fifo_.reset();
  SetUp();
  EXPECT_EQ(fifo_->Read().slots, std::vector<int>{5});
}

TEST(ReportFifo, SomethingElseInItsPlaceIsRefused) {
  ScratchDirectory scratch;
  WriteFile(scratch / "reports", "");
  EXPECT_EQ(ReportFifo::Open(scratch.path()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace shoal::agent
