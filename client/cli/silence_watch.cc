#include "client/cli/silence_watch.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "client/cli/standard_output.h"
#include "client/cli/wording.h"
#include "common/boot_time.h"
#include "common/escape.h"
#include "common/mutex.h"

namespace shoal::cli {
namespace {

// An answer that comes later still was not waited for: this program did not run.
constexpr absl::Duration kLateness = absl::Seconds(2);

std::vector<SilenceWatch::Watched> HostsOf(const Fleet& fleet, const Invocation& invocation) {
  std::vector<SilenceWatch::Watched> hosts;
  hosts.reserve(fleet.hosts().size());
  for (const FleetHost& entry : fleet.hosts()) {
    hosts.push_back({entry.host, invocation.NameOf(*entry.host)});
  }
  return hosts;
}

}  // namespace

struct SilenceWatch::State : std::enable_shared_from_this<SilenceWatch::State> {
  struct Entry {
    Watched watched;
    BootTime heard = BootTime::Now();
    bool is_asked = false;
    bool is_silent = false;
    bool is_told = false;  // that it is silent
  };

  State(std::vector<Watched> hosts, Rhythm given) : rhythm(given) {
    entries.reserve(hosts.size());
    for (Watched& host : hosts) entries.push_back({.watched = std::move(host)});
  }

  void Loop();
  void Ask() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void OnAnswer(size_t index, BootTime asked, const absl::Status& status);
  std::string TakeNews() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);

  const Rhythm rhythm;
  Mutex mu;
  std::vector<Entry> entries ABSL_GUARDED_BY(mu);
  bool has_news ABSL_GUARDED_BY(mu) = false;
  bool is_over ABSL_GUARDED_BY(mu) = false;
};

void SilenceWatch::State::Ask() {
  CallOptions options;
  options.timeout = rhythm.patience;
  options.retry = false;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (std::exchange(entries[i].is_asked, true)) continue;
    entries[i].watched.host->GetFacts(
        options,
        [self = shared_from_this(), i, asked = BootTime::Now()](
            const absl::StatusOr<v1::Host>& answer) { self->OnAnswer(i, asked, answer.status()); });
  }
}

// A host without a connection is told of by the stream or call that has lost it.
void SilenceWatch::State::OnAnswer(size_t index, BootTime asked, const absl::Status& status) {
  MutexLock lock(&mu);
  Entry& entry = entries[index];
  entry.is_asked = false;
  const BootTime now = BootTime::Now();
  if (now - asked > rhythm.patience + kLateness) return;
  entry.is_silent = absl::IsDeadlineExceeded(status);
  if (!entry.is_silent) entry.heard = now;
  has_news = has_news || entry.is_silent != entry.is_told;
}

std::string SilenceWatch::State::TakeNews() {
  has_news = false;
  std::string lines;
  for (Entry& entry : entries) {
    if (std::exchange(entry.is_told, entry.is_silent) == entry.is_silent) continue;
    const absl::Duration silence =
        entry.is_silent ? BootTime::Now() - entry.heard : absl::ZeroDuration();
    absl::StrAppend(&lines, "shoal: ", EscapeForMessage(entry.watched.name), ": ",
                    DescribeSilence(silence), ".\n");
  }
  return lines;
}

void SilenceWatch::State::Loop() {
  BootTime next = BootTime::Now() + rhythm.pause;
  for (;;) {
    std::string lines;
    {
      MutexLock lock(&mu);
      const auto is_awaited = [this]()
                                  ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return is_over || has_news; };
      mu.AwaitWithTimeout(is_awaited, next - BootTime::Now());
      if (is_over) return;
      if (BootTime::Now() >= next) {
        next = BootTime::Now() + rhythm.pause;
        Ask();
      }
      lines = TakeNews();
    }
    if (!lines.empty()) WriteNote(lines);
  }
}

SilenceWatch::SilenceWatch(std::vector<Watched> hosts, Rhythm rhythm)
    : state_(std::make_shared<State>(std::move(hosts), rhythm)) {
  try {
    thread_ = std::thread([state = state_] { state->Loop(); });
  } catch (const std::system_error&) {
    return;  // no thread is to be had
  }
}

SilenceWatch::SilenceWatch(const Fleet& fleet, const Invocation& invocation)
    : SilenceWatch(HostsOf(fleet, invocation)) {}

SilenceWatch::~SilenceWatch() {
  {
    MutexLock lock(&state_->mu);
    state_->is_over = true;
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace shoal::cli
