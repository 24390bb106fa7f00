// The streams of a Host: Watch and ReadOutput.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "shoal/host.h"
#include "shoal/output_positions.h"
#include "shoal/wire/host_rep.h"
#include "shoal/wire/resumable_stream.h"
#include "shoal/wire/unary_call.h"

namespace shoal {
namespace {

// How far a watch has come.
struct WatchState {
  WatchObserver observer;
  int64_t first_revision = 0;
  int64_t revision = 0;
  bool is_synced = false;  // a snapshot that broke off in the middle must be taken again

  Flow OnEvent(const v1::WatchResponse& event) {
    if (event.has_synced()) is_synced = true;
    if (is_synced && event.revision() > revision) revision = event.revision();
    return observer.on_event ? observer.on_event(event) : Flow::kGoOn;
  }

  void StartAfresh() {
    revision = 0;
    is_synced = false;
    if (observer.on_reset) observer.on_reset();
  }
};

// How far a reader has come, and what the agent was told of it.
struct OutputState {
  explicit OutputState(const ReadOutputOptions& options)
      : acknowledges(options.acknowledge_bytes > 0), positions(options.acknowledge_bytes) {}

  OutputObserver observer;
  const bool acknowledges;
  OutputPositions positions;

  Flow OnFrame(Host::Rep* rep, const v1::ReadOutputResponse& frame) {
    std::optional<size_t> had = positions.Advance(frame);  // before the connection broke
    if (!had.has_value()) return Flow::kGoOn;
    Flow flow = *had == 0 ? Tell(frame) : Tell(WithoutFirst(*had, frame));
    v1::AcknowledgeOutputRequest request;
    if (acknowledges && positions.TakeDue(frame, &request)) Acknowledge(rep, std::move(request));
    return flow;
  }

  Flow Tell(const v1::ReadOutputResponse& frame) {
    return observer.on_frame ? observer.on_frame(frame) : Flow::kGoOn;
  }

  static v1::ReadOutputResponse WithoutFirst(size_t bytes, const v1::ReadOutputResponse& frame) {
    v1::ReadOutputResponse rest = frame;
    rest.set_offset(frame.offset() + static_cast<int64_t>(bytes));
    rest.mutable_data()->erase(0, bytes);
    return rest;
  }

  static void Acknowledge(Host::Rep* rep, v1::AcknowledgeOutputRequest request) {
    UnaryCall<v1::AcknowledgeOutputRequest, v1::AcknowledgeOutputResponse>::Run(
        rep,
        [rep](auto* context, auto* message, auto* response, auto callback) {
          rep->processes.async()->AcknowledgeOutput(context, message, response,
                                                    std::move(callback));
        },
        std::move(request), CallOptions(),
        [](absl::StatusOr<v1::AcknowledgeOutputResponse>) {
          // What is not acknowledged now is with the next.
        });
  }
};

}  // namespace

std::unique_ptr<Subscription> Host::Watch(v1::WatchRequest request, WatchObserver observer,
                                          WatchOptions options) {
  auto state = std::make_shared<WatchState>();
  state->observer = std::move(observer);
  state->revision = request.from_revision();
  state->is_synced = request.from_revision() != 0;
  Rep* rep = rep_.get();
  StreamHooks<v1::WatchRequest, v1::WatchResponse> hooks;
  hooks.method = [rep](auto* context, auto* message, auto* reactor) {
    rep->processes.async()->Watch(context, message, reactor);
  };
  hooks.prepare = [state, is_first = true](v1::WatchRequest* message) mutable {
    if (!std::exchange(is_first, false) && !state->is_synced) state->StartAfresh();
    message->set_from_revision(state->is_synced ? state->revision : 0);
  };
  hooks.on_message = [state](const v1::WatchResponse& event) { return state->OnEvent(event); };
  hooks.recover = [state](const grpc::Status& status) {
    if (status.error_code() != grpc::StatusCode::OUT_OF_RANGE || !state->is_synced) return false;
    state->is_synced = false;  // `prepare` starts afresh
    return true;
  };
  hooks.on_connection = std::move(state->observer.on_connection);
  hooks.on_end = std::move(state->observer.on_end);
  return StartStream(rep, std::move(request), std::move(hooks), options.patience);
}

std::unique_ptr<Subscription> Host::ReadOutput(v1::ReadOutputRequest request,
                                               OutputObserver observer, ReadOutputOptions options) {
  auto state = std::make_shared<OutputState>(options);
  state->observer = std::move(observer);
  Rep* rep = rep_.get();
  StreamHooks<v1::ReadOutputRequest, v1::ReadOutputResponse> hooks;
  hooks.method = [rep](auto* context, auto* message, auto* reactor) {
    rep->processes.async()->ReadOutput(context, message, reactor);
  };
  hooks.prepare = [state](v1::ReadOutputRequest* message) {
    state->positions.WriteResume(message);
  };
  hooks.on_message = [state, rep](const v1::ReadOutputResponse& frame) {
    return state->OnFrame(rep, frame);
  };
  hooks.on_connection = std::move(state->observer.on_connection);
  hooks.on_end = std::move(state->observer.on_end);
  return StartStream(rep, std::move(request), std::move(hooks), options.patience);
}

}  // namespace shoal
