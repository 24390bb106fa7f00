// The streams of a Host: Watch, ReadOutput and StreamInput.
#include <cstdint>
#include <memory>
#include <utility>

#include "shoal/host.h"
#include "shoal/host/host_rep.h"
#include "shoal/host/output_cursor.h"
#include "shoal/host/stream_subscription.h"
#include "shoal/host/watch_cursor.h"

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
  OutputState(Link* link, const ReadOutputOptions& options)
      : cursor(link, options.acknowledge_bytes) {}

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
  Link::WatchHooks hooks;
  hooks.prepare = [state](v1::WatchRequest* message) { state->Prepare(message); };
  hooks.on_message = [state](v1::WatchResponse&& event) {
    return state->OnEvent(std::move(event));
  };
  hooks.recover = [state](absl::StatusCode code) { return state->cursor.Recover(code); };
  hooks.on_connection = std::move(state->observer.on_connection);
  hooks.on_end = std::move(state->observer.on_end);
  return HoldStream(rep_->link->Watch(std::move(request), std::move(hooks), options.patience));
}

std::unique_ptr<Subscription> Host::ReadOutput(v1::ReadOutputRequest request,
                                               OutputObserver observer, ReadOutputOptions options) {
  auto state = std::make_shared<OutputState>(rep_->link.get(), options);
  state->observer = std::move(observer);
  Link::OutputHooks hooks;
  hooks.prepare = [state](v1::ReadOutputRequest* message) { state->cursor.WriteResume(message); };
  hooks.on_message = [state](v1::ReadOutputResponse&& frame) {
    return state->OnFrame(std::move(frame));
  };
  hooks.on_connection = std::move(state->observer.on_connection);
  hooks.on_end = std::move(state->observer.on_end);
  return HoldStream(rep_->link->ReadOutput(std::move(request), std::move(hooks), options.patience));
}

std::unique_ptr<Subscription> Host::StreamInput(InputObserver observer, absl::Duration patience) {
  Link::InputHooks hooks;
  hooks.prepare = [begin = std::move(observer.on_begin)](v1::StreamInputRequest*) { begin(); };
  hooks.next = std::move(observer.next);
  hooks.on_message = [on_position =
                          std::move(observer.on_position)](const v1::StreamInputResponse& answer) {
    on_position(answer.position());
    return Flow::kGoOn;
  };
  hooks.on_end = std::move(observer.on_end);
  return HoldStream(rep_->link->StreamInput(std::move(hooks), patience));
}

}  // namespace shoal
