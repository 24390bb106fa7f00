#include "shoal/map.h"

#include <errno.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace shoal::internal {
namespace {

// Fills free slots, waits for any process to end, and so on.
class Mapper {
 public:
  Mapper(std::vector<Slot> slots, size_t count, const MakeProcess& make,
         const ProcessOptions& options)
      : make_(make),
        options_(options),
        results_(count),
        free_slots_(slots.rbegin(), slots.rend()) {}

  absl::StatusOr<std::vector<std::string>> Run();

 private:
  struct Running {
    size_t index = 0;
    Slot slot;
    std::unique_ptr<Process> process;
    int sentinel = -1;
  };

  void Fill();
  absl::Status Start(size_t index, const Slot& slot);
  void AwaitAny();
  void Finish(const Running& ended);
  void Fail(size_t index, const Slot& slot, const absl::Status& status);
  void GiveUp(absl::Status status);

  const MakeProcess& make_;
  const ProcessOptions& options_;
  std::vector<std::string> results_;
  std::vector<Slot> free_slots_;  // the next one last
  std::vector<Running> running_;
  size_t next_ = 0;
  absl::Status failure_;
};

absl::StatusOr<std::vector<std::string>> Mapper::Run() {
  while (true) {
    Fill();
    if (running_.empty()) break;
    AwaitAny();
  }
  if (!failure_.ok()) return failure_;
  return std::move(results_);
}

void Mapper::Fill() {
  while (failure_.ok() && next_ < results_.size() && !free_slots_.empty()) {
    Slot slot = std::move(free_slots_.back());
    free_slots_.pop_back();
    size_t index = next_++;
    if (absl::Status started = Start(index, slot); !started.ok()) Fail(index, slot, started);
  }
}

absl::Status Mapper::Start(size_t index, const Slot& slot) {
  ProcessOptions options = options_;
  options.host = nullptr;
  options.slot = slot;
  options.name.clear();
  std::unique_ptr<Process> process = make_(index, std::move(options));
  SHOAL_RETURN_IF_ERROR(process->Start());
  absl::StatusOr<int> sentinel = process->Sentinel();
  if (!sentinel.ok()) {
    process->Kill().IgnoreError();
    process->Join().IgnoreError();
    return sentinel.status();
  }
  running_.push_back({index, slot, std::move(process), *sentinel});
  return absl::OkStatus();
}

void Mapper::AwaitAny() {
  std::vector<pollfd> sentinels;
  for (const Running& running : running_) sentinels.push_back({running.sentinel, POLLIN, 0});
  bool is_known = true;  // which processes have ended
  while (is_known && poll(sentinels.data(), sentinels.size(), -1) < 0) {
    is_known = errno == EINTR;
    if (!is_known) GiveUp(ErrnoStatus(errno, "poll of the sentinels of its processes"));
  }
  for (size_t i = sentinels.size(); i-- > 0;) {
    if (is_known && sentinels[i].revents == 0) continue;  // else each is joined, one by one
    Running ended = std::move(running_[i]);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    Finish(ended);
    free_slots_.push_back(std::move(ended.slot));
  }
}

void Mapper::Finish(const Running& ended) {
  absl::Status status = ended.process->Join().status();
  if (status.ok()) {
    absl::StatusOr<std::string> result = ended.process->Result();
    status = result.status();
    if (result.ok()) results_[ended.index] = *std::move(result);
  }
  if (!status.ok()) Fail(ended.index, ended.slot, status);
  ended.process->Close().IgnoreError();  // the agent need not keep what was read
}

void Mapper::Fail(size_t index, const Slot& slot, const absl::Status& status) {
  GiveUp(absl::Status(status.code(), absl::StrCat("argument ", index, " on ", slot.host->name(),
                                                  ": ", status.message())));
}

// The first failure is the one that counts: the others may be ours.
void Mapper::GiveUp(absl::Status status) {
  if (!failure_.ok()) return;
  failure_ = std::move(status);
  for (const Running& running : running_) running.process->Terminate().IgnoreError();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> MapBytes(const Fleet& fleet, size_t count,
                                                  const MakeProcess& make,
                                                  const ProcessOptions& options) {
  std::vector<Slot> slots = fleet.slots();
  if (slots.empty()) {
    return absl::FailedPreconditionError("the fleet has no slots to run anything on");
  }
  return Mapper(std::move(slots), count, make, options).Run();
}

}  // namespace shoal::internal
