#include "shoal/job.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "shoal/job/job_run.h"
#include "shoal/link/owner.h"
#include "shoal/placement.h"

namespace shoal {

void JobSink::OnStarted(RankId, const v1::Process&) {}
void JobSink::OnOutput(RankId, v1::StreamKind, int64_t, absl::string_view) {}
void JobSink::OnGap(RankId, v1::StreamKind, const v1::Gap&) {}
void JobSink::OnExited(RankId, const v1::Process&) {}
void JobSink::OnComplete(RankId, const v1::Process&) {}
void JobSink::OnFailedToStart(RankId, const v1::RequestError&) {}
void JobSink::OnHostLost(int, const absl::Status&) {}
void JobSink::OnHostRegained(int) {}
void JobSink::OnHalt(bool) {}

absl::StatusOr<std::unique_ptr<Job>> Job::Create(const Fleet& fleet, JobSpec spec, JobSink* sink) {
  if (spec.counts.size() != fleet.hosts().size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "counts for ", spec.counts.size(), " hosts, but the fleet has ", fleet.hosts().size()));
  }
  int64_t total = std::accumulate(spec.counts.begin(), spec.counts.end(), int64_t{0});
  if (std::any_of(spec.counts.begin(), spec.counts.end(), [](int count) { return count < 0; }) ||
      total < 1 || total > kMaxRanks) {
    return absl::InvalidArgumentError(
        absl::StrCat("counts: a job has 1 to ", kMaxRanks, " processes, not ", total));
  }
  if (spec.process.lifetime() == v1::LIFETIME_DETACHED) {
    return absl::InvalidArgumentError("lifetime: the processes of a job belong to its session");
  }
  return std::unique_ptr<Job>(new Job(std::make_shared<JobRun>(fleet, std::move(spec), sink)));
}

Job::Job(std::shared_ptr<JobRun> run) : run_(std::move(run)) {}
Job::~Job() { internal::KeepInFork(run_); }

absl::StatusOr<JobResult> Job::Run() {
  SHOAL_RETURN_IF_ERROR(internal::CheckNotForked());
  return run_->Run();
}
std::vector<JobRefusal> Job::Unopened() const { return run_->Unopened(); }
void Job::Interrupt(int signal) { run_->Interrupt(signal); }
void Job::Signal(int signal) { run_->hosts().Signal(signal); }
JobSuspension Job::Suspend(absl::Duration timeout) { return run_->hosts().Suspend(timeout); }
void Job::Resume() { run_->hosts().Resume(); }
std::vector<JobLease> Job::Leases() const { return run_->hosts().Leases(); }
void Job::DropOutput() { run_->DropOutput(); }
void Job::Detach() { run_->hosts().Detach(); }
std::vector<HostLeft> Job::Left() const { return run_->hosts().Left(); }

}  // namespace shoal
