"""Hosts for the tests of deploy/: each a network namespace on a bridge, with a name, and with the root of this machine as
its own, what it writes kept apart; and an `ssh` that goes there. Nothing of this machine is written to.

A test that uses them begins with enter(): it then runs in namespaces of its own (mounts, network, name, processes), which
go with all that is in them when it ends."""

import contextlib
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys
import tempfile

SKIPPED = 77
CORES = 2  # that each agent sees
NET = "10.79.0"
ENTER = ["unshare", "--mount", "--propagation", "private", "--net", "--uts", "--pid", "--fork", "--kill-child",
         "--mount-proc"]
SSH = """#!/bin/bash
host=${@: -2:1} command=${@: -1}
host=${host#*@}
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
[[ -e %(work)s/$host.namespace ]] || { echo "ssh: connect to host $host port 22: Connection refused" >&2; exit 255; }
exec nsenter "--net=/run/netns/$(< %(work)s/$host.namespace)" unshare --uts \\
  sh -c 'hostname "$1"; exec chroot "$2" /bin/sh -c "$3"' sh "$host" "%(work)s/$host/root" "$command"
"""
# What systemd does for deploy/install, as far as it shows.
SYSTEMCTL = """#!/bin/bash
[[ $* == "restart shoald.service" ]] || exit 0
shoal agent stop 2> /dev/null
unit=$(sed -n 's/^ExecStart=//p' /usr/local/lib/systemd/system/shoald.service)
{ setsid ${unit%% --cgroup-base*} --ready-fd 3 3>&1 > /dev/null 2>> /var/log/shoald.log < /dev/null & } | grep -q ^ready
"""


def enter():
    """Returns in namespaces of this test's own, or ends it as skipped."""
    if os.environ.pop("SHOAL_TEST_ENTERED", ""):
        socket.sethostname("laptop")
        run("ip", "link", "set", "lo", "up")
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
        return
    if os.geteuid() != 0 or not shutil.which("ip") or len(os.sched_getaffinity(0)) < CORES or \
            subprocess.run([*ENTER, "true"], capture_output=True, check=False).returncode != 0:
        print("needs root, ip, namespaces and two cores")
        sys.exit(SKIPPED)
    os.environ["SHOAL_TEST_ENTERED"] = "1"
    os.execvp(ENTER[0], [*ENTER, *sys.orig_argv])


def run(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, timeout=60, **options)


@contextlib.contextmanager
def workplace(*hidden):
    """A directory on a tmpfs of its own; this test sees empty ones instead of /run and what else is `hidden`, too.
    With its mounts it leaves this namespace before it is removed, and only if it is empty then."""
    directory = pathlib.Path(tempfile.mkdtemp())
    for place in (directory, "/run", *hidden):
        run("mount", "-t", "tmpfs", "test", place)
    try:
        yield directory
    finally:
        run("umount", "--recursive", "--lazy", directory)
        directory.rmdir()


class Hosts:
    """In the workplace `work`. `names` are names, or None for a host that has its address alone. With `systemd` they have
    what deploy/install sees of one."""

    def __init__(self, work, names, systemd=False):
        self.work = work
        self.names = [name or f"{NET}.{i}" for i, name in enumerate(names, 1)]
        (self.work / "bin").mkdir()
        run("ip", "link", "add", "fleet", "type", "bridge")
        run("ip", "address", "add", f"{NET}.254/24", "dev", "fleet")
        run("ip", "link", "set", "fleet", "up")
        for i, name in enumerate(self.names, 1):
            self.add(i, name, systemd)
        self.replace("/etc/hosts", "127.0.0.1 localhost\n" +
                     "".join(f"{NET}.{i} {name}\n" for i, name in enumerate(self.names, 1)))
        self.replace("/etc/nsswitch.conf", "hosts: files\n")
        write_program(self.work / "bin/ssh", SSH % {"work": self.work})

    def add(self, i, name, systemd):
        run("ip", "netns", "add", f"host{i}")
        run("ip", "link", "add", f"link{i}", "type", "veth", "peer", "name", "eth0", "netns", f"host{i}")
        run("ip", "link", "set", f"link{i}", "master", "fleet", "up")
        for words in (["link", "set", "lo", "up"], ["address", "add", f"{NET}.{i}/24", "dev", "eth0"],
                      ["link", "set", "eth0", "up"]):
            run("ip", "-n", f"host{i}", *words)
        make_root(self.work / name)
        (self.work / f"{name}.namespace").write_text(f"host{i}")
        if systemd:
            (self.root(name) / "run/systemd/system").mkdir(parents=True)
            write_program(self.root(name) / "usr/local/bin/systemctl", SYSTEMCTL)

    def replace(self, path, text):
        """Has this test see another file there."""
        ours = self.work / path.replace("/", "_")
        ours.write_text(text)
        run("mount", "--bind", ours, path)

    def root(self, name):
        return self.work / name / "root"


def write_program(path, text):
    path.write_text(text)
    path.chmod(0o755)


def make_root(directory):
    """`directory`/root is a copy of / to be written to, with a /proc, and a /dev, /sys, /run and /tmp of its own: nothing
    in it is shared, so that nothing can be lost when it goes."""
    for name in ("changed", "work", "root"):
        (directory / name).mkdir(parents=True)
    root = directory / "root"
    run("mount", "-t", "overlay", "overlay", "-o",
        f"lowerdir=/,upperdir={directory}/changed,workdir={directory}/work", root)
    for left in ("var/lib/shoal", "etc/shoal"):  # of an agent of this machine
        shutil.rmtree(root / left, ignore_errors=True)
    run("mount", "-t", "proc", "proc", root / "proc")
    for name in ("dev", "sys", "run", "tmp"):
        run("mount", "-t", "tmpfs", name, root / name)
    for name, minor in (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
        os.mknod(root / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        (root / "dev" / name).chmod(0o666)
    (root / "tmp").chmod(0o1777)
