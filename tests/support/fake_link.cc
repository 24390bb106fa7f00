#include "tests/support/fake_link.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace shoal::testing {
namespace {

template <typename Response, typename Request>
absl::StatusOr<Response> Plainly(const Request&) {
  return Response();
}

}  // namespace

void FakeLease::Drop() {
  MutexLock lock(&mu_);
  is_dropped_ = true;
}

absl::Status FakeLease::status() const {
  MutexLock lock(&mu_);
  return status_;
}

void FakeLease::Lose(const absl::Status& reason) {
  {
    MutexLock lock(&mu_);
    if (is_dropped_) return;
    status_ = reason;
  }
  thread_->Post([on_lost = terms_.on_lost, reason] {
    if (on_lost) on_lost(reason);
  });
}

FakeLink::FakeLink(const std::string& name) : address_{name, name, 0, ""} {
  open.AnswerAll([name](const v1::OpenRequest& request) {
    v1::OpenResponse response;
    response.mutable_session()->set_id(absl::StrCat("s-", name));
    response.mutable_session()->set_name(request.name());
    *response.mutable_session()->mutable_ttl() = request.ttl();
    response.set_token(absl::StrCat("t-", name));
    response.set_agent_id(absl::StrCat("agent-", name));
    response.set_boot_id(absl::StrCat("boot-", name));
    return response;
  });
  close.AnswerAll(Plainly<v1::CloseResponse, v1::CloseRequest>);
  signal.AnswerAll(Plainly<v1::SignalResponse, v1::SignalRequest>);
  terminate.AnswerAll(Plainly<v1::TerminateResponse, v1::TerminateRequest>);
  update.AnswerAll(Plainly<v1::UpdateResponse, v1::UpdateRequest>);
  acknowledge.AnswerAll(Plainly<v1::AcknowledgeOutputResponse, v1::AcknowledgeOutputRequest>);
}

FakeLink::~FakeLink() = default;

std::vector<std::shared_ptr<FakeLease>> FakeLink::leases() const {
  MutexLock lock(&mu_);
  return leases_;
}

void FakeLink::SetClock(ClockReading clock) {
  MutexLock lock(&mu_);
  clock_ = clock;
}

absl::Time FakeLink::AgentTime() const { return absl::Now(); }

ClockReading FakeLink::ReadClock() const {
  MutexLock lock(&mu_);
  return clock_;
}

absl::Status FakeLink::WriteBlob(const BlobSource&, int64_t, BootTime) {
  return absl::UnimplementedError("no blobs are kept here");
}

std::shared_ptr<Stream> FakeLink::Watch(v1::WatchRequest request, WatchHooks hooks,
                                        absl::Duration patience) {
  return watches_.Add(
      std::make_shared<WatchStream>(thread_, std::move(request), std::move(hooks), patience));
}

std::shared_ptr<Stream> FakeLink::ReadOutput(v1::ReadOutputRequest request, OutputHooks hooks,
                                             absl::Duration patience) {
  return outputs_.Add(
      std::make_shared<OutputStream>(thread_, std::move(request), std::move(hooks), patience));
}

std::shared_ptr<Stream> FakeLink::StreamInput(InputHooks hooks, absl::Duration) {
  return inputs_.Add(std::make_shared<FakeInputStream>(thread_, &stream_input, std::move(hooks)));
}

std::shared_ptr<Stream> FakeLink::ReadBlob(v1::ReadRequest request, BlobHooks hooks,
                                           absl::Duration patience) {
  return blobs_.Add(
      std::make_shared<BlobStream>(thread_, std::move(request), std::move(hooks), patience));
}

std::shared_ptr<Lease> FakeLink::KeepLease(LeaseTerms terms) {
  auto lease = std::make_shared<FakeLease>(thread_, std::move(terms));
  MutexLock lock(&mu_);
  leases_.push_back(lease);
  return lease;
}

void FakeLink::CancelAllAndWait() {
  auto close_all = [](auto&... methods) { (methods.Close(), ...); };
  close_all(get_facts, find_missing_libraries, spawn, spawn_batch, get, list, wait, signal,
            terminate, update, remove, acknowledge, write_input, stream_input, resize, open,
            keep_alive, take_over, close, list_sessions, find_missing);
  watches_.CancelAll();
  outputs_.CancelAll();
  blobs_.CancelAll();
  inputs_.CancelAll();
  // What a callback has begun is behind it.
  for (int i = 0; i < 3; ++i) thread_->Drain();
}

}  // namespace shoal::testing
