#include "client/cli/suspending.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cli/interrupts.h"
#include "client/cli/keeper.h"
#include "client/cli/leaving.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"

namespace shoal::cli {
namespace {

constexpr absl::Duration kTimeToStop = absl::Seconds(1);
constexpr absl::Duration kTimeToKeep = absl::Seconds(1);

}  // namespace

void SuspendWith(Job& job, const std::vector<std::string>& host_names, bool has_keeper,
                 const TlsFiles& tls, absl::string_view lapse) {
  const JobSuspension suspension = job.Suspend(kTimeToStop);
  const std::vector<KeptLease> leases = LeasesToKeep(job.Leases());
  Keeper keeper;
  const bool is_kept = leases.empty() || has_keeper;
  const absl::Status kept = is_kept ? absl::OkStatus() : keeper.Start(leases, tls, kTimeToKeep);
  SayAtOnce(TellSuspended(suspension, host_names, kept, lapse));
  if (!Interrupts::StopHere())
    SayAtOnce("this command cannot be stopped here; its processes go on.");
  job.Resume();
}

std::string TellSuspended(const JobSuspension& suspension,
                          const std::vector<std::string>& host_names, const absl::Status& kept,
                          absl::string_view lapse) {
  std::string text =
      absl::StrCat("stopping ", Count(suspension.signaled, "process", "es"),
                   " with this command; `fg` lets them go on. Time limits do not wait");
  for (const JobSuspension::Doubtful& one : suspension.doubtful) {
    absl::StrAppend(&text, "; not known to be stopped on ",
                    host_names[static_cast<size_t>(one.host)], ": ", BareReason(one.reason));
  }
  if (!kept.ok()) {
    absl::StrAppend(&text, "; ", kept.message(), ": what is behind a network is ended in ", lapse);
  }
  return absl::StrCat(text, ".");
}

}  // namespace shoal::cli
