#include "client/cli/exit_status.h"

#include "client/cli/start_error.h"
#include "gtest/gtest.h"
#include "shoal/error.h"

namespace shoal::cli {
namespace {

TEST(ExitStatus, TellsScriptsWhatToDo) {
  EXPECT_EQ(ExitStatusOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitStatusOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitStatusOf(absl::UnavailableError("")), 69);
  EXPECT_EQ(ExitStatusOf(absl::ResourceExhaustedError("")), 75);
  EXPECT_EQ(ExitStatusOf(absl::DeadlineExceededError("")), 75);
  EXPECT_EQ(ExitStatusOf(absl::AbortedError("")), 75);
  EXPECT_EQ(ExitStatusOf(absl::NotFoundError("")), 1);
  EXPECT_EQ(ExitStatusOf(absl::AlreadyExistsError("")), 1);
}

TEST(ExitStatus, WhatAnAgentAnswersIsNoHostThatIsAway) {
  EXPECT_EQ(ExitStatusOf(StatusOfAnswer(14, "the disk is read-only")), 75);
  EXPECT_EQ(StatusOfAnswer(14, "the disk is read-only").message(), "the disk is read-only");
  EXPECT_EQ(StatusOfAnswer(5, "gone"), absl::NotFoundError("gone"));
  v1::RequestError error;
  error.set_code(14);
  error.set_message("the disk is read-only");
  EXPECT_EQ(ExplainStartError(error, "sim", "ant").exit_status, 75);
}

TEST(WithDoubt, IsSaidOfWhatMayHaveBeenDoneOnly) {
  const absl::Status lost = absl::UnavailableError("gone");
  EXPECT_EQ(WithDoubt(lost, "it may run"), lost);
  absl::Status doubtful = lost;
  internal::MarkAsMaybeDone(&doubtful);
  EXPECT_EQ(WithDoubt(doubtful, "it may run").message(), "gone; it may run");
  EXPECT_TRUE(MayBeDone(WithDoubt(doubtful, "it may run")));
}

TEST(ToSentence, IsOneLineWithAnEnd) {
  EXPECT_EQ(ToSentence(absl::UnknownError("a\nb")), "a\\nb.");
  EXPECT_EQ(ToSentence(absl::UnknownError("done?")), "done?");
  EXPECT_EQ(ToSentence(absl::UnknownError("")), "UNKNOWN.");
}

TEST(ToSentence, DropsWhereInABatchAndHintsAtWhatIsHeld) {
  EXPECT_EQ(ToSentence(absl::InvalidArgumentError("specs[0]: name: too long")), "name: too long.");
  EXPECT_EQ(ToSentence(absl::InvalidArgumentError("specs[0].argv: empty")), "argv: empty.");
  EXPECT_EQ(ToSentence(absl::AlreadyExistsError("the name is held by x")),
            "the name is held by x. Stop it first, or choose another.");
  EXPECT_EQ(ToSentence(absl::AlreadyExistsError("held. Stop it.")), "held. Stop it.");
  EXPECT_EQ(ToSentence(absl::AlreadyExistsError("request_id reused")), "request_id reused.");
  EXPECT_EQ(ToSentence(absl::UnknownError("no!")), "no!");
}

TEST(StartError, OfOneFoundInPathAsksForThat) {
  v1::RequestError error;
  error.set_code(9);
  error.set_message("exec sim: No such file or directory");
  error.mutable_start_failure()->set_stage("execve");
  error.mutable_start_failure()->set_error_number(2);
  StartError told = ExplainStartError(error, "sim", "ant");
  EXPECT_EQ(told.sentence,
            "cannot start sim on ant: exec: No such file or directory. Is it on that host, and in "
            "the PATH there?");
  EXPECT_EQ(told.exit_status, 127);
}

TEST(StartError, OfARequestIsThatOfTheAgentWithTheHost) {
  v1::RequestError error;
  error.set_code(8);
  error.set_message("too many processes");
  StartError told = ExplainStartError(error, "sim", "ant");
  EXPECT_EQ(told.sentence, "ant: too many processes.");
  EXPECT_EQ(told.exit_status, 75);
  error.set_code(3);
  error.set_message("specs[0].cwd: not absolute on ant");
  told = ExplainStartError(error, "sim", "ant");
  EXPECT_EQ(told.sentence, "cwd: not absolute on ant.");
  EXPECT_EQ(told.exit_status, 2);
}

TEST(StartError, AMissingProgramIs127AndAsksWhetherItIsThere) {
  v1::RequestError error;
  error.set_code(9);
  error.set_message("exec ./sim: No such file or directory");
  error.mutable_start_failure()->set_stage("execve");
  error.mutable_start_failure()->set_error_number(2);
  StartError told = ExplainStartError(error, "./sim", "ant");
  EXPECT_EQ(told.sentence,
            "cannot start ./sim on ant: exec: No such file or directory. Is it on that host? "
            "`--ship ./sim` sends it along.");
  EXPECT_EQ(told.exit_status, 127);
  EXPECT_EQ(ExplainStartError(error, "./sim", "ant", {}, /*may_ship=*/false).sentence,
            "cannot start ./sim on ant: exec: No such file or directory. Is it on that host?");
}

TEST(StartError, AMissingProgramOfSeveralWordsMeansAShell) {
  v1::RequestError error;
  error.set_code(9);
  error.set_message("exec ls | wc: No such file or directory");
  error.mutable_start_failure()->set_stage("execve");
  error.mutable_start_failure()->set_error_number(2);
  EXPECT_EQ(
      ExplainStartError(error, "ls | wc", "ant").sentence,
      "cannot start 'ls | wc' on ant: exec: No such file or directory. It is taken as one word; a "
      "shell takes it apart: `sh -c 'ls | wc'`.");
  error.set_message("exec ls -l: No such file or directory (not found in PATH /usr/bin:/bin)");
  EXPECT_EQ(ExplainStartError(error, "ls -l", "ant").sentence,
            "cannot start 'ls -l' on ant: exec: No such file or directory (not found in PATH "
            "/usr/bin:/bin). It is taken as one word; a shell takes it apart: `sh -c 'ls -l'`.");
  error.set_message("exec lss: No such file or directory (not found in PATH /usr/bin:/bin)");
  EXPECT_EQ(ExplainStartError(error, "lss", "ant").sentence,
            "cannot start lss on ant: exec: No such file or directory (not found in PATH "
            "/usr/bin:/bin).");
}

TEST(StartError, AMissingProgramThatWasSentAlongHasAPathThere) {
  v1::RequestError error;
  error.set_code(9);
  error.set_message("exec sim: No such file or directory");
  error.mutable_start_failure()->set_stage("execve");
  error.mutable_start_failure()->set_error_number(2);
  EXPECT_EQ(
      ExplainStartError(error, "sim", "ant", {"mesh.h5", "sim"}).sentence,
      "cannot start sim on ant: exec: No such file or directory. The file that was sent along "
      "is called `./sim` there.");
}

TEST(StartError, AFieldIsCalledAsItsOption) {
  v1::RequestError error;
  error.set_code(9);
  error.set_message("load does not offer itself to be forked; fork_wait would wait longer");
  error.mutable_start_failure()->set_stage("fork");
  const StartError told = ExplainStartError(error, "x", "ant");
  EXPECT_EQ(
      told.sentence,
      "cannot start x on ant: load does not offer itself to be forked; --fork-wait would wait "
      "longer.");
  EXPECT_EQ(told.exit_status, 125);
}

TEST(StartError, WhatTheHostIsShortOfIsWorthTryingAgain) {
  v1::RequestError error;
  error.set_code(8);
  error.set_message("fork: Resource temporarily unavailable");
  error.mutable_start_failure()->set_stage("fork");
  error.mutable_start_failure()->set_error_number(11);
  EXPECT_EQ(ExplainStartError(error, "ls", "ant").exit_status, 75);
}

TEST(StartError, ADirectoryIs126AndAMissingCwd125) {
  v1::RequestError error;
  error.set_code(9);
  error.set_message("exec /tmp: Permission denied");
  error.mutable_start_failure()->set_stage("execve");
  error.mutable_start_failure()->set_error_number(13);
  EXPECT_EQ(ExplainStartError(error, "/tmp", "ant").exit_status, 126);
  error.set_message("chdir /nowhere: No such file or directory");
  error.mutable_start_failure()->set_stage("chdir");
  error.mutable_start_failure()->set_error_number(2);
  StartError told = ExplainStartError(error, "ls", "ant");
  EXPECT_EQ(told.exit_status, 125);
  EXPECT_EQ(told.sentence,
            "cannot start ls on ant: chdir /nowhere: No such file or directory. Is that directory "
            "on that host? `--cwd DIR` names another.");
}

TEST(StartError, ATakenNameKeepsItsSentence) {
  v1::RequestError error;
  error.set_code(6);
  error.set_message("name \"web\" is held by process 7KQ2MD (running, PID 48213)");
  StartError told = ExplainStartError(error, "sleep", "ant");
  EXPECT_EQ(
      told.sentence,
      "the name \"web\" is held on ant by process 7KQ2MD (running, PID 48213). Stop it first, or "
      "choose another.");
  EXPECT_EQ(told.exit_status, 125);
}

}  // namespace
}  // namespace shoal::cli
