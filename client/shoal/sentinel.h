// A descriptor that becomes readable when a process has ended.
//
// Ownership:     the ChildProcess's; the call that it waits with shares the descriptor.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_SHOAL_SENTINEL_H_
#define SHOAL_CLIENT_SHOAL_SENTINEL_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"
#include "shoal/host.h"

namespace shoal::internal {

class Sentinel {
 public:
  // Waits for the end of the selected process on `host`; `on_news` is told what it was like then,
  // before the descriptor becomes readable. RESOURCE_EXHAUSTED: no descriptor is left.
  static absl::StatusOr<std::unique_ptr<Sentinel>> Create(
      Host& host, v1::Selector process, std::function<void(const v1::Process&)> on_news);

  int fd() const { return event_->get(); }

 private:
  explicit Sentinel(std::shared_ptr<UniqueFd> event) : event_(std::move(event)) {}

  // Shared with the call, which may outlive this.
  const std::shared_ptr<UniqueFd> event_;
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_SENTINEL_H_
