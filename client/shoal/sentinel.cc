#include "shoal/sentinel.h"

#include <errno.h>
#include <sys/eventfd.h>

#include <utility>

#include "common/status.h"

namespace shoal::internal {

absl::StatusOr<std::unique_ptr<Sentinel>> Sentinel::Create(
    Host& host, v1::Selector process, std::function<void(const v1::Process&)> on_news) {
  auto event = std::make_shared<UniqueFd>(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!*event) return ErrnoStatus(errno, "eventfd for a sentinel");
  v1::WaitRequest request;
  *request.mutable_selector() = std::move(process);
  request.set_until(v1::WaitRequest::UNTIL_EXITED);
  CallOptions options;
  options.timeout = absl::InfiniteDuration();
  host.Wait(std::move(request), options,
            [event, on_news = std::move(on_news)](absl::StatusOr<v1::WaitResponse> response) {
              if (response.ok()) {
                for (const v1::Process& news : response->processes()) on_news(news);
              }
              // A host that was given up as well: whoever polls asks next, and hears why.
              eventfd_write(event->get(), 1);
            });
  return std::unique_ptr<Sentinel>(new Sentinel(std::move(event)));
}

}  // namespace shoal::internal
