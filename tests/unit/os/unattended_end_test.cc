// `shoald --terminate`: processes are ended whose agent is gone.
#include "agent/os/unattended_end.h"

#include <gmock/gmock.h>
#include <sys/prctl.h>

#include "tests/unit/os/system_shims_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

class UnattendedEndTest : public SystemShimsTest {
 protected:
  // A process that runs, by id.
  std::string Run(const std::vector<std::string>& verbs, const std::string& name = "",
                  int64_t grace_ns = 5'000'000'000) {
    ShimStart start = Plan(verbs);
    start.name = name;
    start.desired.grace_ns = grace_ns;
    const int slot = Start(start);
    EXPECT_TRUE(WaitFor(slot, start.id, record::kStarted));
    return start.id;
  }
  // One that SIGTERM does not end.
  std::string RunStubborn(int64_t grace_ns) {
    std::string id = Run({"ignore", "15", "print", "up", "pause"}, "", grace_ns);
    EXPECT_TRUE(RunUntil(loop_.get(), [&] { return OutputOf(SlotOf(id), id) == "up"; }));
    return id;
  }
  // What is said without an agent; it is there again afterwards.
  absl::StatusOr<bool> End(const std::string& which,
                           std::optional<absl::Duration> grace = std::nullopt,
                           absl::Duration proof_time = kDeadline) {
    shims_.reset();
    lines_.clear();
    absl::StatusOr<bool> over =
        EndUnattended({scratch_.path(), *ReadBootId(), which, grace, proof_time},
                      [this](const std::string& line) { lines_.push_back(line); });
    OpenShims();
    shims_->Recover();
    return over;
  }
  int SlotOf(const std::string& id) const {
    for (const auto& [slot, running] : running_) {
      if (running == id) return slot;
    }
    return 0;
  }

  std::vector<std::string> lines_;
};

TEST_F(UnattendedEndTest, AllAreEndedAndEachIsTold) {
  const std::string web = Run({"pause"}, "web");
  const std::string stubborn = RunStubborn(50'000'000);
  const absl::StatusOr<bool> over = End("all");
  ASSERT_TRUE(over.ok()) << over.status();
  EXPECT_TRUE(*over);
  EXPECT_THAT(lines_, UnorderedElementsAre(absl::StrCat(web, " web: ended by SIGTERM"),
                                           absl::StrCat(stubborn, ": ended by SIGKILL")));
}

TEST_F(UnattendedEndTest, TheGraceThatIsGivenIsThatOfAll) {
  const std::string stubborn = RunStubborn(3'600'000'000'000);
  const absl::StatusOr<bool> over = End("all", absl::Milliseconds(50));
  ASSERT_TRUE(over.ok()) << over.status();
  EXPECT_THAT(lines_, ElementsAre(absl::StrCat(stubborn, ": ended by SIGKILL")));
}

TEST_F(UnattendedEndTest, OneIsEndedByTheBeginningOfItsId) {
  const std::string web = Run({"pause"});
  const std::string other = Run({"pause"});
  const absl::StatusOr<bool> over = End(web.substr(0, 8));
  ASSERT_TRUE(over.ok()) << over.status();
  EXPECT_TRUE(*over);
  EXPECT_THAT(lines_, ElementsAre(absl::StrCat(web, ": ended by SIGTERM")));
  EXPECT_TRUE(shims_->Look(SlotOf(other), other).locked);
}

TEST_F(UnattendedEndTest, TheNextAgentFindsWhoAskedForIt) {
  const std::string web = Run({"pause"});
  ASSERT_TRUE(End("all").ok());
  const ShimView view = shims_->Look(SlotOf(web), web);
  ASSERT_TRUE(view.agent && view.shim);
  EXPECT_EQ(std::string(view.agent->end_asked_by),
            absl::StrCat("uid:", geteuid(), " (shoald --terminate)"));
  EXPECT_EQ(view.agent->end_asked_signal, SIGTERM);
  EXPECT_NE(view.agent->end_asked_ns, 0);
  EXPECT_EQ(view.shim->end_cause, record::EndCause::kRequested);
}

TEST_F(UnattendedEndTest, WhatIsOverIsToldOnlyIfItIsAskedFor) {
  const std::string over_already = Run({"exit", "3"});
  EXPECT_TRUE(WaitFor(SlotOf(over_already), over_already, record::kFinal));
  ASSERT_TRUE(End("all").ok());
  EXPECT_THAT(lines_, ElementsAre());
  ASSERT_TRUE(End(over_already).ok());
  EXPECT_THAT(lines_, ElementsAre(absl::StrCat(over_already, ": exited with code 3")));
}

TEST_F(UnattendedEndTest, AStoppedShimIsNotCalledAnEnd) {
  const std::string web = Run({"pause"});
  const pid_t shim = shims_->Look(SlotOf(web), web).shim->shim_pid;
  ASSERT_EQ(kill(shim, SIGSTOP), 0);
  const absl::StatusOr<bool> over =
      End("all", absl::ZeroDuration(), /*proof_time=*/absl::Milliseconds(1));
  kill(shim, SIGCONT);
  ASSERT_TRUE(over.ok()) << over.status();
  EXPECT_FALSE(*over);
  EXPECT_THAT(lines_, ElementsAre(absl::StrCat(
                          web, ": not over: its shim does not react (is it stopped?)")));
}

TEST_F(UnattendedEndTest, TheTreeOfAKilledShimIsEndedByItsCgroup) {
  if (!shims_->has_cgroup()) GTEST_SKIP() << "no writable cgroup v2 here";
  const std::string web = Run({"daemon", "1", "pause", "--", "pause"});
  const int slot = SlotOf(web);
  EXPECT_TRUE(
      RunUntil(loop_.get(), [&] { return shims_->Members(EntryOf(slot, web))->size() > 1; }));
  ASSERT_EQ(kill(shims_->Look(slot, web).shim->shim_pid, SIGKILL), 0);
  EXPECT_TRUE(WaitForDeath(slot));
  const absl::StatusOr<bool> over = End("all");
  ASSERT_TRUE(over.ok()) << over.status();
  EXPECT_FALSE(*over);
  EXPECT_THAT(lines_,
              ElementsAre(absl::StrCat(
                  web,
                  ": its shim is gone and its cgroup is empty, but what ran in it could leave it: "
                  "its tree is unproven")));
}

TEST_F(UnattendedEndTest, IsRefusedWhileAnAgentServesTheDirectory) {
  Run({"pause"});
  const absl::StatusOr<bool> over = EndUnattended({scratch_.path(), *ReadBootId(), "all"},
                                                  [](const std::string&) { ADD_FAILURE(); });
  EXPECT_TRUE(absl::IsUnavailable(over.status())) << over.status();
}

TEST_F(UnattendedEndTest, WhatCannotBeMeantIsRefused) {
  Run({"pause"});
  EXPECT_THAT(std::string(End("ABC").status().message()),
              AllOf(HasSubstr("\"ABC\" is neither 'all' nor an id"), HasSubstr("6 characters")));
  EXPECT_TRUE(absl::IsNotFound(End("AAAAAAAAAAAAAAAA").status()));
  const ScratchDirectory empty;
  const absl::StatusOr<bool> none = EndUnattended({empty.path(), *ReadBootId(), "all"},
                                                  [](const std::string&) { ADD_FAILURE(); });
  EXPECT_EQ(none.status().message(),
            absl::StrCat("there are no records of an agent in ", empty.path(),
                         "; --run-dir or --socket may name another directory"));
  EXPECT_FALSE(std::filesystem::exists(empty / "records"));
}

}  // namespace
}  // namespace shoal::agent
