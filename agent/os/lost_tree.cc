#include "agent/os/lost_tree.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "agent/os/procfs.h"
#include "common/escape.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

constexpr absl::Duration kFirstLook = absl::Milliseconds(1);
constexpr absl::Duration kLongestPause = absl::Milliseconds(50);
constexpr absl::Duration kPatience = absl::Seconds(2);
constexpr absl::Duration kLongestWatchPause = absl::Seconds(1);  // of a tree that is not ended
constexpr size_t kMaxNamed = 8;

struct Ending {
  bool kill;
  EventLoop* loop;
  const CgroupBase* cgroups;
  std::string id;
  UniqueFd directory;
  absl::AnyInvocable<void(absl::Status)> done;
  absl::Duration waited;
  absl::Duration pause = kFirstLook;
};

absl::Status SurvivorsOf(const Ending& ending) {
  const absl::StatusOr<std::vector<int>> pids = CgroupMembers(ending.directory.get());
  if (!pids.ok()) {
    return absl::DeadlineExceededError(absl::StrCat(
        "processes survived SIGKILL; which could not be read: ", pids.status().message()));
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(pids->size(), kMaxNamed); ++i) {
    names.push_back(absl::StrCat((*pids)[i], " ", EscapeForMessage(ReadComm((*pids)[i])), " ",
                                 EscapeForMessage(ReadWaitChannel((*pids)[i]))));
  }
  return absl::DeadlineExceededError(
      absl::StrCat(pids->size(), " processes survived SIGKILL: ", absl::StrJoin(names, ", ")));
}

void Look(std::shared_ptr<Ending> ending) {
  if (!IsCgroupPopulated(ending->directory.get())) {
    ending->directory.Reset();
    // It is empty also if it cannot be removed at once; the next start of an agent tries again.
    ending->cgroups->Remove(ending->id).IgnoreError();
    // Without a shim, to which every descendant falls that loses its parent, the cgroup is all there is.
    ending->done(
        CanBeLeft(ending->cgroups->path())
            ? absl::FailedPreconditionError("its cgroup is empty, but what ran in it could "
                                            "leave it, and its shim is gone")
            : absl::OkStatus());
    return;
  }
  if (ending->kill && ending->waited >= kPatience) {
    ending->done(SurvivorsOf(*ending));
    return;
  }
  if (ending->kill) KillCgroup(ending->directory.get()).IgnoreError();
  ending->waited += ending->pause;
  const absl::Duration pause = ending->pause;
  ending->pause = std::min(2 * pause, ending->kill ? kLongestPause : kLongestWatchPause);
  EventLoop* const loop = ending->loop;
  loop->After(pause, [ending = std::move(ending)]() mutable { Look(std::move(ending)); });
}

void Begin(bool kill, EventLoop* loop, const CgroupBase* cgroups, const std::string& id,
           absl::AnyInvocable<void(absl::Status)> done) {
  absl::StatusOr<UniqueFd> directory =
      cgroups != nullptr ? cgroups->Open(id)
                         : absl::FailedPreconditionError("no writable cgroup v2 on this host");
  if (!directory.ok()) {
    const std::string reason = absl::StrCat("nothing proves that the tree of ", id,
                                            " is empty: ", directory.status().message());
    loop->Post([done = std::move(done), reason]() mutable {
      done(absl::FailedPreconditionError(reason));
    });
    return;
  }
  auto ending =
      std::make_shared<Ending>(  // shared: AnyInvocable in a timer, moved from turn to turn
          Ending{kill, loop, cgroups, id, *std::move(directory), std::move(done),
                 absl::ZeroDuration()});
  loop->Post([ending = std::move(ending)]() mutable { Look(std::move(ending)); });
}

}  // namespace

void EndLostTree(EventLoop* loop, const CgroupBase* cgroups, const std::string& id,
                 absl::AnyInvocable<void(absl::Status)> done) {
  Begin(/*kill=*/true, loop, cgroups, id, std::move(done));
}

void AwaitEmptyTree(EventLoop* loop, const CgroupBase* cgroups, const std::string& id,
                    absl::AnyInvocable<void(absl::Status)> done) {
  Begin(/*kill=*/false, loop, cgroups, id, std::move(done));
}

}  // namespace shoal::agent
