// By what a Host reaches its agent: a channel and its stubs; of a host that is a name, one for each
// set of addresses that it was found to have. All show the certificate that the files hold: when that
// is renewed, they are made anew.
//
//   1. the first attempt of a call asks for stubs; the name is looked up, and the call waits   Begin
//   2. the answer comes: a channel to these addresses, or why there are none; calls go on      Finish
//   3. after a broken connection it is looked up anew, while attempts go on with the addresses that
//      are known; if there are others now, attempts go there, and leases move                   Renew
//   4. so it is where the certificate was renewed, which is looked at with the name; for a host
//      that is an address, too, and before each new connection                                  Begin
//   5. what was left so is let go once no call has it                                      TakeUnused
//
// The name stays authority and TLS name of each channel: certificates are checked against what the
// user wrote. A host that is given as an address, or behind a Unix socket, has one channel at a time.
//
// Ownership:     its GrpcLink, of which it is the last member: nothing is told once it is
//                destroyed, and its channels are never destroyed on a thread of gRPC.
// Thread-safety: thread-safe.
// Blocking:      never blocks, but for AwaitStubs() and the destructor, which waits for Finish() and the
//                files that are being read.
//                Files are looked at on the thread of a look-up.
// Errors:        UNAVAILABLE, which say that the name is the trouble.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_CONNECTION_H_
#define SHOAL_CLIENT_SHOAL_WIRE_CONNECTION_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/boot_time.h"
#include "common/mutex.h"
#include "shoal/host.h"
#include "shoal/link/name_lookup.h"
#include "shoal/v1/blob_service.grpc.pb.h"
#include "shoal/v1/host_service.grpc.pb.h"
#include "shoal/v1/process_service.grpc.pb.h"
#include "shoal/v1/session_service.grpc.pb.h"
#include "shoal/wire/client_identity.h"

namespace shoal {

struct Stubs {
  explicit Stubs(std::shared_ptr<grpc::Channel> to)
      : channel(std::move(to)),
        hosts(channel),
        processes(channel),
        sessions(channel),
        blobs(channel) {}

  const std::shared_ptr<grpc::Channel> channel;
  v1::HostService::Stub hosts;
  v1::ProcessService::Stub processes;
  v1::SessionService::Stub sessions;
  v1::BlobService::Stub blobs;
  // No call has the channel.
  bool IsIdle() const { return channel.use_count() == own_references_; }

 private:
  const long own_references_ = channel.use_count();  // last: that of each stub is among them
};

// Goes where the host is found.
class Mover {
 public:
  virtual ~Mover() = default;
  // Not on a thread of gRPC.
  virtual void MoveTo(const std::shared_ptr<grpc::Channel>& channel) = 0;
};

class Connection {
 public:
  using LookUp = std::function<void(const std::string& name,
                                    absl::AnyInvocable<void(absl::StatusOr<Addresses>) &&> done)>;

  // `wake` is called when a look-up is over: HasFinished() is true for who waits.
  Connection(const HostAddress& address, const HostOptions& options, std::function<void()> wake,
             LookUp look_up = LookUpName);
  ~Connection();

  // Those of the last addresses. REQUIRES: Begin() or AwaitStubs() was OK. To be held only until the
  // call has begun, which then holds the channel.
  std::shared_ptr<Stubs> stubs() const;
  // OK: there are stubs. Else, if `*awaited` is 0, a look-up is under way, whose number it is now;
  // or why the one of `*awaited` has found nothing, that it takes too long, if it is not over.
  grpc::Status Begin(int64_t* awaited);
  bool HasFinished(int64_t number) const;
  // Until `deadline` at most.
  grpc::Status AwaitStubs(BootTime deadline);
  // The agent was not reached.
  void Renew();
  // Why it may be: see ClientIdentity::Expiry().
  std::string Expiry(absl::Time now) const { return identity_->Expiry(now); }
  // Why certificates kept it from being made; empty where they did not.
  std::string TlsTrouble(const grpc::Status& status) const;
  // How long a call waits for a look-up.
  absl::Duration patience() const { return patience_; }

  // Told of each other channel from now on, as long as it lives.
  void Add(const std::shared_ptr<Mover>& mover);
  void ResetBackoff();

 private:
  // Shared with the look-up under way, which may outlive this.
  struct Asker {
    Mutex mu;
    Connection* connection ABSL_GUARDED_BY(mu);
  };
  struct Move {
    std::shared_ptr<grpc::Channel> channel;
    std::vector<std::shared_ptr<Mover>> movers;
    std::vector<std::shared_ptr<Stubs>> unused;  // destroyed with this, on no thread of gRPC
  };

  void Start();
  Move Finish(absl::StatusOr<Addresses> found, bool is_renewed);
  void Use(Addresses key, const std::string& target) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<std::shared_ptr<Stubs>> TakeUnused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The next call makes a connection, and the files were not looked at a moment ago.
  bool IsLookWorthwhile() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Constant after construction.
  const HostAddress address_;
  const HostOptions options_;
  const absl::Duration patience_;
  const bool is_name_;
  const std::function<void()> wake_;
  const LookUp look_up_;
  const std::shared_ptr<ClientIdentity> identity_;
  const std::shared_ptr<Asker> asker_;

  mutable Mutex mu_;
  // By addresses in the order of their bytes: that in which they are told may change each time.
  std::map<Addresses, std::shared_ptr<Stubs>> known_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Stubs> current_ ABSL_GUARDED_BY(mu_);
  Addresses current_key_ ABSL_GUARDED_BY(mu_);
  std::string current_target_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Stubs>> retired_ ABSL_GUARDED_BY(mu_);  // show an older certificate
  BootTime looked_ ABSL_GUARDED_BY(mu_) = BootTime::Now();            // at the files
  int64_t started_ ABSL_GUARDED_BY(mu_) = 0;                          // look-ups
  int64_t finished_ ABSL_GUARDED_BY(mu_) = 0;  // of them; all but the last one
  grpc::Status failure_ ABSL_GUARDED_BY(mu_);  // of the last one that has finished
  std::vector<std::weak_ptr<Mover>> movers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_CONNECTION_H_
