// A Link without a server: it records what is asked, and the test answers.
//
//   link->open.AnswerAll([](const v1::OpenRequest&) { … });    from now on, at once
//   v1::SpawnRequest request = link->spawn.Await(1);           the first call; waits for it
//   link->spawn.Answer(response);                              the oldest that is unanswered
//   auto watch = link->AwaitWatch(1);                          the first stream; waits for it
//   watch->Tell(event); watch->Break(lost); watch->Mend();
//
// Ownership:     shared by the Host over it and the test.
// Thread-safety: thread-safe.
// Blocking:      what awaits a call, or what the library does, fails the test after a minute.
//                Callbacks run on one thread of this, one at a time, never inside a call.
// Errors:        none.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_LINK_H_
#define SHOAL_TESTS_SUPPORT_FAKE_LINK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "shoal/link/link.h"
#include "tests/support/callback_thread.h"
#include "tests/support/fake_input_stream.h"
#include "tests/support/fake_method.h"
#include "tests/support/fake_stream.h"

namespace shoal::testing {

class FakeLease : public Lease {
 public:
  FakeLease(std::shared_ptr<CallbackThread> thread, LeaseTerms terms)
      : thread_(std::move(thread)), terms_(std::move(terms)) {}

  void Drop() override;
  absl::Status status() const override;
  absl::Duration pause() const override { return absl::ZeroDuration(); }

  // It is over.
  void Lose(const absl::Status& reason);
  const LeaseTerms& terms() const { return terms_; }

 private:
  const std::shared_ptr<CallbackThread> thread_;
  const LeaseTerms terms_;
  mutable Mutex mu_;
  bool is_dropped_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

class FakeLink final : public Link {
  const std::shared_ptr<CallbackThread> thread_ = std::make_shared<CallbackThread>();

 public:
  using WatchStream = FakeStream<v1::WatchRequest, v1::WatchResponse>;
  using OutputStream = FakeStream<v1::ReadOutputRequest, v1::ReadOutputResponse>;
  using BlobStream = FakeStream<v1::ReadRequest, v1::ReadResponse>;

  // Sessions are opened and closed, signals and endings taken, at once, until the test says
  // otherwise; everything else waits for its answer.
  explicit FakeLink(const std::string& name);
  ~FakeLink() override;

  FakeMethod<v1::HostServiceGetRequest, v1::HostServiceGetResponse> get_facts{thread_};
  FakeMethod<v1::FindMissingLibrariesRequest, v1::FindMissingLibrariesResponse>
      find_missing_libraries{thread_};
  FakeMethod<v1::SpawnRequest, v1::SpawnResponse> spawn{thread_};
  FakeMethod<v1::SpawnBatchRequest, v1::SpawnBatchResponse> spawn_batch{thread_};
  FakeMethod<v1::GetRequest, v1::GetResponse> get{thread_};
  FakeMethod<v1::ListRequest, v1::ListResponse> list{thread_};
  FakeMethod<v1::WaitRequest, v1::WaitResponse> wait{thread_};
  FakeMethod<v1::SignalRequest, v1::SignalResponse> signal{thread_};
  FakeMethod<v1::TerminateRequest, v1::TerminateResponse> terminate{thread_};
  FakeMethod<v1::UpdateRequest, v1::UpdateResponse> update{thread_};
  FakeMethod<v1::DeleteRequest, v1::DeleteResponse> remove{thread_};
  FakeMethod<v1::AcknowledgeOutputRequest, v1::AcknowledgeOutputResponse> acknowledge{thread_};
  FakeMethod<v1::WriteInputRequest, v1::WriteInputResponse> write_input{thread_};
  // Messages of all streams of input: see FakeInputStream.
  FakeMethod<v1::StreamInputRequest, v1::StreamInputResponse> stream_input{thread_};
  FakeMethod<v1::ResizeTerminalRequest, v1::ResizeTerminalResponse> resize{thread_};
  FakeMethod<v1::OpenRequest, v1::OpenResponse> open{thread_};
  FakeMethod<v1::KeepAliveRequest, v1::KeepAliveResponse> keep_alive{thread_};
  FakeMethod<v1::TakeoverRequest, v1::TakeoverResponse> take_over{thread_};
  FakeMethod<v1::CloseRequest, v1::CloseResponse> close{thread_};
  FakeMethod<v1::SessionServiceListRequest, v1::SessionServiceListResponse> list_sessions{thread_};
  FakeMethod<v1::FindMissingRequest, v1::FindMissingResponse> find_missing{thread_};

  // The n-th that was started, from 1.
  std::shared_ptr<WatchStream> AwaitWatch(size_t nth) { return watches_.Await(nth); }
  std::shared_ptr<OutputStream> AwaitOutput(size_t nth) { return outputs_.Await(nth); }
  std::shared_ptr<BlobStream> AwaitBlob(size_t nth) { return blobs_.Await(nth); }
  std::vector<std::shared_ptr<FakeLease>> leases() const;
  // What its clock says, and how exactly that is known.
  void SetClock(ClockReading clock);
  // Every callback that was due has returned.
  void Settle() { thread_->Drain(); }

  const HostAddress& address() const override { return address_; }
  absl::Time AgentTime() const override;
  ClockReading ReadClock() const override;
  absl::Status WriteBlob(const BlobSource& source, int64_t begin, BootTime deadline) override;
  std::shared_ptr<Stream> Watch(v1::WatchRequest request, WatchHooks hooks,
                                absl::Duration patience) override;
  std::shared_ptr<Stream> ReadOutput(v1::ReadOutputRequest request, OutputHooks hooks,
                                     absl::Duration patience) override;
  std::shared_ptr<Stream> StreamInput(InputHooks hooks, absl::Duration patience) override;
  std::shared_ptr<Stream> ReadBlob(v1::ReadRequest request, BlobHooks hooks,
                                   absl::Duration patience) override;
  std::shared_ptr<Lease> KeepLease(LeaseTerms terms) override;
  void CancelAllAndWait() override;

#define SHOAL_FAKE_CALL(Name, member, Request, Response)                                         \
  void Name(v1::Request request, const CallOptions& options, Done<v1::Response> done) override { \
    (member).Call(std::move(request), options, std::move(done));                                 \
  }
  SHOAL_FAKE_CALL(GetFacts, get_facts, HostServiceGetRequest, HostServiceGetResponse)
  SHOAL_FAKE_CALL(FindMissingLibraries, find_missing_libraries, FindMissingLibrariesRequest,
                  FindMissingLibrariesResponse)
  SHOAL_FAKE_CALL(Spawn, spawn, SpawnRequest, SpawnResponse)
  SHOAL_FAKE_CALL(SpawnBatch, spawn_batch, SpawnBatchRequest, SpawnBatchResponse)
  SHOAL_FAKE_CALL(Get, get, GetRequest, GetResponse)
  SHOAL_FAKE_CALL(List, list, ListRequest, ListResponse)
  SHOAL_FAKE_CALL(Wait, wait, WaitRequest, WaitResponse)
  SHOAL_FAKE_CALL(Signal, signal, SignalRequest, SignalResponse)
  SHOAL_FAKE_CALL(Terminate, terminate, TerminateRequest, TerminateResponse)
  SHOAL_FAKE_CALL(Update, update, UpdateRequest, UpdateResponse)
  SHOAL_FAKE_CALL(Delete, remove, DeleteRequest, DeleteResponse)
  SHOAL_FAKE_CALL(AcknowledgeOutput, acknowledge, AcknowledgeOutputRequest,
                  AcknowledgeOutputResponse)
  SHOAL_FAKE_CALL(WriteInput, write_input, WriteInputRequest, WriteInputResponse)
  SHOAL_FAKE_CALL(ResizeTerminal, resize, ResizeTerminalRequest, ResizeTerminalResponse)
  SHOAL_FAKE_CALL(OpenSession, open, OpenRequest, OpenResponse)
  SHOAL_FAKE_CALL(KeepAlive, keep_alive, KeepAliveRequest, KeepAliveResponse)
  SHOAL_FAKE_CALL(TakeOverSession, take_over, TakeoverRequest, TakeoverResponse)
  SHOAL_FAKE_CALL(CloseSession, close, CloseRequest, CloseResponse)
  SHOAL_FAKE_CALL(ListSessions, list_sessions, SessionServiceListRequest,
                  SessionServiceListResponse)
  SHOAL_FAKE_CALL(FindMissingBlobs, find_missing, FindMissingRequest, FindMissingResponse)
#undef SHOAL_FAKE_CALL

 private:
  const HostAddress address_;
  StreamList<WatchStream> watches_;
  StreamList<OutputStream> outputs_;
  StreamList<BlobStream> blobs_;
  StreamList<FakeInputStream> inputs_;
  mutable Mutex mu_;
  std::vector<std::shared_ptr<FakeLease>> leases_ ABSL_GUARDED_BY(mu_);
  ClockReading clock_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_FAKE_LINK_H_
