// One ReadOutput as the loop sees it: which processes are followed, and when the last byte is told.
//
//  1. Begin      checks the request on a gRPC thread and posts Subscribe.
//  2. Subscribe  selects, checks offsets, tells the reader of every process; without `follow` that
//  is
//                all.
//  3. OnOutput, OnChanged  tell the reader how far the streams have come; the output thread reads.
//  4. MaybeEnd   tells the reader that nothing more will come: every process named has complete
//                output, or the session is over.
//  5. Stop       posted when gRPC is through with the call.
//
// Ownership:     shared by two real owners: the stream's hooks, until OnDone, and closures on the
//                loop.
// Thread-safety: loop thread only, but for Begin.
#ifndef SHOAL_AGENT_RPC_OUTPUT_STREAM_H_
#define SHOAL_AGENT_RPC_OUTPUT_STREAM_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/output_reader.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::agent {

struct OutputQuery {
  Selector selector;
  std::array<bool, record::kStreams> wanted{};
  OutputStart start;
  bool follow = false;
};

// INVALID_ARGUMENT: a bad selector, unknown streams, negative offsets or counts.
absl::StatusOr<OutputQuery> ToQuery(const v1::ReadOutputRequest& request);

class OutputStream final : public ProcessObserver,
                           public std::enable_shared_from_this<OutputStream> {
 public:
  static grpc::ServerWriteReactor<v1::ReadOutputResponse>* Begin(
      const Edge* edge, const v1::ReadOutputRequest& request);

  void OnChanged(const ProcessEntry& process) override;
  void OnDeleted(const std::string& id, int64_t revision) override;
  void OnOutput(const ProcessEntry& process) override;
  void OnSessionOver(const std::string& session_id) override;

 private:
  OutputStream(const Edge* edge, OutputQuery query, std::shared_ptr<OutputReader::Stream> stream);
  void Subscribe();
  // The processes selected now, their offsets checked: OUT_OF_RANGE beyond an end.
  absl::StatusOr<std::vector<const ProcessEntry*>> SelectChecked() const;
  absl::Status CheckOffsets(const std::vector<const ProcessEntry*>& selected) const;
  void Stop();
  void Tell(const ProcessEntry& process, bool is_new, bool checked);
  void TellGone(const std::string& id);
  void Answer(const std::string& id);
  void MaybeEnd();
  void Wake();

  // Constant after construction.
  const Edge* const edge_;
  const OutputQuery query_;
  const std::shared_ptr<OutputReader::Stream> stream_;
  std::shared_ptr<OutputReader> reader_;  // made with a weak reference to this

  // Loop thread only.
  bool subscribed_ = false;
  bool told_final_ = false;
  bool session_over_ = false;
  absl::flat_hash_map<std::string, bool> followed_;  // by id: its output is complete
  size_t incomplete_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_OUTPUT_STREAM_H_
