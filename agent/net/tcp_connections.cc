#include "agent/net/tcp_connections.h"

#include <sys/socket.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxHolds = 4096;
constexpr size_t kMaxEvents = 64;
constexpr double kPart = 8;  // of the calls of an address, for which a connection is ended
// An address that has behaved for so long begins anew.
constexpr absl::Duration kForgiven = absl::Minutes(10);

}  // namespace

TcpLimits TcpLimitsFor(size_t descriptors) {
  TcpLimits limits;
  limits.connections = std::clamp<size_t>(descriptors / 8, 16, limits.connections);
  limits.doors = std::min(limits.doors, limits.connections / 2);
  return limits;
}

TcpConnections::TcpConnections(TcpLimits limits) : limits_(limits), doors_(limits.doors, 0) {}

std::optional<TcpConnections::Admission> TcpConnections::Add(const std::string& address,
                                                             UniqueFd duplicate, BootTime now) {
  MutexLock lock(&mu_);
  if (IsHeld(address, now) || !HasRoom(address)) return std::nullopt;
  const std::optional<size_t> free = FreeDoor();
  const size_t door = free.has_value() ? *free : ClearDoor();
  const Id id = ++last_id_;
  Connection& connection = connections_[id];
  connection.address = address;
  connection.socket = std::move(duplicate);
  connection.accepted = now;
  connection.door = door;
  doors_[door] = id;
  return Admission{id, door};
}

std::optional<TcpConnections::Id> TcpConnections::AddPlain(const std::string& address,
                                                           const Caller& caller, UniqueFd duplicate,
                                                           BootTime now) {
  MutexLock lock(&mu_);
  if (IsHeld(address, now) || !HasRoom(address)) return std::nullopt;
  Connection connection;
  if (!CountFor(&connection, caller.name)) {
    Note(address, absl::StrCat("refused: ", caller.name, " has ", limits_.per_identity,
                               " connections already"));
    return std::nullopt;
  }
  connection.address = address;
  connection.socket = std::move(duplicate);
  connection.accepted = now;
  connection.holder = std::make_shared<const Holder>(Holder{caller, absl::OkStatus(), {}});
  const Id id = ++last_id_;
  connections_.emplace(id, std::move(connection));
  return id;
}

void TcpConnections::Remove(Id id) {
  MutexLock lock(&mu_);
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  if (connection.door.has_value()) {
    Note(connection.address, "closed before a first call: no handshake, or none that was accepted");
  }
  LeaveDoor(&connection);
  if (connection.is_counted) {
    const auto identity = per_identity_.find(connection.holder->caller.name);
    if (--identity->second == 0) per_identity_.erase(identity);
  }
  connections_.erase(found);
}

void TcpConnections::Forget() {
  MutexLock lock(&mu_);
  connections_.clear();
  per_identity_.clear();
  std::fill(doors_.begin(), doors_.end(), Id{0});
}

TcpConnections::Id TcpConnections::FirstCall(size_t door, Holder holder, BootTime expiry,
                                             BootTime now) {
  MutexLock lock(&mu_);
  const auto found = connections_.find(doors_[door]);
  if (found == connections_.end() || found->second.is_ended) return 0;
  Connection& connection = found->second;
  connection.expiry = expiry;
  if (!CountFor(&connection, holder.caller.name)) {
    holder.refusal = absl::ResourceExhaustedError(
        absl::StrCat("it has ", limits_.per_identity, " connections to this agent already"));
    connection.expiry = std::min(expiry, now + limits_.first_call);
  }
  LeaveDoor(&connection);
  holder.caller.tcp_connection = found->first;
  holder.caller.connection = connection.address;
  connection.holder = std::make_shared<const Holder>(std::move(holder));
  return found->first;
}

std::shared_ptr<const Holder> TcpConnections::Find(Id id) const {
  MutexLock lock(&mu_);
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.holder;
}

void TcpConnections::CountMiss(Id id, BootTime now) {
  MutexLock lock(&mu_);
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  const double own = Fill(&connection.misses, now);
  const double of_address = Fill(&misses_[connection.address], now);
  if (of_address <= limits_.misses || own <= limits_.misses / kPart || connection.is_ended) return;
  End(&connection, "too many calls that were reset or refused");
  HoldBack(connection.address, now);
}

void TcpConnections::CountServed(Id id) {
  MutexLock lock(&mu_);
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  for (Bucket* bucket : {&found->second.misses, &misses_[found->second.address]}) {
    bucket->level = std::max(0.0, bucket->level - 1);
  }
}

BootTime TcpConnections::EndOverdue(BootTime now) {
  MutexLock lock(&mu_);
  BootTime next = BootTime::InfiniteFuture();
  const double full_seconds = limits_.misses / limits_.misses_per_second;
  absl::erase_if(misses_, [now, full_seconds](const auto& one) {
    return absl::ToDoubleSeconds(now - one.second.time) > full_seconds;
  });
  for (auto& [id, connection] : connections_) {
    if (connection.is_ended) continue;
    const BootTime due =
        connection.door.has_value() ? connection.accepted + limits_.first_call : connection.expiry;
    if (due > now) {
      next = std::min(next, due);
    } else if (connection.door.has_value()) {
      End(&connection, absl::StrCat("no call within ", absl::FormatDuration(limits_.first_call)));
    } else {
      End(&connection, connection.is_counted ? "the certificate of its client has expired"
                                             : "its identity has too many");
    }
  }
  return next;
}

void TcpConnections::EndRevoked(
    const std::function<bool(const std::vector<Certificate>&)>& is_revoked) {
  MutexLock lock(&mu_);
  for (auto& [id, connection] : connections_) {
    if (connection.is_ended || connection.holder == nullptr) continue;
    if (connection.holder->chain.empty() || !is_revoked(connection.holder->chain)) continue;
    End(&connection, "the certificate of its client was revoked");
  }
}

std::vector<TcpEvent> TcpConnections::TakeEvents() {
  MutexLock lock(&mu_);
  std::vector<TcpEvent> events;
  for (const auto& [key, count] : events_) events.push_back({key.first, key.second, count});
  events_.clear();
  return events;
}

size_t TcpConnections::count() const {
  MutexLock lock(&mu_);
  return connections_.size();
}

size_t TcpConnections::half_open() const {
  MutexLock lock(&mu_);
  return static_cast<size_t>(
      std::count_if(doors_.begin(), doors_.end(), [](Id id) { return id != 0; }));
}

double TcpConnections::Fill(Bucket* bucket, BootTime now) const {
  const double leaked = absl::ToDoubleSeconds(now - bucket->time) * limits_.misses_per_second;
  bucket->level = std::max(0.0, bucket->level - leaked) + 1;
  bucket->time = now;
  return bucket->level;
}

bool TcpConnections::IsHeld(const std::string& address, BootTime now) {
  const auto found = holds_.find(address);
  if (found == holds_.end() || now >= found->second.until) return false;
  Note(address, "refused: its address is held back");
  return true;
}

bool TcpConnections::HasRoom(const std::string& address) {
  if (connections_.size() < limits_.connections) return true;
  Note(address, absl::StrCat("refused: there are ", limits_.connections, " connections already"));
  return false;
}

std::optional<size_t> TcpConnections::FreeDoor() {
  const auto free = std::find(doors_.begin(), doors_.end(), Id{0});
  if (free == doors_.end()) return std::nullopt;
  return static_cast<size_t>(free - doors_.begin());
}

size_t TcpConnections::ClearDoor() {
  absl::flat_hash_map<absl::string_view, int> per_address;
  for (Id id : doors_) ++per_address[connections_.at(id).address];
  const Connection* worst = nullptr;
  for (Id id : doors_) {
    const Connection& one = connections_.at(id);
    if (worst == nullptr || per_address[one.address] > per_address[worst->address] ||
        (per_address[one.address] == per_address[worst->address] &&
         one.accepted < worst->accepted)) {
      worst = &one;
    }
  }
  const size_t door = *worst->door;
  End(&connections_.at(doors_[door]),
      absl::StrCat("a newer one needed room: ", limits_.doors, " without a call"));
  return door;
}

void TcpConnections::LeaveDoor(Connection* connection) {
  if (!connection->door.has_value()) return;
  doors_[*connection->door] = 0;
  connection->door.reset();
}

void TcpConnections::End(Connection* connection, absl::string_view why) {
  connection->is_ended = true;
  LeaveDoor(connection);
  shutdown(connection->socket.get(), SHUT_RDWR);
  Note(connection->address, absl::StrCat("ended: ", why));
}

void TcpConnections::HoldBack(const std::string& address, BootTime now) {
  if (holds_.size() >= kMaxHolds) {
    absl::erase_if(holds_, [now](const auto& one) { return one.second.until < now; });
    if (holds_.size() >= kMaxHolds) holds_.clear();
  }
  Hold& hold = holds_[address];
  const bool is_first = hold.span == absl::ZeroDuration() || now - hold.until > kForgiven;
  hold.span = is_first ? limits_.first_hold : std::min(2 * hold.span, limits_.longest_hold);
  hold.until = now + hold.span;
}

void TcpConnections::Note(const std::string& address, absl::string_view what) {
  std::pair<std::string, std::string> key(address, what);
  if (events_.size() >= kMaxEvents && !events_.contains(key)) key = {"others", "ended or refused"};
  ++events_[std::move(key)];
}

bool TcpConnections::CountFor(Connection* connection, const std::string& identity) {
  size_t& count = per_identity_[identity];
  if (count >= limits_.per_identity) return false;
  ++count;
  connection->is_counted = true;
  return true;
}

}  // namespace shoal::agent
