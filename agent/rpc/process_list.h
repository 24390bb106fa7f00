// Get and List: processes as they are now, in pages.
//
// Thread-safety: ToQuery is thread-safe; the rest is for the loop thread.
// Blocking:      reads /proc where the request asks for live usage; in slices, see Slices.
#ifndef SHOAL_AGENT_RPC_PROCESS_LIST_H_
#define SHOAL_AGENT_RPC_PROCESS_LIST_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/unary_call.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::agent {

struct ListQuery {
  Selector selector;
  int page_size = 0;
  std::string
      after_id;  // pages are in the order of ids, so that they hold while processes come and go
  bool live_usage = false;
};

// INVALID_ARGUMENT: "bad page_token", a negative page_size, a bad selector.
absl::StatusOr<ListQuery> ToQuery(const v1::ListRequest& request);

// A page ends at `page_size` processes, or before it would exceed 2 MiB.
void AnswerList(const Edge* edge, const Permit& permit, const ListQuery& query,
                const std::shared_ptr<UnaryCall<v1::ListResponse>>& call);

struct GetQuery {
  Selector selector;
  std::string request_id;  // of the caller's Spawn; empty: by `selector`
  bool live_usage = false;
  bool env_values = false;
};

// INVALID_ARGUMENT: a bad selector or request_id, or not one of both.
absl::StatusOr<GetQuery> ToQuery(const v1::GetRequest& request);

// NOT_FOUND: no match. INVALID_ARGUMENT: several. PERMISSION_DENIED: values of an environment that is
// another owner's.
void AnswerGet(const Edge* edge, const Permit& permit, const GetQuery& query,
               const std::shared_ptr<UnaryCall<v1::GetResponse>>& call);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_PROCESS_LIST_H_
