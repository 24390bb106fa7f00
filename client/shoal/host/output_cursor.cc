#include "shoal/host/output_cursor.h"

#include <cstddef>
#include <optional>
#include <utility>

namespace shoal {

Flow OutputCursor::Take(v1::ReadOutputResponse&& frame,
                        absl::FunctionRef<Flow(v1::ReadOutputResponse&&)> tell) {
  std::optional<size_t> had = positions_.Advance(frame);  // before the connection broke
  if (!had.has_value()) return Flow::kGoOn;
  if (*had > 0) {
    frame.set_offset(frame.offset() + static_cast<int64_t>(*had));
    frame.mutable_data()->erase(0, *had);
  }
  v1::AcknowledgeOutputRequest request;
  const bool is_due = acknowledges_ && positions_.TakeDue(frame, &request);
  Flow flow = tell(std::move(frame));
  if (is_due) Acknowledge(std::move(request));
  return flow;
}

void OutputCursor::Acknowledge(v1::AcknowledgeOutputRequest request) {
  link_->AcknowledgeOutput(std::move(request), CallOptions(),
                           [](absl::StatusOr<v1::AcknowledgeOutputResponse>) {
                             // What is not acknowledged now is with the next.
                           });
}

}  // namespace shoal
