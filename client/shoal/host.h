// One agent, and every call that can be made to it.
//
// Most calls exist twice: one that blocks and returns the answer, one that takes a Done<> and
// returns at once, for fan-out over hundreds of hosts without a thread for each. Check() is of the
// second kind only; GetByRequest(), GetSession(), WriteBlob() and ReadBlob() are of the first only.
// Watch(), ReadOutput() and StreamInput() return at once and tell an observer. Calls retry
// UNAVAILABLE with the same request_id and growing pauses until their time is over, or the host was
// not reached for CallOptions.patience, counted from the first call that found it so; a host that
// has never answered fails at the first refusal, or after HostOptions.connect_timeout of silence.
//
// The first answer that says so pins agent_id and boot_id: what changes something on another agent,
// or after a reboot, is ABORTED from then on.
//
// Ownership:     shared by a Fleet, its Slots and the Processes, Sessions and Jobs that run on it.
//                Owns the channel, which every call holds until its last callback.
// Thread-safety: thread-safe.
// Blocking:      Create() does not connect; the first call does.
// Errors:        as the proto says, with the agent's own sentence and its ErrorInfo (error.h);
//                UNAVAILABLE `host "node3" cannot be reached: connection refused (10.0.0.3:7420)`;
//                DEADLINE_EXCEEDED no answer in time, which says nothing of whether it was done.
#ifndef SHOAL_CLIENT_SHOAL_HOST_H_
#define SHOAL_CLIENT_SHOAL_HOST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "shoal/call.h"
#include "shoal/credentials.h"
#include "shoal/host_list.h"
#include "shoal/v1/blob_service.pb.h"
#include "shoal/v1/host_service.pb.h"
#include "shoal/v1/process_service.pb.h"
#include "shoal/v1/session_service.pb.h"

namespace shoal {

struct HostOptions {
  Credentials credentials;
  // How long a host that has never answered may be silent.
  absl::Duration connect_timeout = absl::Seconds(5);
  // Try again within `connect_timeout` when the first connection is refused: for an agent that was
  // started a moment ago.
  bool wait_for_agent = false;
};

// What a Watch tells. Calls come one at a time, on threads of gRPC; none may block.
struct WatchObserver {
  // Every upsert, deletion, `synced` and heartbeat.
  absl::AnyInvocable<Flow(v1::WatchResponse&&)> on_event;
  // A fresh snapshot begins: events were missed, forget what is not in it. Not at the first one.
  absl::AnyInvocable<void()> on_reset;
  // The connection broke (not OK), and stands again (OK).
  absl::AnyInvocable<void(const absl::Status&)> on_connection;
  // The last call, once.
  absl::AnyInvocable<void(const absl::Status&)> on_end;
};

// What a ReadOutput tells. Calls come one at a time, on threads of gRPC; none may block.
struct OutputObserver {
  // Data, gaps and ends; per process and stream in order of offset, without repetition.
  absl::AnyInvocable<Flow(v1::ReadOutputResponse&&)> on_frame;
  absl::AnyInvocable<void(const absl::Status&)> on_connection;
  // The last call, once; OK when there is nothing more to come.
  absl::AnyInvocable<void(const absl::Status&)> on_end;
};

struct ReadOutputOptions {
  // Tell the agent after each so many bytes of a stream that on_frame has had them; 0: never. For
  // the owning reader of processes whose output overflow is BLOCK: 4 MiB is good, and more than a
  // quarter of the output's cap makes the writer wait for ever.
  int64_t acknowledge_bytes = 0;
  // Give up, with UNAVAILABLE, when the connection was broken for so long.
  absl::Duration patience = absl::InfiniteDuration();
};

// What is written to the input of a process, and what its host says of it. See input.h for an input that is written
// as a whole.
struct InputObserver {
  // A connection begins: what is not kept is to be sent again. The first message names process and writer.
  std::function<void()> on_begin;
  // Fills in the next message, on any thread; must not block. Asked again once gRPC has taken it.
  std::function<Supply(v1::StreamInputRequest*)> next;
  // How far it is kept. On threads of gRPC, as the rest.
  std::function<void(const v1::InputPosition&)> on_position;
  // The last call, once; OK: all was kept after Supply::kEnd.
  absl::AnyInvocable<void(const absl::Status&)> on_end;
};

struct WatchOptions {
  absl::Duration patience = absl::InfiniteDuration();
};

// Bytes to be written as a blob, from `offset` on.
struct BlobSource {
  std::string sha256;
  int64_t size_bytes = 0;
  int64_t offset = 0;
  // The piece there, at most kMaxPieceBytes; called on the thread of WriteBlob, again from an
  // earlier offset after a broken connection.
  std::function<absl::StatusOr<std::string>(int64_t offset)> read;
};
inline constexpr int64_t kMaxPieceBytes = 512 << 10;

// Takes a piece of a blob; an error ends the call with it.
using BlobSink = std::function<absl::Status(int64_t offset, absl::string_view data)>;

// Which agent answered.
struct AgentIdentity {
  std::string agent_id;  // empty: not known yet
  std::string boot_id;
};

// What the clock of an agent said when this machine was booted: what its times are counted from, to be compared
// with those of another.
struct ClockReading {
  absl::Time at_boot;
  absl::Duration uncertainty;  // either way; infinite: nothing has told yet
};

class Link;

class Host {
 public:
  // FAILED_PRECONDITION: the credentials do not allow to speak to `address`. INVALID_ARGUMENT: the
  // path of the Unix socket is longer than the 107 bytes that Linux allows. In a fork of a program
  // that has made one, this and every call is FAILED_PRECONDITION.
  static absl::StatusOr<std::shared_ptr<Host>> Create(HostAddress address,
                                                      HostOptions options = {});
  // Waits for calls that are under way to end; cancels them first.
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const std::string& name() const;
  const HostAddress& address() const;
  AgentIdentity identity() const;
  // A request_id for one call to this agent, by its clock as far as its answers told. An empty one
  // in a request is filled so; this is for a call that may have to be made again.
  std::string NewRequestId() const;
  // What the clock of this agent says, as far as its answers told; GetFacts() tells.
  absl::Time AgentTime() const;
  // The same, to compare times that two agents have told.
  ClockReading ReadClock() const;

  // HostService.
  absl::StatusOr<v1::Host> GetFacts(CallOptions options = {});
  void GetFacts(CallOptions options, Done<v1::Host> done);
  // The facts with `checks`: what the promises stand on there. May take a second.
  void Check(CallOptions options, Done<v1::Host> done);

  // ProcessService. An empty request_id is filled, as are agent_id and boot_id once known, and the token of
  // a session that this program holds there.
  absl::StatusOr<v1::SpawnResponse> Spawn(v1::SpawnRequest request, CallOptions options = {});
  void Spawn(v1::SpawnRequest request, CallOptions options, Done<v1::SpawnResponse> done);
  absl::StatusOr<v1::SpawnBatchResponse> SpawnBatch(v1::SpawnBatchRequest request,
                                                    CallOptions options = {});
  void SpawnBatch(v1::SpawnBatchRequest request, CallOptions options,
                  Done<v1::SpawnBatchResponse> done);
  absl::StatusOr<v1::Process> Get(absl::string_view selector, bool live_usage = false,
                                  CallOptions options = {});
  void Get(absl::string_view selector, bool live_usage, CallOptions options,
           Done<v1::Process> done);
  // The process that this identity has started by a Spawn of this request_id.
  absl::StatusOr<v1::Process> GetByRequest(absl::string_view request_id, CallOptions options = {});
  // All pages; `page_size` of the request is a hint, page_token is overwritten.
  absl::StatusOr<std::vector<v1::Process>> List(v1::ListRequest request, CallOptions options = {});
  void List(v1::ListRequest request, CallOptions options, Done<std::vector<v1::Process>> done);
  // Waits until options.timeout, which may be infinite; then `timed_out` is set. request.timeout is
  // overwritten. UNAVAILABLE: the host was not reached for a minute.
  absl::StatusOr<v1::WaitResponse> Wait(v1::WaitRequest request, CallOptions options = {});
  void Wait(v1::WaitRequest request, CallOptions options, Done<v1::WaitResponse> done);
  absl::StatusOr<v1::SignalResponse> Signal(v1::SignalRequest request, CallOptions options = {});
  void Signal(v1::SignalRequest request, CallOptions options, Done<v1::SignalResponse> done);
  // Takes as long as request.grace and request.timeout say, at least options.timeout.
  absl::StatusOr<v1::TerminateResponse> Terminate(v1::TerminateRequest request,
                                                  CallOptions options = {});
  void Terminate(v1::TerminateRequest request, CallOptions options,
                 Done<v1::TerminateResponse> done);
  absl::StatusOr<v1::UpdateResponse> Update(v1::UpdateRequest request, CallOptions options = {});
  void Update(v1::UpdateRequest request, CallOptions options, Done<v1::UpdateResponse> done);
  absl::StatusOr<v1::DeleteResponse> Delete(v1::DeleteRequest request, CallOptions options = {});
  void Delete(v1::DeleteRequest request, CallOptions options, Done<v1::DeleteResponse> done);
  absl::Status AcknowledgeOutput(v1::AcknowledgeOutputRequest request, CallOptions options = {});
  void AcknowledgeOutput(v1::AcknowledgeOutputRequest request, CallOptions options,
                         Done<v1::AcknowledgeOutputResponse> done);

  // Answers at request.timeout, which may be absent, or a little before options.timeout. See input.h for
  // an input that is written as a whole.
  absl::StatusOr<v1::WriteInputResponse> WriteInput(v1::WriteInputRequest request,
                                                    CallOptions options = {});
  void WriteInput(v1::WriteInputRequest request, CallOptions options,
                  Done<v1::WriteInputResponse> done);
  absl::StatusOr<v1::ResizeTerminalResponse> ResizeTerminal(v1::ResizeTerminalRequest request,
                                                            CallOptions options = {});
  void ResizeTerminal(v1::ResizeTerminalRequest request, CallOptions options,
                      Done<v1::ResizeTerminalResponse> done);

  // Goes on after a broken connection from the last revision seen; where the agent no longer has
  // that, with a fresh snapshot, announced by on_reset.
  std::unique_ptr<Subscription> Watch(v1::WatchRequest request, WatchObserver observer,
                                      WatchOptions options = {});
  // Goes on after a broken connection at the offsets it has come to.
  std::unique_ptr<Subscription> ReadOutput(v1::ReadOutputRequest request, OutputObserver observer,
                                           ReadOutputOptions options = {});
  // Goes on after a broken connection; UNAVAILABLE: it was broken for so long.
  std::unique_ptr<Subscription> StreamInput(InputObserver observer, absl::Duration patience);

  // SessionService. See session.h for a session that is kept alive.
  absl::StatusOr<v1::OpenResponse> OpenSession(v1::OpenRequest request, CallOptions options = {});
  void OpenSession(v1::OpenRequest request, CallOptions options, Done<v1::OpenResponse> done);
  absl::StatusOr<v1::KeepAliveResponse> KeepAlive(v1::KeepAliveRequest request,
                                                  CallOptions options = {});
  void KeepAlive(v1::KeepAliveRequest request, CallOptions options,
                 Done<v1::KeepAliveResponse> done);
  absl::StatusOr<v1::TakeoverResponse> TakeOverSession(v1::TakeoverRequest request,
                                                       CallOptions options = {});
  void TakeOverSession(v1::TakeoverRequest request, CallOptions options,
                       Done<v1::TakeoverResponse> done);
  absl::StatusOr<v1::CloseResponse> CloseSession(v1::CloseRequest request,
                                                 CallOptions options = {});
  void CloseSession(v1::CloseRequest request, CallOptions options, Done<v1::CloseResponse> done);
  absl::StatusOr<std::vector<v1::Session>> ListSessions(CallOptions options = {});
  void ListSessions(CallOptions options, Done<std::vector<v1::Session>> done);
  // NOT_FOUND: it is over, or unknown.
  absl::StatusOr<v1::Session> GetSession(absl::string_view id, CallOptions options = {});

  // BlobService, and what of HostService goes with it. See shipping.h for files. WriteBlob and
  // ReadBlob go on after a broken connection with what the other side lacks; what has come in when
  // they fail is with FindMissingBlobs, or the sink.
  absl::StatusOr<v1::FindMissingResponse> FindMissingBlobs(v1::FindMissingRequest request,
                                                           CallOptions options = {});
  void FindMissingBlobs(v1::FindMissingRequest request, CallOptions options,
                        Done<v1::FindMissingResponse> done);
  absl::Status WriteBlob(const BlobSource& source, CallOptions options = {});
  absl::Status ReadBlob(absl::string_view sha256, int64_t offset, const BlobSink& sink,
                        CallOptions options = {});
  absl::StatusOr<v1::FindMissingLibrariesResponse> FindMissingLibraries(
      v1::FindMissingLibrariesRequest request, CallOptions options = {});
  void FindMissingLibraries(v1::FindMissingLibrariesRequest request, CallOptions options,
                            Done<v1::FindMissingLibrariesResponse> done);

  // For the other files of this library, and its tests; nothing for users.
  static std::shared_ptr<Host> Over(std::shared_ptr<Link> link);
  struct Rep;
  const std::shared_ptr<Rep>& rep() const { return rep_; }

 private:
  explicit Host(std::shared_ptr<Rep> rep);
  void GetFacts(v1::HostServiceGetRequest request, CallOptions options, Done<v1::Host> done);

  // Shared with what ends every call that is under way, so that it outlives them.
  std::shared_ptr<Rep> rep_;  // never null
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_H_
