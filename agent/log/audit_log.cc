#include "agent/log/audit_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace shoal::agent {
namespace {

constexpr absl::Duration kRetry = absl::Seconds(1);
// A write that takes longer is said to hang.
constexpr absl::Duration kPatience = absl::Seconds(5);
constexpr absl::Duration kLastPatience = absl::Seconds(1);
constexpr size_t kLineBytes = 4096;  // of the longest lines, about
constexpr char kOthers[] = "(others)";

// Lines that are alike in this are one with a count.
std::string KeyOf(const AuditEntry& entry) {
  return absl::StrCat(entry.event, "\n", entry.kind, "\n", entry.caller, "\n", entry.serial, "\n",
                      entry.pid, "\n", entry.address, "\n", entry.method, "\n", entry.decision,
                      "\n", entry.result);
}

}  // namespace

AuditLog::AuditLog(AuditOptions options, std::unique_ptr<AuditSink> sink, OnTrouble on_trouble)
    : options_(options),
      sink_(std::move(sink)),
      on_trouble_(std::move(on_trouble)),
      thread_([this] { Main(); }) {}

AuditLog::~AuditLog() {
  Flush(kLastPatience);
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  Wake();
  thread_.join();
}

void AuditLog::Wake() {
  MutexLock lock(&wake_mu_);
  awake_ = true;
}

bool AuditLog::HasRoomFor(const std::string& line) const {
  return bytes_ + line.size() <= options_.queue_bytes;
}

void AuditLog::Push(std::string line, Written written) {
  bytes_ += line.size();
  queue_.push_back({std::move(line), std::move(written)});
}

void AuditLog::Write(AuditEntry entry) { WriteLine(std::move(entry), nullptr); }

void AuditLog::WriteThen(AuditEntry entry, Written written) {
  WriteLine(std::move(entry), std::move(written));
}

void AuditLog::WriteLine(AuditEntry entry, Written written) {
  const absl::Time now = absl::Now();
  std::string line = ToLine(entry, now, now, 1);
  Written refused;  // is told so without the mutex
  bool is_first = false;
  {
    MutexLock lock(&mu_);
    if (HasRoomFor(line)) {
      is_first = queue_.empty();
      Push(std::move(line), std::move(written));
    } else if (written) {
      refused = std::move(written);
    } else {
      ++lost_[entry.method];
    }
  }
  if (is_first) Wake();
  if (refused) {
    refused(
        absl::UnavailableError(absl::StrCat("the queue of the audit log ", name(), " is full")));
  }
}

void AuditLog::Merge(AuditEntry entry, int64_t times) {
  const absl::Time now = absl::Now();
  std::string key = KeyOf(entry);
  {
    MutexLock lock(&mu_);
    auto found = merged_.find(key);
    if (found == merged_.end() && merged_.size() >= options_.max_merged) {
      AuditEntry others;
      others.event = entry.event;
      others.caller = kOthers;
      others.method = entry.method;
      others.decision = entry.decision;
      entry = std::move(others);
      key = KeyOf(entry);
      found = merged_.find(key);
    }
    if (found != merged_.end()) {
      Merged& merged = found->second;
      if (merged.count == 0) merged.first = now;
      merged.count += times;
      merged.last = now;
      merged.entry = std::move(entry);
      return;
    }
    const BootTime due = BootTime::Now() + options_.window;
    std::string line = ToLine(entry, now, now, times);
    const bool has_room = HasRoomFor(line);
    if (has_room) Push(std::move(line), nullptr);
    merged_.emplace(std::move(key),
                    Merged{std::move(entry), now, now, /*count=*/has_room ? 0 : times, due});
    next_due_ = std::min(next_due_, due);
  }
  Wake();
}

void AuditLog::ConnectionsEnded(absl::string_view address, absl::string_view reason, int count) {
  AuditEntry entry;
  entry.event = "connection";
  entry.address = std::string(address);
  entry.decision = "refused";
  entry.reason = std::string(reason);
  Merge(std::move(entry), count);
}

absl::Status AuditLog::StatusLocked() const {
  if (!failure_.ok()) return failure_;
  const absl::Duration age = BootTime::Now() - write_began_;
  if (age > kPatience) {
    return absl::UnavailableError(absl::StrCat("a write has not returned for ",
                                               absl::FormatDuration(absl::Trunc(age, kRetry))));
  }
  if (bytes_ + kLineBytes > options_.queue_bytes)
    return absl::UnavailableError("its queue is full");
  return absl::OkStatus();
}

absl::Status AuditLog::status() const {
  MutexLock lock(&mu_);
  absl::Status status = StatusLocked();
  if (status.ok()) return status;
  return absl::UnavailableError(
      absl::StrCat("the audit log ", name(), " cannot be written: ", status.message()));
}

std::string AuditLog::trouble() const {
  MutexLock lock(&mu_);
  return trouble_;
}

bool AuditLog::Flush(absl::Duration timeout) {
  {
    MutexLock lock(&mu_);
    for (auto& [key, merged] : merged_) merged.due = BootTime();
    next_due_ = BootTime();
  }
  Wake();
  MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(
      [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return queue_.empty() && held_ == 0 && lost_.empty() && next_due_ > BootTime();
      },
      timeout);
}

void AuditLog::PushDue(BootTime now) {
  if (next_due_ > now) return;
  next_due_ = BootTime::InfiniteFuture();
  for (auto it = merged_.begin(); it != merged_.end();) {
    Merged& merged = it->second;
    if (merged.due <= now) {
      // Nothing in a whole window: the next one is written at once again.
      if (merged.count == 0) {
        merged_.erase(it++);
        continue;
      }
      std::string line = ToLine(merged.entry, merged.first, merged.last, merged.count);
      merged.due = now + options_.window;
      if (HasRoomFor(line)) {
        Push(std::move(line), nullptr);
        merged.count = 0;
      }
    }
    next_due_ = std::min(next_due_, merged.due);
    ++it;
  }
}

void AuditLog::PushLost() {
  const absl::Time now = absl::Now();
  for (const auto& [method, count] : lost_) {
    AuditEntry entry;
    entry.event = "unwritten";
    entry.method = method;
    entry.reason = "there was no room for these lines";
    Push(ToLine(entry, now, now, count), nullptr);
  }
  lost_.clear();
}

// So that there is something to try with.
void AuditLog::PushResumed() {
  const absl::Time now = absl::Now();
  AuditEntry entry;
  entry.event = "resumed";
  entry.reason = std::string(failure_.message());
  Push(ToLine(entry, now, now, 1), nullptr);
}

void AuditLog::Await() {
  absl::Duration wait;
  {
    MutexLock lock(&mu_);
    wait = !failure_.ok()   ? kRetry
           : !lost_.empty() ? absl::ZeroDuration()
                            : next_due_ - BootTime::Now();
  }
  MutexLock lock(&wake_mu_);
  wake_mu_.AwaitWithTimeout([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(wake_mu_) { return awake_; },
                            std::max(wait, absl::ZeroDuration()));
  awake_ = false;
}

void AuditLog::TakeQueue() {
  MutexLock lock(&mu_);
  PushDue(BootTime::Now());
  if (failure_.ok()) PushLost();
  if (!failure_.ok() && held_ == 0 && queue_.empty()) PushResumed();
  held_ += queue_.size();
  while (!queue_.empty()) {
    waiting_.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  if (held_ > 0) write_began_ = BootTime::Now();
}

void AuditLog::WriteWaiting() {
  if (waiting_.empty()) return;
  std::vector<std::string> lines;
  lines.reserve(waiting_.size());
  for (Item& item : waiting_) lines.push_back(std::move(item.line));
  size_t written = 0;
  const absl::Status status = sink_->Write(lines, &written);
  for (size_t i = 0; i < lines.size(); ++i) waiting_[i].line = std::move(lines[i]);
  Settle(written, status);
  Tell(status);
}

void AuditLog::Settle(size_t written, const absl::Status& status) {
  std::deque<Item> done;
  std::deque<Item> kept;
  size_t gone_bytes = 0;
  for (size_t i = 0; i < waiting_.size(); ++i) {
    // The call that waits for its line is refused for want of it, so that the line is not true.
    const bool is_kept = i >= written && !waiting_[i].written;
    if (!is_kept) gone_bytes += waiting_[i].line.size();
    if (is_kept) {
      kept.push_back(std::move(waiting_[i]));
    } else if (waiting_[i].written) {
      waiting_[i].line = i < written ? "" : "unwritten";
      done.push_back(std::move(waiting_[i]));
    }
  }
  waiting_ = std::move(kept);
  std::string trouble = sink_->trouble();
  {
    MutexLock lock(&mu_);
    bytes_ -= gone_bytes;
    held_ = waiting_.size();
    failure_ = status;
    trouble_ = std::move(trouble);
    write_began_ = BootTime::InfiniteFuture();
  }
  const absl::Status refusal =
      status.ok() ? status
                  : absl::UnavailableError(absl::StrCat("the audit log ", name(),
                                                        " cannot be written: ", status.message()));
  for (Item& item : done) item.written(item.line.empty() ? absl::OkStatus() : refusal);
}

void AuditLog::Tell(const absl::Status& status) {
  if (status.ok() == !said_) return;
  said_ = !status.ok();
  if (status.ok()) {
    return on_trouble_(absl::StrCat("audit log ", name(), " is written again"), /*is_over=*/true);
  }
  on_trouble_(
      absl::StrCat("audit log ", name(), " cannot be written: ", status.message(), "; ",
                   options_.required
                       ? "calls that need it are UNAVAILABLE until it can (--audit-required)"
                       : "calls are carried out all the same, their lines wait in memory"),
      /*is_over=*/false);
}

void AuditLog::Main() {
  while (true) {
    Await();
    TakeQueue();
    WriteWaiting();
    MutexLock lock(&mu_);
    if (stop_ && queue_.empty()) return;
  }
}

}  // namespace shoal::agent
