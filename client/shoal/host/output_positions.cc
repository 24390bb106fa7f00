#include "shoal/host/output_positions.h"

#include <algorithm>
#include <map>

namespace shoal {

int64_t AcknowledgeBytesFor(const v1::OutputSpec& output) {
  if (output.cap_bytes() == 0) return kAcknowledgeBytes;
  return std::min(kAcknowledgeBytes, output.cap_bytes() / 4);
}

std::optional<size_t> OutputPositions::Advance(const v1::ReadOutputResponse& frame) {
  auto [entry, is_new] = positions_.try_emplace({frame.id(), frame.stream()});
  Position& position = entry->second;
  if (is_new) {
    // A tail begins in the middle; what is before it is not asked for again.
    position.offset = frame.has_gap() ? frame.gap().from() : frame.offset();
    position.acknowledged = position.offset;
  }
  if (frame.has_end()) {
    if (std::exchange(position.has_ended, true)) return std::nullopt;
    return 0;
  }
  int64_t end = frame.has_gap() ? frame.gap().to()
                                : frame.offset() + static_cast<int64_t>(frame.data().size());
  if (end <= position.offset) return std::nullopt;
  int64_t had = std::max<int64_t>(0, position.offset - frame.offset());
  position.offset = end;
  return frame.has_data() ? static_cast<size_t>(had) : 0;
}

int64_t OutputPositions::OffsetOf(absl::string_view id, v1::StreamKind stream) const {
  auto entry = positions_.find({std::string(id), stream});
  return entry == positions_.end() ? 0 : entry->second.offset;
}

bool OutputPositions::HasEnded(absl::string_view id, v1::StreamKind stream) const {
  auto entry = positions_.find({std::string(id), stream});
  return entry != positions_.end() && entry->second.has_ended;
}

void OutputPositions::WriteResume(v1::ReadOutputRequest* request) const {
  if (positions_.empty()) return;
  std::map<Key, int64_t> resume;
  for (const v1::OutputPosition& given : request->resume()) {
    resume[{given.id(), given.stream()}] = given.offset();
  }
  for (const auto& [key, position] : positions_) resume[key] = position.offset;
  request->clear_resume();
  for (const auto& [key, offset] : resume) {
    v1::OutputPosition* position = request->add_resume();
    position->set_id(key.first);
    position->set_stream(key.second);
    position->set_offset(offset);
  }
}

bool OutputPositions::TakeDue(const v1::ReadOutputResponse& frame,
                              v1::AcknowledgeOutputRequest* request) {
  auto entry = positions_.find({frame.id(), frame.stream()});
  if (entry == positions_.end()) return false;
  Position& position = entry->second;
  if (position.offset - position.acknowledged < acknowledge_bytes_) return false;
  position.acknowledged = position.offset;
  v1::OutputPosition* due = request->add_positions();
  due->set_id(frame.id());
  due->set_stream(frame.stream());
  due->set_offset(position.offset);
  return true;
}

}  // namespace shoal
