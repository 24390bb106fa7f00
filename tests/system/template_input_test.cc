// Input and terminals of processes that are forked from a warm template.
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "common/unique_fd.h"
#include "tests/support/system/terminal_session.h"
#include "tests/system/template_fixture.h"

namespace shoal::testing {
namespace {

class TemplateInput : public TemplateTest {
 protected:
  CommandResult RunWith(const std::string& input, const std::string& verb) {
    const std::string path = Scratch("input");
    WriteFile(path, input);
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    CommandOptions options = UserOptions();
    options.stdin_fd = file.get();
    return RunningCommand({ShoalPath(), "run", "-n", "1", "--start-method", "forkserver", "--",
                           script(), verb},
                          options)
        .Wait();
  }
};

TEST_F(TemplateInput, WhatIsSentComesThroughByteForByte) {
  StartAgent("ant");
  std::string bytes(5 << 20, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + i / 4099);
  for (int i = 0; i < 2; ++i) {
    const CommandResult result = RunWith(bytes, "cat");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(result.out == bytes);
  }
}

TEST_F(TemplateInput, TheTerminalHasItsSizeBeforeTheProcessRuns) {
  StartAgent("ant");
  for (const int rows : {33, 7}) {
    CommandOptions options = UserOptions();
    options.env["TERM"] = "xterm";
    TerminalSession run(
        {ShoalPath(), "run", "-t", "--start-method", "forkserver", "--", script(), "size"}, options,
        rows, 101);
    run.AwaitText("size 101 " + std::to_string(rows) + "\r\n");
    run.Type("hello\r");
    run.AwaitText("hello\r\ngot hello\r\n");
    EXPECT_EQ(run.Wait(), 0);
  }
}

}  // namespace
}  // namespace shoal::testing
