"""The Python template of the tests; see fork_template.cc for its flags and verbs.

More verbs: raise-error · raise-exit TEXT · random. More flags: --atexit TEXT (printed at the end of the process that
registered it) · --offer (as a running process does).
"""

import atexit
import ctypes
import errno
import os
import random
import resource
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "client", "python"))
sys.dont_write_bytecode = True
import shoal_template  # noqa: E402

kept = []


def describe(argv):
    facts = []
    for name in os.listdir("/proc/self/fd"):
        try:
            facts.append(("fd", f"{name} {os.readlink(f'/proc/self/fd/{name}')}"))
        except FileNotFoundError:
            pass  # it was the directory
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        facts += [(line.split()[0], line.split()[1]) for line in status if line.startswith("Sig")]
    with open("/proc/self/cgroup", encoding="utf-8") as cgroups:
        facts += [("cgroup", line.strip()[3:]) for line in cgroups if line.startswith("0::")]
    facts += [("pid", str(os.getpid())), ("ppid", str(os.getppid())), ("pgid", str(os.getpgrp())),
              ("sid", str(os.getsid(0)))]
    facts += [("arg", word) for word in argv]
    facts += [("env", os.fsdecode(name + b"=" + value)) for name, value in os.environb.items()]
    mask = os.umask(0)
    os.umask(mask)
    facts += [("cwd", os.getcwd()), ("umask", str(mask)),
              ("nofile", str(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))]
    for key, value in facts:
        print(key, os.fsencode(value).hex())


def try_fork():
    try:
        child = os.fork()
    except OSError as error:
        print(errno.errorcode[error.errno])
        return
    if child == 0:
        os._exit(0)
    print("forked")
    os.waitpid(child, 0)


def try_thread():
    thread = threading.Thread(target=print, args=("thread",))
    thread.start()
    thread.join()


def main(argv):
    verb, words = argv[1], argv[2:]
    if verb == "describe":
        describe(argv)
    elif verb == "exit":
        return int(words[0])
    elif verb == "raise":
        os.kill(os.getpid(), int(words[0]))
    elif verb == "print":
        sys.stdout.write(words[0])
        sys.stderr.write(words[1])
    elif verb == "result":
        shoal_template.result(words[0].encode())
    elif verb == "fork":
        try_fork()
    elif verb == "thread":
        try_thread()
    elif verb == "hang":
        signal.pause()
    elif verb == "raise-error":
        raise ValueError("this went wrong")
    elif verb == "raise-exit":
        sys.exit(words[0])
    elif verb == "random":
        print(random.random())
    elif verb == "atexit":
        atexit.register(print, words[0])
    elif verb == "offer":
        return main(shoal_template.offer())
    else:
        return 64
    return None


def preload():
    flags = iter(sys.argv[1:])
    for flag in flags:
        if flag == "--open":
            kept.append(open(next(flags), "rb"))
        elif flag == "--print":
            sys.stdout.write(next(flags))
        elif flag == "--ignore":
            signal.signal(int(next(flags)), signal.SIG_IGN)
        elif flag == "--atexit":
            atexit.register(print, next(flags))
        elif flag == "--thread":
            threading.Thread(target=threading.Event().wait, daemon=True).start()


if __name__ == "__main__":
    if os.environ.get("SHOAL_TEMPLATE"):
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))  # PR_SET_PDEATHSIG: the test is the parent
    try:
        if "--offer" in sys.argv:
            sys.exit(main(shoal_template.offer()))
        shoal_template.serve(main, preload)
    except shoal_template.TemplateError as error:
        print(error, file=sys.stderr)
        sys.exit(9)
