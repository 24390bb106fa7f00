#include "shoal/process/output_forwarder.h"

#include <errno.h>

#include <algorithm>
#include <cstdio>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace shoal::internal {
namespace {

constexpr size_t kMaxWaitingBytes = size_t{256} << 10;
constexpr size_t kMaxLineBytes = size_t{64} << 10;

// By stdio, so that it stands behind what this program printed before.
absl::Status WriteTo(FILE* file, absl::string_view name, absl::string_view text) {
  if (text.empty()) return absl::OkStatus();
  const bool is_written =
      std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
  return is_written ? absl::OkStatus() : ErrnoStatus(errno, absl::StrCat("cannot write ", name));
}

}  // namespace

OutputForwarder& OutputForwarder::Get() {
  static auto* const kForwarder = new OutputForwarder;
  return *kForwarder;
}

OutputForwarder::OutputForwarder() {
  try {
    std::thread([this] { Run(); }).detach();
    has_thread_ = true;
  } catch (const std::system_error&) {
    has_thread_ = false;  // none is to be had
  }
}

void OutputForwarder::Source::Attach(Subscription* subscription) {
  MutexLock lock(&mu_);
  subscription_ = subscription;
  // What was paused before it was known here may have been written meanwhile.
  if (subscription_ != nullptr && !is_paused_) subscription_->Resume();
}

Flow OutputForwarder::Push(const std::shared_ptr<Source>& source, v1::StreamKind stream,
                           absl::string_view data) {
  std::string& begun = source->begun_[stream == v1::STREAM_KIND_STDERR ? 1 : 0];
  begun.append(data.data(), data.size());
  size_t end = begun.rfind('\n');
  end = end == std::string::npos ? 0 : end + 1;
  if (begun.size() - end > kMaxLineBytes) end = begun.size();
  if (end == 0) return Flow::kGoOn;
  Flow flow = Flow::kGoOn;
  {
    MutexLock lock(&source->mu_);
    source->waiting_bytes_ += end;
    if (source->waiting_bytes_ > kMaxWaitingBytes) {
      source->is_paused_ = true;
      flow = Flow::kPause;
    }
  }
  Enqueue({source, stream, begun.substr(0, end), nullptr});
  begun.erase(0, end);
  return flow;
}

void OutputForwarder::Note(const std::shared_ptr<Source>& source, absl::string_view line) {
  {
    MutexLock lock(&source->mu_);
    source->waiting_bytes_ += line.size() + 1;
  }
  Enqueue({source, v1::STREAM_KIND_STDERR, absl::StrCat(line, "\n"), nullptr});
}

void OutputForwarder::End(const std::shared_ptr<Source>& source, Written written) {
  Enqueue({source, v1::STREAM_KIND_STDERR, std::exchange(source->begun_[1], {}), nullptr});
  Enqueue(
      {source, v1::STREAM_KIND_STDOUT, std::exchange(source->begun_[0], {}), std::move(written)});
}

void OutputForwarder::Enqueue(Chunk chunk) {
  if (!has_thread_) return Write(chunk);
  MutexLock lock(&mu_);
  chunks_.push_back(std::move(chunk));
}

void OutputForwarder::Run() {
  while (true) {
    std::vector<Chunk> chunks;
    {
      MutexLock lock(&mu_);
      auto has_chunks = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !chunks_.empty(); };
      mu_.Await(has_chunks);
      chunks.swap(chunks_);
    }
    for (Chunk& chunk : chunks) Write(chunk);
  }
}

void OutputForwarder::Write(Chunk& chunk) {
  const bool is_stderr = chunk.stream == v1::STREAM_KIND_STDERR;
  absl::Status status =
      is_stderr ? WriteTo(stderr, "stderr", chunk.text) : WriteTo(stdout, "stdout", chunk.text);
  Source& source = *chunk.source;
  {
    MutexLock lock(&source.mu_);
    if (!is_stderr) source.failure_.Update(status);
    status = source.failure_;
    source.waiting_bytes_ -= std::min(source.waiting_bytes_, chunk.text.size());
    if (source.is_paused_ && source.waiting_bytes_ <= kMaxWaitingBytes / 2) {
      source.is_paused_ = false;
      if (source.subscription_ != nullptr) source.subscription_->Resume();
    }
  }
  if (chunk.written) chunk.written(status);
}

}  // namespace shoal::internal
