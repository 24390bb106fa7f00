#include "shoal/output_forwarder.h"

#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace shoal::internal {
namespace {

constexpr size_t kMaxWaitingBytes = size_t{256} << 10;
constexpr size_t kMaxLineBytes = size_t{64} << 10;

}  // namespace

OutputForwarder& OutputForwarder::Get() {
  static auto* const forwarder = new OutputForwarder;
  return *forwarder;
}

OutputForwarder::OutputForwarder() {
  std::thread([this] { Run(); }).detach();
}

void OutputForwarder::Source::Attach(Subscription* subscription) {
  absl::MutexLock lock(&mu_);
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
    absl::MutexLock lock(&source->mu_);
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
    absl::MutexLock lock(&source->mu_);
    source->waiting_bytes_ += line.size() + 1;
  }
  Enqueue({source, v1::STREAM_KIND_STDERR, absl::StrCat(line, "\n"), nullptr});
}

void OutputForwarder::End(const std::shared_ptr<Source>& source,
                          absl::AnyInvocable<void()> written) {
  Enqueue({source, v1::STREAM_KIND_STDERR, std::exchange(source->begun_[1], {}), nullptr});
  Enqueue(
      {source, v1::STREAM_KIND_STDOUT, std::exchange(source->begun_[0], {}), std::move(written)});
}

void OutputForwarder::Enqueue(Chunk chunk) {
  absl::MutexLock lock(&mu_);
  chunks_.push_back(std::move(chunk));
}

void OutputForwarder::Run() {
  while (true) {
    std::vector<Chunk> chunks;
    {
      absl::MutexLock lock(&mu_);
      auto has_chunks = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !chunks_.empty(); };
      mu_.Await(absl::Condition(&has_chunks));
      chunks.swap(chunks_);
    }
    for (Chunk& chunk : chunks) {
      Write(chunk);
      if (chunk.written) chunk.written();
    }
  }
}

// By stdio, so that it stands behind what this program printed before.
void OutputForwarder::Write(const Chunk& chunk) {
  if (!chunk.text.empty()) {
    FILE* file = chunk.stream == v1::STREAM_KIND_STDERR ? stderr : stdout;
    std::fwrite(chunk.text.data(), 1, chunk.text.size(), file);
    std::fflush(file);
  }
  Source& source = *chunk.source;
  absl::MutexLock lock(&source.mu_);
  source.waiting_bytes_ -= std::min(source.waiting_bytes_, chunk.text.size());
  if (!source.is_paused_ || source.waiting_bytes_ > kMaxWaitingBytes / 2) return;
  source.is_paused_ = false;
  if (source.subscription_ != nullptr) source.subscription_->Resume();
}

}  // namespace shoal::internal
