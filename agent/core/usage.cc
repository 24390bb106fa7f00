#include "agent/core/usage.h"

#include <utility>

namespace shoal::agent {

int64_t BytesOf(const Spec& spec) {
  constexpr size_t kPerWord = 32;
  size_t bytes = sizeof(Spec) + spec.wire.size();
  for (const std::string& word : spec.argv) bytes += word.size() + kPerWord;
  for (const std::string& word : spec.env) bytes += word.size() + kPerWord;
  for (const auto& [key, value] : spec.labels) bytes += key.size() + value.size() + kPerWord;
  for (const SpecFile& file : spec.files) bytes += file.path.size() + sizeof(SpecFile);
  return static_cast<int64_t>(bytes);
}

void SpecSum::Add(const std::shared_ptr<const Spec>& spec) {
  if (++uses_[spec.get()] == 1) bytes_ += BytesOf(*spec);
}

void SpecSum::Remove(const std::shared_ptr<const Spec>& spec) {
  const auto found = uses_.find(spec.get());
  if (found == uses_.end() || --found->second > 0) return;
  uses_.erase(found);
  bytes_ -= BytesOf(*spec);
}

void Usage::Enter(const ProcessEntry& process) {
  if (process.IsOver() || std::exchange(known_[&process].is_live, true)) return;
  Owner& owner = owners_[process.owner];
  ++owner.live;
  owner.specs.Add(process.spec);
  owner.input_bytes += process.spec->input_window;
}

void Usage::Leave(const ProcessEntry& process) {
  const auto known = known_.find(&process);
  if (known == known_.end() || !std::exchange(known->second.is_live, false)) return;
  Owner& owner = owners_[process.owner];
  --owner.live;
  owner.specs.Remove(process.spec);
  owner.input_bytes -= process.spec->input_window;
  ForgetIdle(process.owner);
}

void Usage::NoteOutput(const ProcessEntry& process) {
  int64_t bytes = 0;
  for (const record::StreamState& stream : process.streams) bytes += stream.end - stream.begin;
  int64_t& known = known_[&process].output_bytes;
  if (bytes == known) return;
  owners_[process.owner].output_bytes += bytes - std::exchange(known, bytes);
}

void Usage::Forget(const ProcessEntry& process) {
  Leave(process);
  const auto known = known_.find(&process);
  if (known == known_.end()) return;
  if (known->second.output_bytes != 0) {
    owners_[process.owner].output_bytes -= known->second.output_bytes;
    ForgetIdle(process.owner);
  }
  known_.erase(known);
}

void Usage::ForgetIdle(const std::string& owner) {
  const auto found = owners_.find(owner);
  if (found != owners_.end() && found->second.live == 0 && found->second.output_bytes == 0) {
    owners_.erase(found);
  }
}

size_t Usage::LiveOf(const std::string& owner) const {
  const auto found = owners_.find(owner);
  return found == owners_.end() ? 0 : found->second.live;
}

int64_t Usage::LiveSpecBytesOf(const std::string& owner) const {
  const auto found = owners_.find(owner);
  return found == owners_.end() ? 0 : found->second.specs.bytes();
}

int64_t Usage::LiveInputOf(const std::string& owner) const {
  const auto found = owners_.find(owner);
  return found == owners_.end() ? 0 : found->second.input_bytes;
}

int64_t Usage::OutputOf(const std::string& owner) const {
  const auto found = owners_.find(owner);
  return found == owners_.end() ? 0 : found->second.output_bytes;
}

}  // namespace shoal::agent
