#include "shoal/wire/connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/certificate.h"
#include "shoal/wire/channel.h"
#include "shoal/wire/tls_trouble.h"

namespace shoal {
namespace {

grpc::Status Unresolved(absl::string_view reason) {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, std::string(reason));
}

// How often the files are looked at, at most, when a connection is to be made that no failure asks for.
constexpr absl::Duration kLookInterval = absl::Seconds(1);

// For what has no name: apart from look-ups, of which those of a dead DNS hang.
void LookUpNothing(const std::string& host,
                   absl::AnyInvocable<void(absl::StatusOr<Addresses>) &&> done) {
  static auto* const kQueue = new auto(std::make_shared<LookUpQueue>(
      kMostLookUps, [](const std::string&) -> absl::StatusOr<Addresses> { return Addresses{}; }));
  (*kQueue)->Add(host, std::move(done));
}

// For a call that has waited for as long as it may.
grpc::Status TooLate() { return Unresolved("the name was not resolved in time"); }

}  // namespace

Connection::Connection(const HostAddress& address, const HostOptions& options,
                       std::function<void()> wake, LookUp look_up)
    : address_(address),
      options_(options),
      patience_(options.connect_timeout),
      is_name_(absl::StartsWith(address.target(), "dns:")),
      wake_(std::move(wake)),
      look_up_(is_name_ ? std::move(look_up) : LookUpNothing),
      identity_(std::make_shared<ClientIdentity>(options.credentials)),
      asker_(std::make_shared<Asker>()) {
  {
    MutexLock lock(&asker_->mu);
    asker_->connection = this;
  }
  if (is_name_) return;
  MutexLock lock(&mu_);
  Use({}, address_.target());
}

Connection::~Connection() {
  MutexLock lock(&asker_->mu);
  asker_->connection = nullptr;
}

std::shared_ptr<Stubs> Connection::stubs() const {
  MutexLock lock(&mu_);
  return current_;
}

grpc::Status Connection::Begin(int64_t* awaited) {
  bool is_look_wanted = false;
  {
    MutexLock lock(&mu_);
    is_look_wanted = current_ != nullptr && IsLookWorthwhile();
  }
  if (is_look_wanted) Renew();
  {
    MutexLock lock(&mu_);
    if (current_ != nullptr) return grpc::Status::OK;
    if (*awaited > 0 && finished_ >= *awaited) return failure_;
    if (*awaited > 0) return TooLate();
    const bool is_under_way = started_ > finished_;
    *awaited = is_under_way ? started_ : ++started_;
    if (is_under_way) return TooLate();
  }
  Start();
  return TooLate();
}

bool Connection::HasFinished(int64_t number) const {
  MutexLock lock(&mu_);
  return finished_ >= number;
}

grpc::Status Connection::AwaitStubs(BootTime deadline) {
  int64_t awaited = 0;
  if (grpc::Status status = Begin(&awaited); status.ok()) return status;
  {
    MutexLock lock(&mu_);
    auto has_finished = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return finished_ >= awaited; };
    mu_.AwaitWithTimeout(has_finished, std::min(deadline - BootTime::Now(), patience_));
  }
  return Begin(&awaited);
}

void Connection::Renew() {
  if (!is_name_ && !identity_->is_of_files()) return;
  {
    MutexLock lock(&mu_);
    // Without addresses the next attempt asks.
    if (current_ == nullptr || started_ > finished_) return;
    ++started_;
    looked_ = BootTime::Now();
  }
  Start();
}

void Connection::Add(const std::shared_ptr<Mover>& mover) {
  MutexLock lock(&mu_);
  std::erase_if(movers_, [](const auto& known) { return known.expired(); });
  movers_.push_back(mover);
}

void Connection::ResetBackoff() {
  if (const std::shared_ptr<Stubs> current = stubs(); current != nullptr) {
    grpc::experimental::ChannelResetConnectionBackoff(current->channel.get());
  }
}

std::string Connection::TlsTrouble(const grpc::Status& status) const {
  return address_.is_unix() ? "" : TellTlsTrouble(status, identity_->current());
}

void Connection::Start() {
  look_up_(address_.host, [asker = asker_, identity = identity_](absl::StatusOr<Addresses> found) {
    Move move;
    {
      // Files are read with the mutex held, too: nothing waits for this thread at the end of the
      // program, which takes OpenSSL down under it.
      MutexLock lock(&asker->mu);
      if (asker->connection == nullptr) return;
      move = asker->connection->Finish(std::move(found), identity->Renew());
      move.unused.clear();
      FreeCryptoOfThread();  // this thread may end while the program takes libcrypto down
    }
    // May wait for a callback of the user that ends the Host.
    for (const std::shared_ptr<Mover>& mover : move.movers) mover->MoveTo(move.channel);
  });
}

bool Connection::IsLookWorthwhile() {
  return identity_->is_of_files() && started_ == finished_ &&
         BootTime::Now() - looked_ > kLookInterval &&
         current_->channel->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY;
}

void Connection::Use(Addresses key, const std::string& target) {
  std::shared_ptr<Stubs>& stubs = known_[key];
  if (stubs == nullptr) {
    stubs = std::make_shared<Stubs>(MakeChannel(address_, options_, identity_->current(), target));
  }
  current_ = stubs;
  current_key_ = std::move(key);
  current_target_ = target;
}

std::vector<std::shared_ptr<Stubs>> Connection::TakeUnused() {
  std::vector<std::shared_ptr<Stubs>> unused;
  std::erase_if(retired_, [&](std::shared_ptr<Stubs>& stubs) {
    const bool is_unused = stubs.use_count() == 1 && stubs->IsIdle();
    if (is_unused) unused.push_back(std::move(stubs));
    return is_unused;
  });
  return unused;
}

Connection::Move Connection::Finish(absl::StatusOr<Addresses> found, bool is_renewed) {
  Move move;
  {
    MutexLock lock(&mu_);
    finished_ = started_;
    failure_ = found.ok() ? grpc::Status::OK : Unresolved(found.status().message());
    const std::shared_ptr<Stubs> before = std::exchange(current_, nullptr);
    if (is_renewed) {
      for (auto& [key, stubs] : known_) retired_.push_back(std::move(stubs));
      known_.clear();
    }
    if (found.ok() && is_name_) {
      Addresses key = *found;
      std::sort(key.begin(), key.end());
      Use(std::move(key), TargetOf(*found, address_.port));
    } else if (before != nullptr) {
      Use(current_key_, current_target_);
    }
    if (before != nullptr && current_ != before) {
      move.channel = current_->channel;
      for (const auto& known : movers_) {
        if (std::shared_ptr<Mover> mover = known.lock()) move.movers.push_back(std::move(mover));
      }
    }
  }
  {
    MutexLock lock(&mu_);
    move.unused = TakeUnused();
  }
  wake_();
  return move;
}

}  // namespace shoal
