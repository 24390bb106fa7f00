"""Makes a Python program a template: a warm process that an agent forks others from.

    import shoal_template

    def main(argv):
        ...                              # runs in each process forked from this one
        shoal_template.result(b"42")     # where the caller wants a result

    if __name__ == "__main__":
        shoal_template.serve(main, preload=load_the_big_data_set)

Started by hand, this just runs preload() and main(sys.argv). Started by an agent to be a template, it runs preload()
once, then waits, and every process forked from it begins at main() with what preload() has loaded, in memory that it
shares until it writes to it. A process that runs already offers itself, as it is now, with offer().

The protocol is proto/shoal/v1/fork_protocol.h; its names are used here: T is the template, M the process between,
which becomes the shim, F the forked process. Linux, Python 3.9 or newer, nothing but this file.

Threads: a process with more than one thread is not forked; the agent is told so. Start threads in main().
What belongs to the template: its atexit functions and finalizers do not run in F; its open files are shared with F,
one position for all, so open anew what you read from. Descriptor 3 of F is the result's, whatever it was in T.
"""

import array
import atexit
import contextlib
import ctypes
import errno
import fcntl
import gc
import os
import platform
import resource
import select
import signal
import socket
import stat
import struct
import sys
import termios
import threading
import time
import weakref

__all__ = ["TemplateError", "offer", "result", "serve"]

_MAX_PACKET_BYTES = 512
_RESULT_FD, _FIRST_FREE_FD = 3, 13  # the first above those of the shim
_END_OF_FDS = 2**31 - 1 if sys.version_info >= (3, 10) else os.sysconf("SC_OPEN_MAX")  # 3.9 asks for each one
# Order of the descriptors that come with "fork"; without a cgroup, _CGROUP of them.
_PAYLOAD, _SHIM, _RECORD, _REPORT, _OUTPUT, _CGROUP, _SHIM_CGROUP, _MOST_SENT = range(8)
# What a StartError says went wrong in F.
_STAGE_PIPE, _STAGE_CHDIR, _STAGE_PROCESS, _STAGE_INPUT, _STAGE_TERMINAL = 2, 4, 6, 7, 8
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int] + 4 * [ctypes.c_ulong]
_shims = set()  # PIDs of every M that this process has to reap
_stale = []  # streams of T that F must neither use nor flush
_result_wanted = None  # in F: whether descriptor 3 is the pipe of a result; None where nothing was forked


class TemplateError(Exception):
    """The agent does not want this process as a template, or there is no agent to offer it to."""


def serve(main, preload=None):
    """Runs main(argv) in each process forked from this one. Does not return.

    What main returns or raises becomes the exit status as sys.exit() has it. Without SHOAL_TEMPLATE in the environment
    the program was started to run: this does so, here.
    """
    is_template = os.environ.get("SHOAL_TEMPLATE") == "1"
    if is_template:
        null = os.open(os.devnull, os.O_RDWR)
        if null != _RESULT_FD:  # else it stays: nothing that preload() opens shall be where F's result goes
            os.close(null)
    if preload is not None:
        preload()
    if not is_template:
        sys.exit(main(sys.argv))
    offer()
    _run_and_exit(main)


def offer():
    """Offers this process, as it is now, to be forked. Returns in the forked processes only, there with their argv.

    In the process itself it waits for the agent, and raises TemplateError where that will not have it.
    """
    path = os.environ.get("SHOAL_FORK_SOCKET")
    if not path:
        raise TemplateError("SHOAL_FORK_SOCKET is not set: no agent has started this process")
    gc.collect()
    gc.freeze()  # a later collection in F does not touch, and so copy, what T has
    pause = _FIRST_PAUSE
    silent = False
    while True:
        began = time.monotonic()
        try:
            with _connect(path) as connection:
                argv = _answer_forks(connection)
                if argv is not None:
                    return argv
        except OSError as error:
            if not silent:
                print(f"shoal_template: cannot reach the agent at {path}: {error.strerror}; trying again",
                      file=sys.stderr, flush=True)
        silent = True  # an agent of a later time is one that is being restarted
        # An agent that drops us at once shall not make us spin.
        pause = _FIRST_PAUSE if time.monotonic() - began > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
        time.sleep(pause)
        _reap()


def result(data):
    """Writes bytes to the result of this process."""
    if not _has_result():
        raise RuntimeError("this process was started without a result")
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(_RESULT_FD, view):]


def _has_result():
    try:
        return stat.S_ISFIFO(os.fstat(_RESULT_FD).st_mode) if _result_wanted is None else _result_wanted
    except OSError:
        return False


# The offer.


def _connect(path):
    """A connection on which the agent said "welcome". OSError: there is none now."""
    with contextlib.ExitStack() as on_error:
        low = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection = on_error.enter_context(socket.socket(fileno=_above(low.detach())))
        connection.connect(path)
        connection.send(b"offer 1")
        answer = connection.recv(_MAX_PACKET_BYTES)
        word, _, text = answer.partition(b" ")
        if word == b"refused":
            raise TemplateError("the agent refuses this process as a template: " + text.decode(errors="replace"))
        if not answer:
            raise ConnectionResetError(errno.ECONNRESET, "it closed the connection")
        if answer != b"welcome":
            raise TemplateError(f"the agent at {path} does not speak this protocol: {answer!r}")
        on_error.pop_all()
        return connection


def _answer_forks(connection):
    """Serves one connection. Returns argv in F; None in T, when the connection broke."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while True:
        # With shims to reap, look once a second.
        ready = poll.poll(1000 if _shims else None)
        _reap()
        if not ready:
            continue
        try:
            packet, sent = _receive(connection)
            if not packet:
                return None  # it was closed
            answer, argv = _answer(packet, sent, connection)
            if argv is not None:
                return argv
            connection.send(answer[:_MAX_PACKET_BYTES])
        except OSError:
            return None


def _receive(connection):
    packet, ancillary, _, _ = connection.recvmsg(
        _MAX_PACKET_BYTES, socket.CMSG_SPACE(_MOST_SENT * 4), socket.MSG_CMSG_CLOEXEC)
    sent = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            sent.frombytes(data[:len(data) - len(data) % sent.itemsize])
    return packet, [_above(fd) for fd in sent]


def _above(fd):
    """The same file, close-on-exec, at a descriptor that is neither the shim's nor F's."""
    if fd >= _FIRST_FREE_FD:
        return fd
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD)
    os.close(fd)
    return high


def _pipe():
    return [_above(fd) for fd in os.pipe()]


def _terminal(rows, columns):
    master, slave = (_above(fd) for fd in os.openpty())
    modes = termios.tcgetattr(slave)
    modes[0] |= 0o40000  # IUTF8, which the module does not name everywhere
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return master, slave


def _answer(packet, sent, connection):
    """Does what a packet asks for: (the answer, None) in T; (None, argv) in F. OSError: it is no packet of ours."""
    words = packet.split(b" ")
    try:
        if words[0] != b"fork" or len(words) != 3 or not words[1].isdigit():
            raise OSError(errno.EPROTO, "the agent does not speak this protocol")
        number, slot = words[1], words[2]
        try:
            _check_threads()
            request = _Request(slot, sent)
            pid = _fork(request, connection)
        except OSError as error:
            return b"failed %s pipe %d %s" % (number, error.errno, os.strerror(error.errno).encode()), None
        except _Failed as failure:
            text = failure.text.encode(errors="surrogateescape")
            return b"failed %s %s %d %s" % (number, failure.stage.encode(), failure.error_number, text), None
        return (None, request.argv) if pid == 0 else (b"forked %s %d" % (number, pid), None)
    finally:
        for fd in sent:
            os.close(fd)


class _Failed(Exception):
    """Nothing was started: what "failed" says."""

    def __init__(self, stage, error_number, text):
        super().__init__(text)
        self.stage, self.error_number, self.text = stage, error_number, text


def _check_threads():
    try:
        count = len(os.listdir("/proc/self/task"))
    except OSError:  # no /proc here: those of Python are known
        count = threading.active_count()
    if count != 1:
        raise _Failed("threads", 0, f"it has {count} threads")


class _Request:
    """What "fork" asks for: the slot, the descriptors and the fields of the payload."""

    def __init__(self, slot, sent):
        if not slot.isdigit():
            raise _Failed("request", 0, f"the slot {slot!r} is no number")
        if len(sent) not in (_CGROUP, _MOST_SENT):
            raise _Failed("request", 0, f"{len(sent)} descriptors came with it, not {_CGROUP} or {_MOST_SENT}")
        payload = os.pread(sent[_PAYLOAD], os.fstat(sent[_PAYLOAD]).st_size, 0)
        if payload[-1:] not in (b"", b"\0"):
            raise _Failed("request", 0, "the payload ends within a field")
        fields = {}
        for field in payload.split(b"\0")[:-1]:
            key, _, value = field.partition(b"=")
            fields.setdefault(key, []).append(value)
        self.slot, self.sent = slot, sent
        self.argv = [os.fsdecode(word) for word in fields.get(b"arg", ())]
        variables = [variable.partition(b"=") for variable in fields.get(b"env", ())]
        self.env = {name: value for name, _, value in variables}
        self.cwd = fields.get(b"cwd", [b""])[-1]
        self.nofile = fields.get(b"nofile", [b""])[-1]
        self.input_file = fields.get(b"input-file", [b""])[-1]
        rows, columns = fields.get(b"rows", [b"0"])[-1], fields.get(b"columns", [b"0"])[-1]
        self.merge_stderr, self.result, self.input, self.terminal, self.forbid_children = (
            fields.get(key) == [b"1"] for key in (b"merge-stderr", b"result", b"input", b"terminal", b"forbid-children"))
        for wrong, text in ((not self.argv, "no arg"), (not self.cwd, "no cwd"),
                            (not all(name and equals for name, equals, _ in variables), "an env without a name"),
                            (self.nofile and not self.nofile.isdigit(), "a nofile that is no number"),
                            (not rows.isdigit() or int(rows) > 65535, "rows that are no number"),
                            (not columns.isdigit() or int(columns) > 65535, "columns that are no number")):
            if wrong:
                raise _Failed("request", 0, f"the payload has {text}")
        self.rows, self.columns = int(rows), int(columns)


# The fork.


def _fork(request, connection):
    """Forks M, which forks F and becomes its shim. Returns the PID of F in T, and 0 in F."""
    request.stale = _flush_streams()  # what T has not written is T's to write, once
    said, say = _pipe()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        shim = os.fork()
    except OSError as error:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(said)
        os.close(say)
        raise _Failed("fork", error.errno, error.strerror) from None
    if shim == 0:
        os.close(said)
        pipes, null, parent = _be_shim(request, say)  # returns in F only
        try:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(127)
            for fd in (say, *request.sent):
                os.close(fd)
            request.sent.clear()
            connection.close()
            _become_process(request, pipes, null)
        except BaseException as error:  # a fault of this file: what is above in the stack belongs to T
            sys.excepthook(type(error), error, error.__traceback__)
            os._exit(1)
        return 0
    _shims.add(shim)
    os.close(say)
    with open(said, "rb") as file:
        words = file.read().split()  # to the end-of-file that execve of the shim makes
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _reap()
    if len(words) == 1:
        return int(words[0])
    if len(words) > 1:
        stage, error_number = words[-2].decode(), int(words[-1])
        raise _Failed(stage, error_number, os.strerror(error_number))
    raise _Failed("fork", 0, "the process that was to become the shim was killed")


def _be_shim(request, say):
    """All that M does. Returns in F: (pipes by descriptor of F and "start", /dev/null, PID of M)."""
    stage, process = "fork", 0
    try:
        previous = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # M must see the end of F
        os.setsid()
        if len(request.sent) == _MOST_SENT:
            procs = os.open("cgroup.procs", os.O_WRONLY, dir_fd=request.sent[_CGROUP])
            os.write(procs, b"0")
            os.close(procs)
        stage = "pipe"
        null = _above(os.open(os.devnull, os.O_RDWR))
        pipes = {_RESULT_FD: _pipe()} if request.result else {}
        # The shim's end first.
        if request.terminal:
            master, slave = _terminal(request.rows, request.columns)
            pipes.update({1: (master, slave), 0: (slave, slave), 2: (None, slave)})
        else:
            pipes.update({stream: _pipe() for stream in [1] + [2] * (not request.merge_stderr)})
            if request.input:
                pipes[0] = _pipe()[::-1]
        pipes["start"] = _pipe()
        stage = "fork"
        shim = os.getpid()
        # What F leaves behind before the shim runs is reaped by the shim, not by the reaper of T's orphans.
        if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        process = os.fork()
        if process == 0:
            if previous is not None:  # but F has T's disposition
                signal.signal(signal.SIGCHLD, previous)
            return pipes, null, shim
        stage = "shim"
        with contextlib.suppress(OSError):  # T has ended: F lives on
            os.write(say, b"%d\n" % process)
        _execute_shim(request, process, null, pipes, say)
    except BaseException as error:  # it cannot become a shim: nothing is left
        if process > 0:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        with contextlib.suppress(OSError):
            os.write(say, b"%s %d\n" % (stage.encode(), getattr(error, "errno", 0)))
        os._exit(127)


def _execute_shim(request, process, null, pipes, say):
    sent = request.sent
    places = {0: null, 1: null, 2: null, 3: sent[_RECORD], 4: sent[_REPORT], 5: sent[_OUTPUT], 10: pipes["start"][0]}
    for stream, place in ((1, 7), (2, 8), (_RESULT_FD, 9), (0, 12)):
        if pipes.get(stream, (None,))[0] is not None:
            places[place] = pipes[stream][0]
    if len(sent) == _MOST_SENT:
        places[6], places[11] = sent[_CGROUP], sent[_SHIM_CGROUP]
    first, second = sorted((sent[_SHIM], say))  # close-on-exec both
    os.closerange(0, _FIRST_FREE_FD)
    for place, source in places.items():
        os.dup2(source, place)  # the sources are all above
    os.closerange(_FIRST_FREE_FD, first)
    os.closerange(first + 1, second)
    os.closerange(second + 1, _END_OF_FDS)
    os.execve(sent[_SHIM], [b"shoal-shim", request.slot, b"--adopt", b"%d" % process], {})


def _reap():
    for pid in list(_shims):
        with contextlib.suppress(ChildProcessError):  # SIGCHLD is ignored here, or the program reaps whatever it gets
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
        _shims.discard(pid)


# What F does.


def _become_process(request, pipes, null):
    """Turns this copy of T into the process that was asked for. On failure it says why and ends."""
    global _result_wanted
    started, start_pipe = pipes.pop("start")
    stage = _STAGE_PIPE
    try:
        os.close(started)
        os.setsid()
        os.dup2(null, 0)
        if not request.result and _has_result():
            os.close(_RESULT_FD)  # T's, which is not complete while F has it
        for target, (_, end) in pipes.items():
            os.dup2(end, target)
        if request.merge_stderr and not request.terminal:
            os.dup2(1, 2)
        for fd in {null, *(end for ends in pipes.values() for end in ends)} - {None}:
            os.close(fd)
        if request.terminal:
            stage = _STAGE_TERMINAL
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        stage = _STAGE_PROCESS
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # which Python ignores
            if signal.getsignal(number) == signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        os.umask(0o022)
        if request.nofile:
            soft, hard = int(request.nofile), resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft if hard == -1 else min(soft, hard), hard))
        stage = _STAGE_CHDIR
        os.chdir(request.cwd)
        stage = _STAGE_INPUT
        if request.input_file:
            file = os.open(request.input_file, os.O_RDONLY | os.O_NOCTTY)
            os.dup2(file, 0)
            os.close(file)
        stage = _STAGE_PROCESS
        os.environb.clear()
        os.environb.update(request.env)
        time.tzset()
        _shims.clear()
        _result_wanted = request.result
        _renew_interpreter(request)
        if request.forbid_children:
            _forbid_children()
    except OSError as error:
        os.write(start_pipe, struct.pack("=Ii", stage, error.errno))
        os._exit(127)
    os.close(start_pipe)


def _renew_interpreter(request):
    """What of the interpreter's state is T's and not F's. `random` has reseeded itself at os.fork()."""
    sys.argv = request.argv
    # T's cleanups are T's; those that F registers are to run.
    atexit._clear()
    for finalizer in list(weakref.finalize._registry):
        finalizer.atexit = False
    weakref.finalize._registered_with_atexit = False
    _stale.append(sys.stdin)
    sys.stdin = sys.__stdin__ = open(0, "r", closefd=False)
    for name in request.stale:
        stream = getattr(sys, name)
        _stale.append(stream)
        encoding, errors = getattr(stream, "encoding", None), getattr(stream, "errors", None)
        setattr(sys, name, open(1 if name == "stdout" else 2, "w", closefd=False, encoding=encoding, errors=errors))


def _flush_streams():
    """Names of those that hold bytes still, or are closed."""
    stale = []
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except (AttributeError, OSError, ValueError):
            stale.append(name)
    _libc.fflush(None)  # what extensions in C have written
    return stale


def _run_and_exit(main):
    """Ends F as Python ends a program, without what is above us in the stack."""
    code = 1
    try:
        try:
            sys.exit(main(sys.argv))
        except SystemExit as end:
            code = end.code if isinstance(end.code, (int, type(None))) else 1
            if code is not end.code:
                print(end.code, file=sys.stderr)
        except BaseException as error:
            sys.excepthook(type(error), error.with_traceback(error.__traceback__.tb_next), error.__traceback__)
            if isinstance(error, KeyboardInterrupt):  # the parent is to see the signal
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                _flush_streams()
                os.kill(os.getpid(), signal.SIGINT)
        threading._shutdown()
        atexit._run_exitfuncs()
    finally:
        _flush_streams()
        os._exit((code or 0) & 0xFF)


# The kernel's refusal of children: the filter of common/forbid_children.h.


def _forbid_children():
    """fork, vfork, clone but for threads: EPERM; clone3: ENOSYS, upon which libc takes clone. For good."""
    none = 0xFFFFFFFF
    calls = {"x86_64": (0xC000003E, 0x40000003, 57, 58, 56), "aarch64": (0xC00000B7, 0x40000028, none, none, 220)}
    if platform.machine() not in calls or sys.maxsize < 2**32:
        raise OSError(errno.ENOSYS, "no filter for this machine")
    native, compat, fork, vfork, clone = calls[platform.machine()]
    x32_bit = 0x40000000 if fork != none else 0
    load, mask, equal, any_bit, give = 0x20, 0x54, 0x15, 0x45, 0x06
    number_at, arch_at, flags_at, filter_mode = 0, 4, 16, 2  # in struct seccomp_data; of prctl
    lines = [  # code, lines to skip if true, if false, operand
        (load, 0, 0, arch_at), (equal, 5, 0, native), (equal, 0, 14, compat),
        (load, 0, 0, number_at), (equal, 12, 0, 2), (equal, 11, 0, 190), (equal, 6, 5, 120),  # 32-bit programs
        (load, 0, 0, number_at), (mask, 0, 0, none ^ x32_bit), (equal, 7, 0, fork), (equal, 6, 0, vfork),
        (equal, 1, 0, clone), (equal, 3, 2, 435),  # clone3, there and of 32-bit programs
        (load, 0, 0, flags_at), (any_bit, 0, 2, 0x10000),  # CLONE_THREAD
        (give, 0, 0, 0x7FFF0000), (give, 0, 0, 0x50000 | errno.ENOSYS), (give, 0, 0, 0x50000 | errno.EPERM),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    described = ctypes.create_string_buffer(struct.pack("@HP", len(lines), ctypes.addressof(program)))
    for call in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                 (_PR_SET_SECCOMP, filter_mode, ctypes.addressof(described), 0, 0)):
        if _libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
