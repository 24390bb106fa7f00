// The streams of a Host: Watch and ReadOutput.
#include <cstdint>
#include <memory>
#include <utility>

#include "shoal/host.h"
#include "shoal/wire/host_rep.h"
#include "shoal/wire/output_cursor.h"
#include "shoal/wire/resumable_stream.h"
#include "shoal/wire/watch_cursor.h"

namespace shoal {
namespace {

struct WatchState {
  WatchState(WatchObserver the_observer, int64_t from_revision)
      : observer(std::move(the_observer)), cursor(from_revision) {}

  void Prepare(v1::WatchRequest* request) {
    if (cursor.Prepare(request) && observer.on_reset) observer.on_reset();
  }

  Flow OnEvent(v1::WatchResponse&& event) {
    cursor.Take(event);
    return observer.on_event ? observer.on_event(std::move(event)) : Flow::kGoOn;
  }

  WatchObserver observer;
  WatchCursor cursor;
};

struct OutputState {
  OutputState(Host::Rep* rep, const ReadOutputOptions& options)
      : cursor(rep, options.acknowledge_bytes) {}

  Flow OnFrame(v1::ReadOutputResponse&& frame) {
    return cursor.Take(std::move(frame), [this](v1::ReadOutputResponse&& news) {
      return observer.on_frame ? observer.on_frame(std::move(news)) : Flow::kGoOn;
    });
  }

  OutputObserver observer;
  OutputCursor cursor;
};

}  // namespace

std::unique_ptr<Subscription> Host::Watch(v1::WatchRequest request, WatchObserver observer,
                                          WatchOptions options) {
  auto state = std::make_shared<WatchState>(std::move(observer), request.from_revision());
  Rep* rep = rep_.get();
  StreamHooks<v1::WatchRequest, v1::WatchResponse> hooks;
  hooks.method = [rep](auto* context, auto* message, auto* reactor) {
    rep->stubs()->processes.async()->Watch(context, message, reactor);
  };
  hooks.prepare = [state](v1::WatchRequest* message) { state->Prepare(message); };
  hooks.on_message = [state](v1::WatchResponse&& event) {
    return state->OnEvent(std::move(event));
  };
  hooks.recover = [state](const grpc::Status& status) { return state->cursor.Recover(status); };
  hooks.on_connection = std::move(state->observer.on_connection);
  hooks.on_end = std::move(state->observer.on_end);
  return StartStream(rep, std::move(request), std::move(hooks), options.patience);
}

std::unique_ptr<Subscription> Host::ReadOutput(v1::ReadOutputRequest request,
                                               OutputObserver observer, ReadOutputOptions options) {
  Rep* rep = rep_.get();
  auto state = std::make_shared<OutputState>(rep, options);
  state->observer = std::move(observer);
  StreamHooks<v1::ReadOutputRequest, v1::ReadOutputResponse> hooks;
  hooks.method = [rep](auto* context, auto* message, auto* reactor) {
    rep->stubs()->processes.async()->ReadOutput(context, message, reactor);
  };
  hooks.prepare = [state](v1::ReadOutputRequest* message) { state->cursor.WriteResume(message); };
  hooks.on_message = [state](v1::ReadOutputResponse&& frame) {
    return state->OnFrame(std::move(frame));
  };
  hooks.on_connection = std::move(state->observer.on_connection);
  hooks.on_end = std::move(state->observer.on_end);
  return StartStream(rep, std::move(request), std::move(hooks), options.patience);
}

}  // namespace shoal
