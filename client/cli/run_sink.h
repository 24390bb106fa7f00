// Writes what the processes of a `run` print: tagged line by line, as it is, gathered, or as JSON.
//
// Ownership:     the caller's; outlives the job.
// Thread-safety: the job's thread only.
// Blocking:      as long as stdout and stderr do.
#ifndef SHOAL_CLIENT_CLI_RUN_SINK_H_
#define SHOAL_CLIENT_CLI_RUN_SINK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cli/gather.h"
#include "client/cli/json_frames.h"
#include "client/cli/start_error.h"
#include "client/cli/tag_template.h"
#include "common/boot_time.h"
#include "shoal/job.h"
#include "shoal/line_tagger.h"

namespace shoal::cli {

struct RunSinkOptions {
  std::vector<std::string> host_names;  // by index into the fleet, as far as they are known
  // What a host is called from its first process on, which tells what its agent calls itself. Null: as
  // in host_names.
  std::function<std::string(int host, const std::string& own_name)> learn_name = nullptr;
  std::vector<int> counts;  // ranks by host
  TagTemplate tag;
  bool tagged = true;
  bool gather = false;  // stdout is kept until Finish()
  bool json = false;
  bool colours = false;
  // Of tagged lines of this stream; null: control characters pass.
  std::function<bool(v1::StreamKind)> shows_controls = nullptr;
  // stdout cannot be written any more; called once.
  std::function<void()> on_broken_output;
  std::function<void(const std::vector<JobLease>&)> on_opened = [](const auto&) {};
  std::function<void(RankId, const v1::Process&)> on_started = [](RankId, const auto&) {};
  std::function<void()> on_input_lost = [] {};
  // What the job is doing, for a terminal.
  std::function<void(const std::string&)> on_progress = [](const auto&) {};
  absl::Duration host_patience = absl::InfiniteDuration();  // of the job
  // Up to where the output of a lost host was read is said when it is given up, or away for so long.
  absl::Duration places_after = absl::Seconds(5);
  // What a start that failed on that host is told as. Null: as the agent says it.
  std::function<StartError(const std::string& host, const v1::RequestError&)> explain = nullptr;
};

class RunSink : public JobSink {
 public:
  explicit RunSink(RunSinkOptions options);

  void OnOpened(const std::vector<JobLease>& leases) override { options_.on_opened(leases); }
  void OnStarted(RankId rank, const v1::Process& process) override;
  void OnOutput(RankId rank, v1::StreamKind stream, int64_t offset,
                absl::string_view data) override;
  void OnGap(RankId rank, v1::StreamKind stream, const v1::Gap& gap) override;
  void OnDescendants(RankId rank, const v1::Process& process) override;
  void OnOutputStalled(RankId rank, const v1::Process& process) override;
  void OnShimStalled(RankId rank, const v1::Process& process) override;
  void OnInputLost(int rank, const absl::Status& reason) override;
  void OnComplete(RankId rank, const v1::Process& process) override;
  void OnFailedToStart(RankId rank, const v1::RequestError& error) override;
  void OnHostLost(int host, const absl::Status& reason) override;
  void OnHostRegained(int host) override;
  void OnHostSilent(int host, absl::Duration silence) override;
  void OnNotContinued(int host, const absl::Status& reason) override;
  void OnHostOver(int host, const absl::Status& reason) override;
  void OnTick() override;

  // One past the newest byte that was given out of this rank.
  int64_t shown(int rank, v1::StreamKind stream) const;

  // The rest of what was begun: lines without an end, and the answers that were gathered.
  void Finish();

 private:
  std::string TagOf(int rank, v1::StreamKind stream) const;
  size_t HostOf(int rank) const;
  void LearnName(int host, const std::string& own_name);
  void MeasureNames();
  void Write(v1::StreamKind stream, absl::string_view bytes);
  // "shoal: TEXT" on stderr, but for -q.
  void Say(absl::string_view text);
  void SayLoss(absl::string_view text);
  Subject SubjectOf(int rank) const;
  std::string DescribeProgress() const;
  void WriteGathered();
  // The byte of HOST/ID from which the output of a host's processes can be read on, where that was not told already.
  void TellPlaces(int host);
  const std::string& HostName(int host) const { return host_names_[static_cast<size_t>(host)]; }

  const RunSinkOptions options_;
  std::vector<std::string> host_names_;
  std::set<int> learned_;         // hosts whose names will not change any more
  std::vector<int> first_ranks_;  // by host
  bool is_single_ = false;        // there is one rank
  TagTemplate::Widths widths_;
  LineTagger tagger_;
  JsonFrames frames_;
  std::optional<GatheredAnswers> gathered_;
  std::map<int, Subject> subjects_;                                // of ranks that are not complete
  std::map<std::pair<int, v1::StreamKind>, int64_t> offsets_;      // by rank and stream
  std::map<std::pair<int, v1::StreamKind>, int64_t> told_places_;  // as offsets_
  int told_descendants_ = 0;                                       // of so many ranks
  int told_shims_ = 0;                                             // the same
  std::set<int> full_hosts_;  // that output cannot be written there is told
  bool broken_ = false;       // stdout is; nothing is kept or written any more
  // For the progress.
  int world_ = 0;
  int started_ = 0;
  int ended_ = 0;
  std::map<int, BootTime> lost_since_;    // by host
  std::map<int, BootTime> silent_since_;  // the same, of those whose connection stands
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_RUN_SINK_H_
