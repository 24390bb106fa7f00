// `shoal run` among the jobs of an interactive shell: in its background, stopped by Ctrl-Z, continued
// there and in the foreground.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/system/system_test.h"
#include "tests/support/system/terminal_session.h"

namespace shoal::testing {
namespace {

class JobControl : public SystemTest {
 protected:
  // A shell at a terminal, without an editor of lines, which would take what is typed for a job.
  std::unique_ptr<TerminalSession> StartShell() {
    StartAgent("ant");
    CommandOptions options = UserOptions();
    options.env["PS1"] = "next> ";
    options.env["TERM"] = "dumb";
    const std::string directory = ShoalPath().substr(0, ShoalPath().rfind('/'));
    options.env["PATH"] = absl::StrCat(directory, ":/usr/bin:/bin");
    auto shell = std::make_unique<TerminalSession>(
        std::vector<std::string>{"/bin/bash", "--norc", "--noprofile", "--noediting", "-i"},
        options);
    shell->AwaitText("next> ");
    return shell;
  }
  // A command of the shell, up to its next prompt.
  static void Do(TerminalSession& shell, const std::string& line, const std::string& shown) {
    shell.Type(absl::StrCat(line, "\n"));
    shell.AwaitText(shown);
    shell.AwaitText("next> ");
  }
  // What is typed is echoed by the terminal and returned by the process.
  static void ExpectAnswer(TerminalSession& shell, const std::string& word) {
    shell.Type(absl::StrCat(word, "\n"));
    shell.AwaitText(absl::StrCat(word, "\r\n"));
    shell.AwaitText(absl::StrCat(word, "\r\n"));
  }
  static void End(TerminalSession& shell) {
    shell.Type("\x04");
    shell.AwaitText("next> ");
    Do(shell, "echo status $?", "\nstatus 0\r\n");
    shell.Type("exit\n");
    EXPECT_EQ(shell.Wait(), 0);
  }
};

constexpr char kCat[] = "shoal run --stdin all -n 1 --no-tag -- sh -c 'echo u\"\"p; exec cat'";

TEST_F(JobControl, InTheBackgroundItTakesNothingFromTheShellAndIsNotStopped) {
  auto shell = StartShell();
  shell->Type(absl::StrCat(kCat, " &\n"));
  shell->AwaitText("up\r\n");  // behind the prompt
  Do(*shell, "echo for the sh\"\"ell", "\nfor the shell\r\n");
  Do(*shell, "jobs", "Running");
  shell->Type("fg\n");
  shell->AwaitText("exec cat'\r\n");
  ExpectAnswer(*shell, "hello");
  End(*shell);
}

TEST_F(JobControl, WhatIsStoppedGoesOnInTheBackgroundAndInTheForeground) {
  auto shell = StartShell();
  shell->Type(absl::StrCat(kCat, "\n"));
  shell->AwaitText("\nup\r\n");
  ExpectAnswer(*shell, "first");
  shell->Type("\x1a");
  shell->AwaitText("Stopped");
  shell->AwaitText("next> ");
  Do(*shell, "bg", "exec cat' &\r\n");
  Do(*shell, "echo for the sh\"\"ell", "\nfor the shell\r\n");
  Do(*shell, "jobs", "Running");
  shell->Type("fg\n");
  shell->AwaitText("exec cat'\r\n");
  ExpectAnswer(*shell, "second");
  shell->Type("\x1a");
  shell->AwaitText("Stopped");
  shell->AwaitText("next> ");
  shell->Type("fg\n");
  shell->AwaitText("exec cat'\r\n");
  ExpectAnswer(*shell, "third");
  End(*shell);
}

}  // namespace
}  // namespace shoal::testing
