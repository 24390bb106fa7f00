#include "shoal/wire/connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "shoal/wire/channel.h"

namespace shoal {
namespace {

grpc::Status Unresolved(absl::string_view reason) {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, std::string(reason));
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
      look_up_(std::move(look_up)),
      asker_(std::make_shared<Asker>()) {
  {
    MutexLock lock(&asker_->mu);
    asker_->connection = this;
  }
  if (is_name_) return;
  MutexLock lock(&mu_);
  current_ =
      (known_[{}] = std::make_unique<Stubs>(MakeChannel(address_, options_, address_.target())))
          .get();
}

Connection::~Connection() {
  MutexLock lock(&asker_->mu);
  asker_->connection = nullptr;
}

Stubs* Connection::stubs() const {
  MutexLock lock(&mu_);
  return current_;
}

grpc::Status Connection::Begin(int64_t* awaited) {
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
  if (!is_name_) return;
  {
    MutexLock lock(&mu_);
    // Without addresses the next attempt asks.
    if (current_ == nullptr || started_ > finished_) return;
    ++started_;
  }
  Start();
}

void Connection::Add(const std::shared_ptr<Mover>& mover) {
  MutexLock lock(&mu_);
  std::erase_if(movers_, [](const auto& known) { return known.expired(); });
  movers_.push_back(mover);
}

void Connection::ResetBackoff() {
  if (Stubs* current = stubs(); current != nullptr) {
    grpc::experimental::ChannelResetConnectionBackoff(current->channel.get());
  }
}

void Connection::Start() {
  look_up_(address_.host, [asker = asker_](absl::StatusOr<Addresses> found) {
    Move move;
    {
      MutexLock lock(&asker->mu);
      if (asker->connection == nullptr) return;
      move = asker->connection->Finish(std::move(found));
    }
    // May wait for a callback of the user that ends the Host.
    for (const std::shared_ptr<Mover>& mover : move.movers) mover->MoveTo(move.channel);
  });
}

Connection::Move Connection::Finish(absl::StatusOr<Addresses> found) {
  Move move;
  {
    MutexLock lock(&mu_);
    finished_ = started_;
    failure_ = found.ok() ? grpc::Status::OK : Unresolved(found.status().message());
    if (found.ok()) {
      Addresses key = *found;
      std::sort(key.begin(), key.end());
      std::unique_ptr<Stubs>& stubs = known_[std::move(key)];
      if (stubs == nullptr) {
        stubs = std::make_unique<Stubs>(
            MakeChannel(address_, options_, TargetOf(*found, address_.port)));
      }
      if (current_ != nullptr && current_ != stubs.get()) {
        move.channel = stubs->channel;
        for (const auto& known : movers_) {
          if (std::shared_ptr<Mover> mover = known.lock()) move.movers.push_back(std::move(mover));
        }
      }
      current_ = stubs.get();
    }
  }
  wake_();
  return move;
}

}  // namespace shoal
