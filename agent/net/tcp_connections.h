// The book of TCP connections: which may stay, whose they are, and which are ended.
//
//  1. Add        a connection was accepted. It gets a door, by which it goes to gRPC, and is half-open
//                until its first call. One door has one half-open connection: so the gate behind it
//                knows whose first call it sees, though gRPC shows it no address.
//  2. FirstCall  the door is free again; the connection has a holder, served or refused, and counts
//                against that identity's limit.
//  3. CountMiss, CountServed
//                calls that came to nothing (reset, refused) fill a bucket of their address, which leaks.
//                When it runs over, each connection that has done its part of it is ended, and no other
//                one of that address is accepted for a while that doubles each time.
//  4. EndOverdue half-open for too long, older than its certificate allows: ended.
//  5. Remove     the connection has closed.
//
// When all doors are taken, the oldest half-open connection of the address that has most is ended for
// the new one: accepting never waits, and one address cannot keep another out.
//
// Ownership:     owns a duplicate of each socket; shutdown(2) on it ends the connection at once,
//                whatever gRPC does.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none returned; Holder::refusal says why calls are refused.
#ifndef SHOAL_AGENT_NET_TCP_CONNECTIONS_H_
#define SHOAL_AGENT_NET_TCP_CONNECTIONS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/core/caller.h"
#include "common/boot_time.h"
#include "common/certificate.h"
#include "common/mutex.h"
#include "common/unique_fd.h"

namespace shoal::agent {

struct TcpLimits {
  size_t doors = 64;  // half-open connections
  size_t connections = 4096;
  size_t per_identity = 256;
  absl::Duration first_call = absl::Seconds(5);
  double misses = 2000;  // at once, of one address
  double misses_per_second = 200;
  absl::Duration first_hold = absl::Seconds(1);
  absl::Duration longest_hold = absl::Minutes(1);
};

// Each connection takes two descriptors; all of them a quarter of those that this program may have.
TcpLimits TcpLimitsFor(size_t descriptors);

// The client of a connection, and why it is not served; OK if it is.
struct Holder {
  Caller caller;
  absl::Status refusal;
  std::vector<Certificate> chain;  // of its certificate
};

// What the book did on its own, for the log: "ended 120 connections of 10.0.0.7: no call within 5s".
struct TcpEvent {
  std::string address;
  std::string what;
  int count = 0;
};

class TcpConnections {
 public:
  using Id = uint64_t;  // 0: none
  struct Admission {
    Id id = 0;
    size_t door = 0;
  };

  explicit TcpConnections(TcpLimits limits);

  const TcpLimits& limits() const { return limits_; }

  // `address` without port. Without a value the connection is to be closed: its address is held
  // back, or there are too many.
  std::optional<Admission> Add(const std::string& address, UniqueFd duplicate, BootTime now);
  // In plain text: needs no door, and `caller` is known.
  std::optional<Id> AddPlain(const std::string& address, const Caller& caller, UniqueFd duplicate,
                             BootTime now);
  void Remove(Id id);
  // All of them, without ending any.
  void Forget();

  // The first call of the connection that came by `door`. `expiry`: of the certificate. With a refusal of
  // RESOURCE_EXHAUSTED in place of its own if that identity has too many connections. 0: the connection is
  // being ended.
  Id FirstCall(size_t door, Holder holder, BootTime expiry, BootTime now);
  // Null: the connection has ended.
  std::shared_ptr<const Holder> Find(Id id) const;

  // A call has begun. Until CountServed() it is one that came to nothing.
  void CountCall(Id id, BootTime now) { CountMiss(id, now); }
  void CountMiss(Id id, BootTime now);
  void CountServed(Id id);

  // The time of the next that may be due.
  BootTime EndOverdue(BootTime now);
  // Ends every connection whose certificate is in `is_revoked`.
  void EndRevoked(const std::function<bool(const std::vector<Certificate>&)>& is_revoked);

  // Since the last call.
  std::vector<TcpEvent> TakeEvents();

  size_t count() const;
  size_t half_open() const;

 private:
  struct Bucket {
    double level = 0;
    BootTime time;
  };
  struct Connection {
    std::string address;
    UniqueFd socket;
    BootTime accepted;
    std::optional<size_t> door;  // while it is half-open
    bool is_ended = false;
    std::shared_ptr<const Holder> holder;
    bool is_counted = false;  // against the limit of its identity
    BootTime expiry = BootTime::InfiniteFuture();
    Bucket misses;
  };
  struct Hold {
    BootTime until;
    absl::Duration span;
  };

  double Fill(Bucket* bucket, BootTime now) const;
  bool IsHeld(const std::string& address, BootTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoom(const std::string& address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<size_t> FreeDoor() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // REQUIRES: all doors are taken.
  size_t ClearDoor() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveDoor(Connection* connection) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void End(Connection* connection, absl::string_view why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HoldBack(const std::string& address, BootTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Note(const std::string& address, absl::string_view what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // False: that identity has too many.
  bool CountFor(Connection* connection, const std::string& identity)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const TcpLimits limits_;

  mutable Mutex mu_;
  Id last_id_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<Id, Connection> connections_ ABSL_GUARDED_BY(mu_);
  std::vector<Id> doors_ ABSL_GUARDED_BY(mu_);  // 0: free
  absl::flat_hash_map<std::string, size_t> per_identity_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Bucket> misses_ ABSL_GUARDED_BY(mu_);  // by address
  absl::flat_hash_map<std::string, Hold> holds_ ABSL_GUARDED_BY(mu_);
  std::map<std::pair<std::string, std::string>, int> events_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_NET_TCP_CONNECTIONS_H_
