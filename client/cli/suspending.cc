#include "client/cli/suspending.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "client/cli/interrupts.h"
#include "client/cli/keeper.h"
#include "client/cli/leaving.h"
#include "client/cli/units.h"

namespace shoal::cli {
namespace {

constexpr absl::Duration kTimeToStop = absl::Seconds(1);

}  // namespace

void SuspendWith(Job& job, const std::vector<std::string>& host_names, const TlsFiles& tls,
                 absl::string_view lapse) {
  const JobSuspension suspension = job.Suspend(kTimeToStop);
  const std::vector<KeptLease> leases = LeasesToKeep(job.Leases());
  Keeper keeper;
  const absl::Status kept = leases.empty() ? absl::OkStatus() : keeper.Start(leases, tls);
  SayAtOnce(TellSuspended(suspension, host_names, kept, lapse));
  Interrupts::StopHere();
  job.Resume();
}

std::string TellSuspended(const JobSuspension& suspension,
                          const std::vector<std::string>& host_names, const absl::Status& kept,
                          absl::string_view lapse) {
  std::string text =
      absl::StrCat("stopped ", Count(suspension.stopped, "process", "es"),
                   " with this command; `fg` lets them go on. Time limits do not wait");
  if (!suspension.silent.empty()) {
    const auto name = [&](std::string* out, int host) {
      absl::StrAppend(out, host_names[static_cast<size_t>(host)]);
    };
    absl::StrAppend(&text, "; no answer, so not known to be stopped: ",
                    absl::StrJoin(suspension.silent, ", ", name));
  }
  if (!kept.ok()) {
    absl::StrAppend(&text, "; ", kept.message(), ": what is behind a network is ended in ", lapse);
  }
  return absl::StrCat(text, ".");
}

}  // namespace shoal::cli
