#include "agent/log/stderr_log.h"

#include <poll.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace shoal::agent {
namespace {

constexpr absl::Duration kRepeatWindow = absl::Seconds(10);
constexpr size_t kMaxBatchBytes = 64 << 10;

// Splits what the pattern makes of a message into what stands before its text, and the text.
class LogSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LogSink(std::shared_ptr<StderrLog> log) : log_(std::move(log)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t prefix;
    formatter_->format(message, prefix);
    log_->Write(absl::string_view(prefix.data(), prefix.size()),
                absl::string_view(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}

  const std::shared_ptr<StderrLog> log_;
};

}  // namespace

StderrLog::~StderrLog() {
  Flush(absl::ZeroDuration());
  if (!thread_.has_value()) return;
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  Wake();
  thread_->join();
}

void StderrLog::StartThread() {
  if (!thread_.has_value()) thread_.emplace([this] { Main(); });
}

void StderrLog::Wake() {
  MutexLock lock(&wake_mu_);
  awake_ = true;
}

void StderrLog::Push(std::string line) {
  line += '\n';
  if (bytes_ + line.size() > queue_bytes_) {
    ++dropped_;
    return;
  }
  bytes_ += line.size();
  queue_.push_back(std::move(line));
}

void StderrLog::PushRepeats() {
  if (repeats_ == 0) return;
  Push(absl::StrCat(last_prefix_, "repeated ", repeats_, repeats_ == 1 ? " time: " : " times: ",
                    absl::string_view(last_).substr(0, 200)));
  repeats_ = 0;
}

void StderrLog::Write(absl::string_view prefix, absl::string_view line) {
  // The thread sleeps while nothing is queued; repeats wake it when they are due, which the first one
  // has it told.
  bool is_news = false;
  {
    MutexLock lock(&mu_);
    const bool was_empty = queue_.empty();
    const BootTime now = BootTime::Now();
    if (line == last_ && now < repeats_due_) {
      is_news = was_empty && repeats_ == 0;
      ++repeats_;
      last_prefix_ = std::string(prefix);
    } else {
      PushRepeats();
      Push(absl::StrCat(prefix, line));
      last_ = std::string(line);
      repeats_due_ = now + kRepeatWindow;
      is_news = was_empty;
    }
  }
  if (is_news) Wake();
}

std::string StderrLog::Take() {
  std::string bytes;
  if (queue_.empty() && repeats_ > 0 && (stop_ || repeats_due_ <= BootTime::Now())) PushRepeats();
  while (!queue_.empty() && bytes.size() < kMaxBatchBytes) {
    bytes += queue_.front();
    queue_.pop_front();
  }
  bytes_ -= bytes.size();
  if (queue_.empty() && dropped_ > 0) {
    absl::StrAppend(&bytes, "shoald: ", dropped_, dropped_ == 1 ? " line" : " lines",
                    " of the log dropped: stderr was not read\n");
    dropped_ = 0;
  }
  is_writing_ = !bytes.empty();
  return bytes;
}

bool StderrLog::WriteOut(absl::string_view bytes, BootTime deadline) {
  while (!bytes.empty()) {
    pollfd room{.fd = fd_, .events = POLLOUT, .revents = 0};
    const absl::Duration left = deadline - BootTime::Now();
    const int patience =
        left >= absl::Seconds(1000)
            ? -1
            : static_cast<int>(absl::ToInt64Milliseconds(std::max(left, absl::ZeroDuration())));
    const int ready = poll(&room, 1, patience);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return false;
    // A pipe that is ready takes this much at once (POSIX, PIPE_BUF), so that no write blocks.
    const ssize_t count = write(fd_, bytes.data(), std::min(bytes.size(), size_t{4096}));
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

void StderrLog::Flush(absl::Duration timeout) {
  const BootTime deadline = BootTime::Now() + timeout;
  {
    MutexLock lock(&mu_);
    PushRepeats();
  }
  if (thread_.has_value()) {
    Wake();
    MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(
        [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return queue_.empty() && !is_writing_; },
        timeout);
    return;
  }
  while (true) {
    std::string bytes;
    {
      MutexLock lock(&mu_);
      bytes = Take();
      is_writing_ = false;
    }
    if (bytes.empty() || !WriteOut(bytes, deadline)) return;
  }
}

void StderrLog::Main() {
  while (true) {
    std::string bytes;
    absl::Duration wait = absl::InfiniteDuration();
    bool stop = false;
    {
      MutexLock lock(&mu_);
      bytes = Take();
      stop = stop_;
      if (repeats_ > 0) wait = repeats_due_ - BootTime::Now();
    }
    if (!bytes.empty()) {
      WriteOut(bytes, stop ? BootTime::Now() : BootTime::InfiniteFuture());
      continue;
    }
    if (stop) return;
    MutexLock lock(&wake_mu_);
    wake_mu_.AwaitWithTimeout([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(wake_mu_) { return awake_; },
                              std::max(wait, absl::ZeroDuration()));
    awake_ = false;
  }
}

void SetDefaultLogger(std::shared_ptr<StderrLog> log, const std::string& level) {
  auto sink = std::make_shared<LogSink>(std::move(log));
  auto logger = std::make_shared<spdlog::logger>("shoald", std::move(sink));
  // The text of the message is added by StderrLog::Write.
  logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      "%Y-%m-%dT%H:%M:%S.%e%z %l ", spdlog::pattern_time_type::local, ""));
  spdlog::set_default_logger(std::move(logger));
  spdlog::set_level(spdlog::level::from_str(level));
}

}  // namespace shoal::agent
