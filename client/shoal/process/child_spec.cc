#include "shoal/process/child_spec.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "shoal/child/function_call.h"
#include "shoal/context.h"
#include "shoal/duration.h"
#include "shoal/process_info.h"

namespace shoal::internal {
namespace {

constexpr absl::Duration kLongestWait = absl::Hours(365 * 24);

v1::StartMethod ToProto(StartMethod method) {
  switch (method) {
    case StartMethod::kSpawn:
      return v1::START_METHOD_SPAWN;
    case StartMethod::kForkServer:
      return v1::START_METHOD_FORKSERVER;
    case StartMethod::kFork:
      return v1::START_METHOD_FORK;
  }
  return v1::START_METHOD_UNSPECIFIED;
}

absl::Status CheckPlace(const ProcessOptions& options) {
  if (options.host != nullptr && options.slot.host != nullptr &&
      options.host != options.slot.host) {
    return absl::InvalidArgumentError("host and slot: they name different hosts");
  }
  return absl::OkStatus();
}

absl::Status CheckMethod(const ProcessOptions& options, const Work& work) {
  bool is_fork = StartMethodOf(options, work) == StartMethod::kFork;
  if (is_fork && options.fork_of.empty()) {
    return absl::InvalidArgumentError(
        "fork_of: kFork wants the name of a running process that offers itself (OfferForks)");
  }
  if (!is_fork && !options.fork_of.empty()) {
    return absl::InvalidArgumentError("fork_of: it is for start_method kFork only");
  }
  if (StartMethodOf(options, work) == StartMethod::kSpawn && options.fork_wait.has_value()) {
    return absl::InvalidArgumentError("fork_wait: it is for start_method kFork and kForkServer");
  }
  return absl::OkStatus();
}

void AddCall(const ProcessOptions& options, const Work& work, v1::ProcessSpec* spec) {
  FunctionCall call;
  call.function = work.function;
  if (work.argument.size() <= kMaxInlineArgumentBytes) call.argument = std::string(work.argument);
  call.parent = CurrentProcess();
  call.daemon = IsDaemon(options);
  call.start_method = GetStartMethod();
  for (const std::string& entry : ToEnvironment(call)) spec->add_env(entry);
  spec->mutable_output()->set_result(true);
  // Not the directory of what is sent along, which is another one each time, or none.
  if (spec->cwd().empty()) spec->set_cwd("/");
}

}  // namespace

absl::Status CheckOptions(const ProcessOptions& options, const Work& work) {
  if (!work.is_function() && options.command.empty()) {
    return absl::InvalidArgumentError("command: it is empty");
  }
  if (work.is_function() && !options.command.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("command: the process runs ", work.function, ", so it has none"));
  }
  if (options.daemon.value_or(false) && options.detached) {
    return absl::InvalidArgumentError(
        "daemon and detached: a process either ends with its program or outlives it");
  }
  if (options.inherit_cwd && !options.cwd.empty()) {
    return absl::InvalidArgumentError("cwd and inherit_cwd: they name different directories");
  }
  if (options.input && !options.input_file.empty()) {
    return absl::InvalidArgumentError("input and input_file: stdin is one of both");
  }
  if (absl::Status place = CheckPlace(options); !place.ok()) return place;
  return CheckMethod(options, work);
}

bool IsDaemon(const ProcessOptions& options) {
  return options.daemon.value_or(CurrentProcess().daemon());
}

StartMethod StartMethodOf(const ProcessOptions& options, const Work& work) {
  if (options.start_method.has_value()) return *options.start_method;
  return work.is_function() ? GetStartMethod() : StartMethod::kSpawn;
}

v1::ProcessSpec MakeSpec(const ProcessOptions& options, const Work& work) {
  v1::ProcessSpec spec;
  for (const std::string& word : options.command) spec.add_argv(word);
  for (const std::string& entry : options.env) spec.add_env(entry);
  spec.set_cwd(options.cwd);
  spec.set_name(options.name);
  spec.set_lifetime(options.detached ? v1::LIFETIME_DETACHED : v1::LIFETIME_SESSION);
  spec.set_daemon(IsDaemon(options));
  *spec.mutable_grace() = ::shoal::ToProto(options.grace);
  if (options.time_limit != absl::InfiniteDuration()) {
    *spec.mutable_time_limit() = ::shoal::ToProto(options.time_limit);
  }
  spec.mutable_output()->set_merge_stderr(options.merge_stderr);
  if (options.input) spec.mutable_input()->mutable_stream();
  if (!options.input_file.empty()) spec.mutable_input()->set_file(options.input_file);
  // No writer waits for a reader that there is not.
  const bool is_read =
      work.is_function() || options.on_output != nullptr || options.forward_output.value_or(false);
  if (!is_read) spec.mutable_output()->set_overflow(v1::OVERFLOW_POLICY_DROP_OLDEST);
  for (const auto& [key, value] : options.labels) (*spec.mutable_labels())[key] = value;
  spec.set_start_method(ToProto(StartMethodOf(options, work)));
  spec.set_fork_of(options.fork_of);
  if (options.fork_wait.has_value()) {
    *spec.mutable_fork_wait() = ::shoal::ToProto(std::min(*options.fork_wait, kLongestWait));
  }
  spec.set_forbid_children(options.forbid_children);
  const ProcessInfo& self = CurrentProcess();
  if (!self.id().empty()) spec.set_started_by(absl::StrCat(self.host(), "/", self.id()));
  if (work.is_function()) AddCall(options, work, &spec);
  return spec;
}

}  // namespace shoal::internal
