// `shoal input`: writes our stdin to the input of a process that was started with --stdin.
#include "shoal/input.h"

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/interrupts.h"
#include "client/cli/leaving.h"
#include "client/cli/one_process.h"
#include "client/cli/stdin_source.h"
#include "client/cli/units.h"
#include "common/signals.h"
#include "common/status.h"
#include "shoal/error.h"
#include "shoal/v1/error_detail.pb.h"

namespace shoal::cli {
namespace {

struct InputArguments {
  SelectorArguments selector;
  bool eof = false;
};

// What agents give as the reason where another writer was faster, or holds the input.
constexpr char kConflict[] = "INPUT_CONFLICT";

// Our stdin, of which it is known where in the input it begins.
class PlacedSource final : public InputSource {
 public:
  explicit PlacedSource(const Input& input) : input_(input), source_(STDIN_FILENO) {}

  absl::StatusOr<std::string> Read(size_t most) override {
    if (!begin_.has_value()) begin_ = input_.offset();
    return source_.Read(most);
  }
  void Stop() override { source_.Stop(); }
  void OnUnread() override { source_.OnUnread(); }

  // How many bytes of it the input has.
  int64_t written() const { return begin_.has_value() ? input_.offset() - *begin_ : 0; }

 private:
  const Input& input_;
  StdinSource source_;
  std::optional<int64_t> begin_;  // none: nothing was read
};

// Another try may work as long as nothing of ours is in the input: it would not stand there twice.
absl::Status TellConflict(const absl::Status& status, const PlacedSource& source, Input* input) {
  const std::optional<v1::ErrorInfo> info = ErrorInfoOf(status);
  if (!info.has_value() || info->reason() != kConflict) return status;
  if (source.written() > 0) {
    return absl::Status(status.code(),
                        absl::StrCat(status.message(), "; of what came on stdin ",
                                     Count(source.written(), "byte"), " went there before"));
  }
  const absl::StatusOr<v1::InputPosition> position = input->Position();
  if (!position.ok() || position->ended() || position->closed()) return status;
  return absl::AbortedError(
      absl::StrCat(status.message(), "; nothing of what came on stdin was written"));
}

absl::Status Write(const InputArguments& arguments, const Selection& selection,
                   Invocation& invocation) {
  Interrupts interrupts(Interrupts::Take::kEnds);
  SHOAL_ASSIGN_OR_RETURN(const Found found, FindOneProcess(selection, "input", invocation));
  Input input(found.host, found.process.id());
  if (IsInputGiven(STDIN_FILENO)) {
    PlacedSource source(input);
    interrupts.Deliver([name = found.process.name()](int number) {
      SayAtOnce(absl::StrCat(SignalName(number), ": ", TellInputLeft(name)));
      DieBySignal(number);
    });
    const absl::Status written = input.WriteFrom(source);
    interrupts.Deliver(DieBySignal);  // what was written is known
    if (!written.ok()) return TellConflict(written, source, &input);
  } else {
    SHOAL_RETURN_IF_ERROR(input.Position().status());  // whether it has an input
  }
  return arguments.eof ? input.Close() : absl::OkStatus();
}

int RunInput(const InputArguments& arguments, Invocation& invocation) {
  absl::StatusOr<Selection> selection = RequireSelection(arguments.selector, "give input to");
  if (!selection.ok()) return invocation.Fail(selection.status());
  const absl::Status written = Write(arguments, *selection, invocation);
  return written.ok() ? 0 : invocation.Fail(written);
}

}  // namespace

void AddInput(Parser& parser) {
  auto arguments = std::make_shared<InputArguments>();
  CLI::App* command = AddCommand(
      parser, "input", "Write stdin to the input of a process that was started with --stdin",
      "  shoal start --stdin --name py -- python3 -i\n"
      "  echo 'print(2 + 2)' | shoal input py\n"
      "  shoal input py --eof < /dev/null");
  command->add_flag("--eof", arguments->eof, "The input ends behind it");
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunInput(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
