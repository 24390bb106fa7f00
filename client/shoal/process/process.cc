#include "shoal/process.h"

#include <cxxabi.h>

#include <cstdlib>
#include <typeinfo>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "shoal/link/owner.h"
#include "shoal/outcome.h"
#include "shoal/process/child_process.h"
#include "shoal/process/program.h"
#include "shoal/process_info.h"
#include "shoal/registry.h"

namespace shoal {
namespace {

std::string TypeName(const std::type_info& type) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : type.name();
}

// What a default name begins with: the name of the class without its namespaces, and "-" for what
// may not be in the name of a process: Pool-int of shop::Pool<int>.
std::string KindOf(const std::type_info& type) {
  std::string name = internal::Registry::Get().NameOf(std::type_index(type));
  size_t colon = name.rfind(':', name.find('<'));
  if (colon != std::string::npos) name.erase(0, colon + 1);
  std::string kind;
  for (char c : name) {
    bool is_kept = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
    if (is_kept || (!kind.empty() && kind.back() != '-')) kind.push_back(is_kept ? c : '-');
  }
  while (!kind.empty() && kind.back() == '-') kind.pop_back();
  return kind.empty() ? "Process" : kind;
}

}  // namespace

Process::Process(ProcessOptions options)
    : function_{nullptr, nullptr, std::exchange(options.argument, {}), absl::OkStatus()},
      rep_(std::make_shared<internal::ChildProcess>(std::move(options),
                                                    internal::NextProcessNumber())) {}

Process::Process(internal::BoundFunction function, ProcessOptions options)
    : function_(std::move(function)),
      rep_(std::make_shared<internal::ChildProcess>(std::move(options),
                                                    internal::NextProcessNumber())) {}

Process::Process(std::shared_ptr<internal::ChildProcess> attached)
    : function_{nullptr, nullptr, {}, absl::OkStatus()}, rep_(std::move(attached)) {}

absl::StatusOr<std::unique_ptr<Process>> Process::AttachTo(std::shared_ptr<Host> host,
                                                           absl::StatusOr<v1::Process> process,
                                                           AttachOptions options) {
  SHOAL_RETURN_IF_ERROR(process.status());
  ProcessOptions known;
  known.name = process->name();
  known.detached = true;  // it is not of this program
  known.input = process->has_input();
  known.on_output = std::move(options.on_output);
  auto rep =
      std::make_shared<internal::ChildProcess>(std::move(known), internal::NextProcessNumber());
  SHOAL_RETURN_IF_ERROR(
      rep->Attach(std::move(host), *process, options.takeover, options.acknowledges));
  return std::unique_ptr<Process>(new Process(std::move(rep)));
}

absl::StatusOr<std::unique_ptr<Process>> Process::Attach(std::shared_ptr<Host> host,
                                                         absl::string_view process,
                                                         AttachOptions options) {
  absl::StatusOr<v1::Process> found = host->Get(process);
  return AttachTo(std::move(host), std::move(found), std::move(options));
}

absl::StatusOr<std::unique_ptr<Process>> Process::AttachByRequest(std::shared_ptr<Host> host,
                                                                  absl::string_view request_id,
                                                                  AttachOptions options) {
  absl::StatusOr<v1::Process> found = host->GetByRequest(request_id);
  return AttachTo(std::move(host), std::move(found), std::move(options));
}

// The program may join it yet, and read what it writes; but what on_output refers to may be gone.
// In a fork nothing of it is touched.
Process::~Process() {
  internal::KeepInFork(rep_);
  if (internal::IsForked()) return;
  rep_->Abandon();
}

absl::Status Process::Run() {
  if (function_.function == nullptr) {
    return absl::UnimplementedError(
        absl::StrCat(name(), " runs a command: there is nothing to call in this process"));
  }
  SHOAL_RETURN_IF_ERROR(function_.broken);
  SHOAL_ASSIGN_OR_RETURN(std::string result, function_.function(function_.argument));
  KeepResult(std::move(result));
  return absl::OkStatus();
}

void Process::KeepResult(absl::StatusOr<std::string> bytes) { rep_->KeepResult(std::move(bytes)); }

absl::StatusOr<std::string> Process::RegisteredName() const {
  const std::type_info& type = typeid(*this);
  std::string name = type == typeid(Process)
                         ? internal::Registry::Get().NameOf(function_.key)
                         : internal::Registry::Get().NameOf(std::type_index(type));
  bool is_command = type == typeid(Process) && function_.function == nullptr;
  if (is_command) return std::string();
  if (name.empty()) {
    return absl::FailedPreconditionError(
        type == typeid(Process)
            ? std::string("its function is not registered: SHOAL_REGISTER_FUNCTION(…) is missing")
            : absl::StrCat("class ", TypeName(type), " is not registered: SHOAL_REGISTER_PROCESS(",
                           TypeName(type), ") is missing"));
  }
  if (!internal::IsInitialized()) {
    return absl::FailedPreconditionError(
        "shoal::Init(&argc, &argv) was not called at the start of main(): the child would not know "
        "that it is one");
  }
  return name;
}

absl::Status Process::Start() {
  absl::StatusOr<std::string> function = RegisteredName();
  if (function.ok() && !function_.broken.ok()) function = function_.broken;
  if (!function.ok()) {
    return absl::Status(function.status().code(),
                        absl::StrCat("cannot start ", name(), ": ", function.status().message()));
  }
  if (typeid(*this) == typeid(Process)) {
    return rep_->Start({*std::move(function), function_.argument}, name());
  }
  absl::StatusOr<std::string> saved = Save();
  if (!saved.ok()) {
    return absl::Status(
        saved.status().code(),
        absl::StrCat("cannot start ", name(), ": Save(): ", saved.status().message()));
  }
  return rep_->Start({*std::move(function), *saved}, name());
}

absl::StatusOr<bool> Process::Join(absl::Duration timeout) { return rep_->Join(timeout); }
absl::Status Process::Wait(absl::Duration timeout) { return rep_->Wait(timeout); }
absl::StatusOr<std::string> Process::Result() const& { return rep_->Result(); }
absl::StatusOr<std::string> Process::Result() && { return rep_->TakeResult(); }

absl::StatusOr<bool> Process::IsAlive() { return rep_->IsAlive(); }

std::optional<int> Process::ExitCode() {
  rep_->Refresh().IgnoreError();  // nothing, if it cannot be known
  return PythonExitCode(rep_->Info());
}

std::string Process::name() const {
  std::string name = rep_->Name();
  bool is_command = typeid(*this) == typeid(Process) && function_.function == nullptr;
  if (!name.empty() || is_command || rep_->detached()) return name;
  return internal::DefaultName(KindOf(typeid(*this)), rep_->number());
}

int Process::Pid() const { return rep_->Info().pid(); }
std::string Process::Id() const { return rep_->Info().id(); }
absl::StatusOr<int> Process::Sentinel() { return rep_->Sentinel(); }
absl::StatusOr<Input> Process::input() const { return rep_->OpenInput(); }
bool Process::daemon() const { return rep_->daemon(); }
absl::Status Process::set_daemon(bool daemon) { return rep_->set_daemon(daemon); }
absl::Status Process::set_name(absl::string_view name) { return rep_->set_name(name); }
absl::Status Process::Terminate() { return rep_->End(/*kill=*/false); }
absl::Status Process::Kill() { return rep_->End(/*kill=*/true); }
absl::Status Process::Interrupt() { return rep_->Interrupt(); }
absl::Status Process::Detach() { return rep_->Detach(); }
absl::Status Process::Close() { return rep_->Close(); }
absl::StatusOr<std::string> Process::ReadOutput(v1::StreamKind stream) {
  return rep_->ReadOutput(stream);
}
v1::Process Process::info() const { return rep_->Info(); }

absl::Status EndProgram() { return Program::Get().End(); }

std::vector<v1::Process> ActiveChildren() {
  std::vector<v1::Process> active;
  if (internal::IsForked()) return active;  // they are those of its parent
  for (const std::shared_ptr<Child>& child : Program::Get().Children()) {
    child->Refresh().IgnoreError();  // what is not known to have ended is taken to run
    v1::Process process = child->Info();
    if (!HasEnded(process)) active.push_back(std::move(process));
  }
  return active;
}

}  // namespace shoal
