// What each owner has of this agent: processes that are not over, what their specs and the rings of their
// input take up, and output.
//
// Ownership:     by ProcessTable, which tells it of every process; does not own them.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_USAGE_H_
#define SHOAL_AGENT_CORE_USAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "agent/core/model.h"

namespace shoal::agent {

// About how much memory a spec takes up.
int64_t BytesOf(const Spec& spec);

// Specs that are in use, each once, however many ranks share it.
class SpecSum {
 public:
  void Add(const std::shared_ptr<const Spec>& spec);
  void Remove(const std::shared_ptr<const Spec>& spec);
  int64_t bytes() const { return bytes_; }

 private:
  absl::flat_hash_map<const Spec*, int> uses_;
  int64_t bytes_ = 0;
};

class Usage {
 public:
  // Harmless when repeated, and for a process that is over, or not known.
  void Enter(const ProcessEntry& process);
  void Leave(const ProcessEntry& process);  // it is over
  void NoteOutput(const ProcessEntry& process);
  void Forget(const ProcessEntry& process);

  size_t LiveOf(const std::string& owner) const;
  int64_t LiveSpecBytesOf(const std::string& owner) const;
  int64_t LiveInputOf(const std::string& owner) const;
  int64_t OutputOf(const std::string& owner) const;

 private:
  struct Owner {
    size_t live = 0;
    SpecSum specs;
    int64_t input_bytes = 0;
    int64_t output_bytes = 0;
  };
  struct Known {
    bool is_live = false;
    int64_t output_bytes = 0;
  };
  void ForgetIdle(const std::string& owner);

  absl::flat_hash_map<std::string, Owner> owners_;
  absl::flat_hash_map<const ProcessEntry*, Known> known_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_USAGE_H_
