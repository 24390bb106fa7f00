// A process on some host, in the shape of Python's multiprocessing.Process: a function of this
// program, Run() of a subclass, or a command.
//
//   absl::StatusOr<std::string> Square(const std::string& number);
//   SHOAL_REGISTER_FUNCTION(Square);                        // registry.h
//   …
//   shoal::Init(&argc, &argv);                              // init.h; first in main()
//   shoal::Process process(Square, "12", {.slot = slot});
//   process.Start(); process.Join(); process.Result();      // "144"
//
// In the new process a subclass is made anew, from its options alone: members that were set here are
// not set there, unless Save() and Load() carry them.
//
// A Process belongs to this program: it is owned by a session that the library opens once per host
// and keeps alive, so that it ends when this program does, however that comes. At the end of the
// program (return from main, exit(), or EndProgram() if that is called before) the processes that
// are not daemons are joined, then the daemons are ended, then the sessions are closed.
// ProcessOptions.detached instead daemonizes in the Unix sense: such a process outlives this
// program and is neither joined nor ended.
//
// A function or Run() that returns an error, or throws, ends its process with exit code 1 and the
// message on its stderr; the error itself comes back from Join(). One that ends in any other way
// than by returning (exit(0), a signal, main() that returns before Init()) has an exit code and no
// result, and that is an error, too. A command is joined without one, whatever its exit is.
//
// In a fork of this program every call is FAILED_PRECONDITION; destructors and exit() do nothing.
//
// Ownership:     the caller's; holds its Host. Destroying it does not end the process, but
//                the calls of on_output.
// Thread-safety: thread-safe.
// Blocking:      Start, Join, Terminate, Kill, Interrupt, Detach and Close make a call to the agent,
//                and say what they wait for. So do IsAlive and ExitCode until the end is known,
//                ReadOutput, Attach and AttachByRequest, and EndProgram and ActiveChildren. The
//                first Sentinel begins a call for all processes of this program on its host,
//                without waiting for it. The rest answers from what was last heard.
// Errors:        FAILED_PRECONDITION with a sentence where Python raises; else as the proto says.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_H_

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "shoal/attach_options.h"
#include "shoal/function.h"
#include "shoal/input.h"
#include "shoal/process_mistakes.h"
#include "shoal/process_options.h"

namespace shoal {

namespace internal {
class ChildProcess;
}

class Process {
 public:
  // The command of the options, or Run() of the subclass whose constructor this is.
  explicit Process(ProcessOptions options = {});
  // A function without an argument. It must be registered: see registry.h.
  template <typename Returned>
  explicit Process(Returned (*function)(), ProcessOptions options = {})
      : Process(internal::BoundFunction{internal::KeyOf(function), internal::Bind(function), "",
                                        absl::OkStatus()},
                std::move(options)) {}
  // A function and its argument: bytes, or the protobuf message that it takes.
  template <typename Returned, typename Parameter, typename Argument>
  Process(Returned (*function)(Parameter), const Argument& argument, ProcessOptions options = {});
  // What both become; nothing for users.
  Process(internal::BoundFunction function, ProcessOptions options);

  // Does not compile, and says why: see process_mistakes.h.
  template <typename... What,
            std::enable_if_t<internal::kIsMistake<std::decay_t<What>...>, int> = 0>
  explicit Process(const What&...) : Process() {
    internal::Refuse<std::decay_t<What>...>();
  }
  template <typename Returned, typename Parameter>
  Process(Returned (*function)(Parameter), ProcessOptions) : Process() {
    internal::Refuse<decltype(function), ProcessOptions>();
  }

  // A process that was started by another program, or by this one in an earlier life: by its name or id. It is no child
  // of this program: neither joined nor ended with it. Output is read from any offset, input goes on where it stands;
  // what a function returned is not read. NOT_FOUND; INVALID_ARGUMENT: it fits several. With TakeoverRule::kAtOnce the
  // errors of Session::TakeOver(), but for a session that is over: what is left of the process can be attached to.
  static absl::StatusOr<std::unique_ptr<Process>> Attach(std::shared_ptr<Host> host,
                                                         absl::string_view process,
                                                         AttachOptions options = {});
  // The same by nothing but the request_id of its start, for the identity that has started it.
  static absl::StatusOr<std::unique_ptr<Process>> AttachByRequest(std::shared_ptr<Host> host,
                                                                  absl::string_view request_id,
                                                                  AttachOptions options = {});

  virtual ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // What Start() runs in the new process. A subclass overrides it, and registers itself; it may be
  // called in this process, too. Of a Process with a function it calls that, and keeps what it
  // returns for Result(). UNIMPLEMENTED: it is a command.
  virtual absl::Status Run();

  // What travels to the new process: bytes, which Load() gets there before Run() is called. The
  // members of a subclass do not travel by themselves: one that needs them overrides both. Save() is
  // called by Start(), which returns its error; an error of Load() is as one of Run(). By default
  // Save() is argument(), and what it was is argument() there in any case.
  virtual absl::StatusOr<std::string> Save() const { return function_.argument; }
  virtual absl::Status Load(const std::string& /*saved*/) { return absl::OkStatus(); }

  // Starts it and returns once it runs. FAILED_PRECONDITION: it was started before; this process is
  // daemonic; Init() was not called, or what it runs is not registered; or the kernel refused.
  // INVALID_ARGUMENT: an option, or its argument cannot be made bytes.
  // ALREADY_EXISTS: the name is held by a process that runs, or whose descendants were not seen to
  // end within twice its grace, for which this waits. DEADLINE_EXCEEDED, after 5 minutes, and UNAVAILABLE, when its
  // host was not reached for 30 s: it may run all the same; Start() called again finds it.
  absl::Status Start();

  // Waits until it has ended, and its output and result are complete: true; false if `timeout`
  // passed before. The error that its function or Run() returned, or the exception that ended it or
  // came of on_output (INTERNAL), or what kept its output from our stdout; the same each time. FAILED_PRECONDITION, with how it ended: it
  // did so before it returned anything. DATA_LOSS: its result was lost on the way. Of a command,
  // the error that kept its output from us. FAILED_PRECONDITION: not
  // started, or closed. UNAVAILABLE: its host was not reached for a minute.
  absl::StatusOr<bool> Join(absl::Duration timeout = absl::InfiniteDuration());

  // Join(), and INTERNAL, with how it ended, for all but success; DEADLINE_EXCEEDED: it has not.
  absl::Status Wait(absl::Duration timeout = absl::InfiniteDuration());

  // What the function returned, or Run() gave to SetResult(): bytes, or a message of that type.
  // FAILED_PRECONDITION: it has not been joined.
  // The error that Join() returns. INVALID_ARGUMENT: the result is not such a message.
  absl::StatusOr<std::string> Result() const&;
  // The same without a copy of it, for the last one that asks: std::move(process).Result(). What is
  // asked later is FAILED_PRECONDITION.
  absl::StatusOr<std::string> Result() &&;
  template <typename Message>
  absl::StatusOr<Message> Result() const;

  // Asks the agent whether it runs. False before Start() and after the end. UNAVAILABLE,
  // DEADLINE_EXCEEDED: its host was not reached, so that it may live. FAILED_PRECONDITION: closed.
  absl::StatusOr<bool> IsAlive();

  // The code, or −signal. Nothing while it lives, before Start(), and if the exit is unknown: see
  // info().
  std::optional<int> ExitCode();

  // 0 before Start().
  int Pid() const;
  // Given by the agent; empty before Start().
  std::string Id() const;
  // A descriptor that poll(2) finds readable once Join() need not wait: the process has ended, its
  // output was passed on; or its host is not reached. Neither read nor close it: it lives as long
  // as this object. FAILED_PRECONDITION: not started.
  absl::StatusOr<int> Sentinel();

  // Its stdin, with ProcessOptions.input. FAILED_PRECONDITION: it has none, was not started, or is closed.
  absl::StatusOr<Input> input() const;

  std::string name() const;
  bool daemon() const;
  // FAILED_PRECONDITION: it was started.
  absl::Status set_daemon(bool daemon);
  absl::Status set_name(absl::string_view name);

  // SIGTERM, and SIGKILL after the grace; does not wait for the end. OK when it has ended already.
  absl::Status Terminate();
  // SIGKILL to the whole tree; does not wait for the end.
  absl::Status Kill();
  // SIGINT to the process itself, as Ctrl-C gives it; what becomes of it is its own affair. OK when
  // it has ended already.
  absl::Status Interrupt();
  // Makes it DETACHED: from now on it outlives its session, and with that this program. FAILED_PRECONDITION: it
  // has ended. PERMISSION_DENIED: it is another identity's. ALREADY_EXISTS: its name is that of a DETACHED one.
  absl::Status Detach();
  // Forgets the process and its output. FAILED_PRECONDITION: it still runs, or 5 s after this call
  // its tree was not seen to be empty. Closed, it answers
  // FAILED_PRECONDITION to everything that asks the agent. Closing twice is OK.
  absl::Status Close();

  // Everything written to `stream` until now, as far as the agent keeps it. FAILED_PRECONDITION:
  // not started, or closed. DATA_LOSS: bytes were dropped; the message says which.
  absl::StatusOr<std::string> ReadOutput(v1::StreamKind stream = v1::STREAM_KIND_STDOUT);

  // All that was last heard of it.
  v1::Process info() const;

  // For Run(): ProcessOptions.argument, or that of the function; as bytes or as a message of that
  // type. INVALID_ARGUMENT: it is no such message.
  const std::string& argument() const { return function_.argument; }
  template <typename Message>
  absl::StatusOr<Message> argument() const {
    return internal::FromBytes<Message>(function_.argument);
  }

 protected:
  // For Run(): what Result() has where the process was started; the last call counts.
  template <typename T>
  void SetResult(const T& result) {
    KeepResult(internal::ToBytes(result));
  }

 private:
  explicit Process(std::shared_ptr<internal::ChildProcess> attached);
  static absl::StatusOr<std::unique_ptr<Process>> AttachTo(std::shared_ptr<Host> host,
                                                           absl::StatusOr<v1::Process> process,
                                                           AttachOptions options);
  void KeepResult(absl::StatusOr<std::string> bytes);
  absl::StatusOr<std::string> RegisteredName() const;

  internal::BoundFunction function_;  // of a subclass only the argument
  // Shared with the registry of this program's processes, which joins or ends it when the program
  // ends.
  const std::shared_ptr<internal::ChildProcess> rep_;
};

// Joins the non-daemonic processes of this program, ends the daemonic ones, closes the sessions.
// Called by exit() by itself; call it earlier to see what goes wrong: what Wait() says of those that
// were not joined, unless this program has ended them. Afterwards Start() is FAILED_PRECONDITION. Blocking: as long
// as the processes that are joined run.
absl::Status EndProgram();

// Processes of this program that were started, are not detached, and have not ended. Asks the
// agents; one whose host is not reached is among them.
std::vector<v1::Process> ActiveChildren();

template <typename Returned, typename Parameter, typename Argument>
Process::Process(Returned (*function)(Parameter), const Argument& argument, ProcessOptions options)
    : Process(internal::BindWith(function, argument), std::move(options)) {}

template <typename Message>
absl::StatusOr<Message> Process::Result() const {
  absl::StatusOr<std::string> bytes = Result();
  if (!bytes.ok()) return bytes.status();
  static_assert(internal::kIsMessage<Message>, "a protobuf message; bytes are Result()");
  return internal::FromBytes<Message>(*bytes);
}

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_H_
