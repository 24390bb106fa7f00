// One Watch: what matches now, `synced`, then every change, in the order of revisions.
//
//  1. Begin      checks the request on a gRPC thread and posts Subscribe.
//  2. Subscribe  becomes an observer of what matches, then looks at every process in slices
//                (ListNext): what matches is the snapshot, or, after a resume, what the watcher knows;
//                what changed since `from_revision` is news.
//  3. OnChanged, OnDeleted  note that an id has news; the latest counts, so a slow watcher costs
//                one entry per process and skips states that are past, never a process. What has
//                matched is followed by its id, so that its deletion is heard, and that it ceases
//                to match.
//  4. Flush      after a turn with news, and whenever the stream has drained, when it is the turn of
//                its caller: pushes until it is full. Messages of the snapshot have revision 0; any other revision is one
//                to resume from.
//  5. Stop       posted when gRPC is through with the call.
//
// Ownership:     shared by two real owners: the stream's hooks, until OnDone, and closures on the
//                loop.
// Thread-safety: loop thread only, but for Begin.
#ifndef SHOAL_AGENT_RPC_WATCH_STREAM_H_
#define SHOAL_AGENT_RPC_WATCH_STREAM_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/stream_reactor.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::agent {

class WatchStream final : public ProcessObserver, public std::enable_shared_from_this<WatchStream> {
 public:
  static grpc::ServerWriteReactor<v1::WatchResponse>* Begin(const Edge* edge,
                                                            const absl::StatusOr<Permit>& permit,
                                                            const v1::WatchRequest& request);

  void OnChanged(const ProcessEntry& process) override;
  void OnDeleted(const std::string& id, int64_t revision) override;
  void OnOutput(const ProcessEntry& process) override;
  void OnSessionOver(const std::string& session_id) override;
  void OnTurnEnd() override;

 private:
  using Stream = StreamReactor<v1::WatchResponse>;

  WatchStream(const Edge* edge, Permit permit, Selector selector, int64_t from_revision,
              std::shared_ptr<Stream> stream);
  void Subscribe();
  absl::Status NoteChanges();
  bool ListNext();  // false: every process was looked at
  void FlushSoon();
  void Stop();
  void FollowProcess(const std::string& id);
  void Note(const std::string& id, int64_t revision, bool deleted);
  void Flush();
  void FlushSome();
  bool FlushSnapshot();
  bool FlushNews();
  bool PushProcess(const std::string& id, int64_t revision);
  bool Push(v1::WatchResponse&& event);
  void ArmHeartbeat(absl::Duration delay);
  void OnHeartbeatDue();

  // Constant after construction.
  const Edge* const edge_;
  const Permit permit_;
  const Selector selector_;
  const int64_t from_revision_;
  const std::shared_ptr<Stream> stream_;

  // Loop thread only.
  bool subscribed_ = false;
  std::string listed_to_;  // ids up to this one were looked at
  bool is_listed_ = false;
  bool is_flush_posted_ = false;
  bool synced_ = false;
  int64_t synced_revision_ = 0;
  int64_t pushed_revision_ = 0;
  std::deque<std::string> snapshot_;  // ids still to be sent before `synced`
  absl::flat_hash_set<std::string> in_snapshot_;
  absl::flat_hash_set<std::string> known_;  // sent and not deleted: their deletion is news
  struct News {
    std::string id;
    bool deleted = false;
  };
  std::map<int64_t, News> news_;  // by revision
  absl::flat_hash_map<std::string, int64_t> news_of_;
  EventLoop::TimerId heartbeat_ = 0;
  absl::Duration last_push_;  // CLOCK_BOOTTIME
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_WATCH_STREAM_H_
