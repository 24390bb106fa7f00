#include "shoal/wire/lease_keeper.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/grpc_deadline.h"
#include "shoal/link/callback_scope.h"
#include "shoal/v1/session_service.grpc.pb.h"
#include "shoal/wire/wire_status.h"

namespace shoal {
namespace {

// How long the thread may be deaf to new leases while answers are outstanding; a third of the
// shortest TTL.
constexpr absl::Duration kSlice = absl::Milliseconds(300);
// From the last renewal that was answered: less is told of no host, which may only be busy.
constexpr absl::Duration kLeastSilence = absl::Seconds(5);

bool SaysNothing(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
         status.error_code() == grpc::StatusCode::CANCELLED ||
         status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
}

}  // namespace

struct LeaseKeeper::Entry {
  Entry(std::shared_ptr<grpc::Channel> through, HostAddress host_address, LeaseTerms lease_terms,
        std::function<void()> when_broken)
      : address(std::move(host_address)),
        terms(std::move(lease_terms)),
        on_broken(std::move(when_broken)),
        stub(v1::SessionService::NewStub(through)) {}

  const HostAddress address;
  const LeaseTerms terms;
  const std::function<void()> on_broken;
  const std::unique_ptr<v1::SessionService::Stub> stub;

  // Guarded by LeaseKeeper::mu_.
  BootTime renewed = BootTime::Now();
  BootTime due = BootTime::Now() + terms.ttl / 3;
  bool is_dropped = false;
  bool is_telling = false;  // a callback runs
  bool is_silent = false;   // as told
  absl::Status over;
  Call* call = nullptr;  // under way
};

struct LeaseKeeper::Call {
  std::shared_ptr<Entry> entry;
  BootTime start = BootTime::Now();
  grpc::ClientContext context;
  v1::KeepAliveResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::KeepAliveResponse>> reader;
};

std::shared_ptr<LeaseKeeper> LeaseKeeper::Get() {
  static Mutex* const kMu = new Mutex;
  static std::weak_ptr<LeaseKeeper>* const kCurrent = new std::weak_ptr<LeaseKeeper>;
  MutexLock lock(kMu);
  std::shared_ptr<LeaseKeeper> keeper = kCurrent->lock();
  if (keeper == nullptr) {
    keeper = std::shared_ptr<LeaseKeeper>(new LeaseKeeper);
    *kCurrent = keeper;
  }
  return keeper;
}

LeaseKeeper::LeaseKeeper() : thread_([this] { Loop(); }) {}

LeaseKeeper::~LeaseKeeper() {
  {
    MutexLock lock(&mu_);
    is_stopping_ = true;
  }
  thread_.join();
  overdue_->Drop(overdue_id_);
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

std::shared_ptr<LeaseKeeper::Entry> LeaseKeeper::Keep(std::shared_ptr<grpc::Channel> channel,
                                                      HostAddress address, LeaseTerms terms,
                                                      std::function<void()> on_broken) {
  auto entry = std::make_shared<Entry>(std::move(channel), std::move(address), std::move(terms),
                                       std::move(on_broken));
  MutexLock lock(&mu_);
  entries_.push_back(entry);
  return entry;
}

std::shared_ptr<LeaseKeeper::Entry> LeaseKeeper::KeepThrough(std::shared_ptr<grpc::Channel> channel,
                                                             const Entry& former) {
  auto entry =
      std::make_shared<Entry>(std::move(channel), former.address, former.terms, former.on_broken);
  MutexLock lock(&mu_);
  entry->renewed = former.renewed;
  entry->is_silent = former.is_silent;
  entry->due = BootTime::Now();
  entries_.push_back(entry);
  return entry;
}

void LeaseKeeper::Drop(const std::shared_ptr<Entry>& entry) {
  MutexLock lock(&mu_);
  entry->is_dropped = true;
  if (entry->call != nullptr) entry->call->context.TryCancel();
  entries_.erase(std::remove(entries_.begin(), entries_.end(), entry), entries_.end());
  if (std::this_thread::get_id() == thread_.get_id()) return;
  mu_.Await([&] { return !entry->is_telling; });
}

absl::Status LeaseKeeper::StatusOf(const Entry& entry) const {
  MutexLock lock(&mu_);
  if (!entry.over.ok()) return entry.over;
  absl::Duration silence = BootTime::Now() - entry.renewed;
  if (silence <= entry.terms.ttl) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("host \"", entry.address.name, "\" has not renewed the session for ",
                   absl::FormatDuration(absl::Trunc(silence, absl::Seconds(1)))));
}

// Sleeps without polling while no answer is outstanding: a second poller costs every other call a
// wake-up.
void LeaseKeeper::Loop() {
  while (true) {
    BootTime next;
    {
      MutexLock lock(&mu_);
      StartDue(BootTime::Now());
      next = NextDue();
      if (calls_ == 0) {
        if (is_stopping_) return;
        auto is_changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
          return is_stopping_ || NextDue() < next;
        };
        mu_.AwaitWithTimeout(is_changed, next - BootTime::Now());
        continue;
      }
    }
    next = std::min(next, BootTime::Now() + kSlice);
    void* tag = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok, GrpcDeadline(next)) == grpc::CompletionQueue::GOT_EVENT) {
      OnAnswer(std::unique_ptr<Call>(static_cast<Call*>(tag)));
    }
  }
}

BootTime LeaseKeeper::NextDue() const {
  BootTime next = BootTime::InfiniteFuture();
  for (const std::shared_ptr<Entry>& entry : entries_) {
    if (entry->call == nullptr && entry->over.ok()) next = std::min(next, entry->due);
  }
  return next;
}

void LeaseKeeper::StartDue(BootTime now) {
  if (is_stopping_) return;
  for (const std::shared_ptr<Entry>& entry : entries_) {
    if (entry->call == nullptr && entry->over.ok() && entry->due <= now) Start(entry);
  }
}

void LeaseKeeper::Start(const std::shared_ptr<Entry>& entry) {
  v1::KeepAliveRequest request;
  request.set_session_id(entry->terms.session_id);
  request.set_token(entry->terms.token);
  auto* call = new Call;
  call->entry = entry;
  call->context.set_deadline(GrpcDeadline(call->start + entry->terms.ttl / 3));
  entry->call = call;
  ++calls_;
  call->reader = entry->stub->AsyncKeepAlive(&call->context, request, &queue_);
  call->reader->Finish(&call->response, &call->status, call);
}

void LeaseKeeper::CancelOverdue(BootTime due_before) {
  MutexLock lock(&mu_);
  pulse_.Beat(BootTime::Now());
  for (const std::shared_ptr<Entry>& entry : entries_) {
    if (entry->call == nullptr) continue;
    if (entry->call->start + entry->terms.ttl / 3 < due_before) entry->call->context.TryCancel();
  }
}

absl::Duration LeaseKeeper::PauseOf(const Entry& entry) const {
  MutexLock lock(&mu_);
  return pulse_.PauseSince(entry.renewed, BootTime::Now());
}

std::function<void()> LeaseKeeper::NoteSilence(const Call& call) {
  const std::shared_ptr<Entry>& entry = call.entry;
  const BootTime now = BootTime::Now();
  const absl::Duration silence = now - entry->renewed;
  // A refusal is an answer.
  const bool is_answered = call.status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  const bool is_ours = pulse_.PauseSince(call.start, now) > absl::ZeroDuration();
  if (entry->is_silent || is_answered || is_ours || silence < kLeastSilence) return nullptr;
  if (!entry->terms.on_silence) return nullptr;
  entry->is_silent = true;
  return [entry, silence] { entry->terms.on_silence(silence); };
}

void LeaseKeeper::OnAnswer(std::unique_ptr<Call> call) {
  const std::shared_ptr<Entry>& entry = call->entry;
  std::function<void()> news;
  {
    MutexLock lock(&mu_);
    --calls_;
    entry->call = nullptr;
    absl::Duration third = entry->terms.ttl / 3;
    if (call->status.ok()) {
      // From when it was asked: the agent counts from some moment after that.
      entry->renewed = call->start;
      entry->due = call->start + third;
      if (!std::exchange(entry->is_silent, false) || entry->is_dropped) return;
      news = [&entry] { entry->terms.on_silence(absl::ZeroDuration()); };
    } else if (SaysNothing(call->status)) {
      entry->due = BootTime::Now() + std::min(third / 3, absl::Seconds(1));
      if (entry->is_dropped) return;
      if (call->status.error_code() == grpc::StatusCode::UNAVAILABLE) {
        news = entry->on_broken;
      } else {
        news = NoteSilence(*call);
      }
    } else {
      if (entry->is_dropped) return;
      const absl::Status over = FromWire(entry->address, call->status);
      const absl::Duration pause = pulse_.PauseSince(entry->renewed, BootTime::Now());
      entry->over = absl::Status(over.code(), absl::StrCat(over.message(), TellPause(pause)));
      over.ForEachPayload([&entry](absl::string_view type, const absl::Cord& reason) {
        entry->over.SetPayload(type, reason);
      });
      if (entry->terms.on_lost) news = [&entry] { entry->terms.on_lost(entry->over); };
    }
    if (!news) return;
    entry->is_telling = true;
  }
  {
    CallbackScope scope;
    news();
  }
  MutexLock lock(&mu_);
  entry->is_telling = false;
}

}  // namespace shoal
