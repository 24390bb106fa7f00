// An agent for tests of the client: real sockets and the real protocol, but its processes are a
// script.
//
// A spawned process "runs" what its argv says, at once and in order, one word each:
//   out:TEXT err:TEXT    writes          exit:N  signal:N   ends
//   fill:N               writes N times "x"
//   wait                 runs until it is terminated (exit by the signal, cause TERMINATED)
//   refuse:TEXT          is not started
//   ignore-term          from here on only SIGKILL ends it
//   cat                  writes what comes to its input, and ends with it
//   close-input:N        takes N bytes of its input and closes it
//   silence              as the first word: nothing is said of it
//
// Ownership:     the test's. The state outlives Stop() and Start(), as that of a restarted agent
//                does.
// Thread-safety: thread-safe.
// Blocking:      Stop() ends every call.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_AGENT_H_
#define SHOAL_TESTS_SUPPORT_FAKE_AGENT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "shoal/v1/host_service.pb.h"
#include "shoal/v1/process_service.pb.h"
#include "shoal/v1/session_service.pb.h"

namespace shoal::testing {

class FakeAgent {
 public:
  // Serves unix:SOCKET in a directory of its own, which goes with it.
  explicit FakeAgent(const std::string& name, int slots = 2);
  ~FakeAgent();

  const std::string& socket_path() const;
  // "unix:PATH"
  std::string hosts() const;

  void Stop();
  void Start();
  // The socket and its directory; for one that is never destroyed, at the end of the program.
  void RemoveFiles();

  // Like an agent that was stopped by a signal: it takes calls and answers none, until Thaw().
  void Freeze();
  void Thaw();
  // Calls of one method wait, before they do anything, until Release().
  void Hold(const std::string& method);
  void Release(const std::string& method);

  // The next `times` calls of a method ("Spawn", "Open", …) fail so, before they do anything.
  void FailNext(const std::string& method, absl::Status status, int times = 1);
  // As FailNext, but after it was done: the answer is lost, by default with the connection.
  void LoseAnswer(const std::string& method, int times = 1,
                  absl::Status status = absl::UnavailableError("Socket closed"));
  // Streams of the method end so after that many messages, the next `times` times, behind those of
  // earlier calls; by default they break.
  void BreakAfter(const std::string& method, int messages, int times,
                  absl::Status status = absl::UnavailableError("Socket closed"));
  // Output is sent in frames of so many bytes.
  void SetFrameBytes(size_t bytes);
  // Events before this revision are gone: a watch from there is OUT_OF_RANGE.
  void Compact();
  // Its clock is ahead of this machine's.
  void SetClock(absl::Duration ahead);
  // What the host tells of itself, over what it does by default.
  void SetFacts(v1::Host facts);
  // Has a process of this id, with these bytes of stdout and stderr, which was not spawned here.
  void Put(v1::Process process, absl::string_view out = "", absl::string_view err = "");
  // A call for many processes answers so for this one.
  void Refuse(const std::string& id, int code, const std::string& message);
  // Has this session, opened by a client that has gone, or renews it.
  void PutSession(const std::string& id, bool is_renewed);
  // The session is over, as if it had lapsed; its processes end with SESSION_EXPIRED.
  void ExpireSession(const std::string& id);
  // More output of a process that waits.
  void Write(const std::string& id, v1::StreamKind stream, absl::string_view bytes);
  // The same, read from the process at that time. What has no time before it is of the time zero.
  void WriteAt(absl::Time time, const std::string& id, v1::StreamKind stream,
               absl::string_view bytes);
  // As one of 0.1: fields of ReadOutputRequest that have come since are passed over.
  void SetReadsAsBefore();
  // As Write, but the bytes are dropped before a client reads them. Once for a stream.
  void WriteAndDrop(const std::string& id, v1::StreamKind stream, int64_t bytes,
                    v1::Gap::Reason reason = v1::Gap::REASON_CAP);
  // Ends a process that waits.
  void Exit(const std::string& id, int code);
  // It was deleted by another client.
  void Delete(const std::string& id);
  // As Exit, but the ends of its output are lost.
  void ExitTruncated(const std::string& id, int code);

  // How often a method was called, failed calls included.
  int Calls(const std::string& method) const;
  // Blocks until at most so many calls of ReadOutput are open.
  void AwaitReaders(int at_most) const;
  // Blocks until it was called so often; "WatchSynced", "WatchSent":
  // until so many watches were in step, or other events were sent.
  void AwaitCalls(const std::string& method, int calls) const;
  // The request_ids that came with calls of the method.
  std::vector<std::string> RequestIds(const std::string& method) const;
  v1::SpawnBatchRequest last_batch() const;
  v1::SignalRequest last_signal() const;
  v1::TerminateRequest last_terminate() const;
  v1::ReadOutputRequest last_read() const;
  v1::OpenRequest last_open() const;
  v1::CloseRequest last_close() const;
  // What was written, by digest.
  std::map<std::string, std::string> blobs() const;
  // How long the caller of the last Spawn was going to wait.
  absl::Duration last_spawn_timeout() const;
  int open_sessions() const;
  std::vector<v1::Process> processes() const;
  // Waits until anything has changed since it returned that, at first 0; or until Stir().
  int64_t AwaitNews(int64_t seen) const;
  void Stir();
  int64_t acknowledged(const std::string& id) const;
  // What a process has got.
  std::string InputOf(const std::string& id) const;
  bool HasInputEnded(const std::string& id) const;
  // Like a process that does not read: its window has room for so many bytes more. -1: no bound.
  void SetInputRoom(const std::string& id, int64_t bytes);

  class Rep;

 private:
  const std::unique_ptr<Rep> rep_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_FAKE_AGENT_H_
