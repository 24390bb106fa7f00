#!/usr/bin/env python3
"""A shell's terminal through `shoal attach` whose connection is cut again and again: terminal.py BIN [--cuts N] [--mib N]

`cat` at a raw terminal returns what it gets. Random bytes go in at the keyboard of `attach`, and must come out on its screen,
each once and in order, while a relay between command and agent cuts every connection at random moments.

BIN is the directory with shoald, shoal and shoal-shim. Prints what was seen; the exit status is 0 if every byte was right.
"""

import argparse
import os
import pathlib
import pty
import random
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time

PIECE = 4096


class Relay:
    """A Unix socket in front of the agent's; what passes through it is cut at once by cut()."""

    def __init__(self, path, target):
        self._target, self._pairs, self._lock = str(target), [], threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        os.chmod(path, 0o600)
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            near, _ = self._listener.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            with self._lock:
                self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """How many connections there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for near, far in pairs:
            for end in (near, far):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        return len(pairs)


def read_until(screen, text, seconds=60):
    shown, end = b"", time.monotonic() + seconds
    while text not in shown and time.monotonic() < end:
        if select.select([screen], [], [], 0.1)[0]:
            shown += os.read(screen, 65536)
    if text not in shown:
        raise SystemExit(f"not shown: {text!r}, but {shown!r}")
    return shown.split(text, 1)[1]


def talk(screen, relay, data, cuts):
    """Types `data`, and cuts until it has come back: what came, and how often something was cut."""
    source, sent, back, done, last = random.Random(2), 0, bytearray(), 0, time.monotonic()
    pause, moved = source.uniform(0, 0.05), time.monotonic()
    while len(back) < len(data):
        if time.monotonic() - moved > 120:
            raise SystemExit(f"nothing moves: {sent} bytes typed, {len(back)} came back, {done} cuts")
        may_type = [screen] if sent < len(data) and sent - len(back) < 1 << 20 else []
        readable, writable, _ = select.select([screen], may_type, [], 0.01)
        if readable:
            back += os.read(screen, 65536)
            moved = time.monotonic()
        if writable:
            sent += os.write(screen, data[sent:sent + source.randint(1, PIECE)])
        if done < cuts and time.monotonic() - last > pause:
            done += 1 if relay.cut() else 0
            last, pause = time.monotonic(), source.uniform(0, 0.05)
    return bytes(back), done


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--mib", type=int, default=16)
    arguments = parser.parse_args()
    bin_dir = arguments.bin.resolve()
    with tempfile.TemporaryDirectory(prefix="shoal-long-") as name:
        directory = pathlib.Path(name)
        ready, tell = os.pipe()
        agent = subprocess.Popen(
            [bin_dir / "shoald", "--state-dir", directory / "state", "--run-dir", directory / "run", "--socket",
             directory / "agent.sock", "--ready-fd", str(tell)], stderr=(directory / "log").open("ab"), pass_fds=[tell])
        os.close(tell)
        os.read(ready, 1)
        relay = Relay(directory / "relay.sock", directory / "agent.sock")
        env = {"PATH": os.environ["PATH"], "HOME": name, "XDG_RUNTIME_DIR": name, "TERM": "xterm"}
        straight = dict(env, SHOAL_HOSTS=f"unix:{directory}/agent.sock")
        shoal = str(bin_dir / "shoal")
        subprocess.run([shoal, "start", "-t", "--name", "echo", "--", "sh", "-c", "stty raw -echo; echo ready; exec cat"],
                       env=straight, check=True, stdout=subprocess.DEVNULL)
        pid, screen = pty.fork()
        if pid == 0:
            os.dup2(os.open(directory / "notes", os.O_WRONLY | os.O_CREAT, 0o600), 2)
            os.execve(shoal, [shoal, "attach", "--detach-keys", "", "echo"],
                      dict(env, SHOAL_HOSTS=f"unix:{directory}/relay.sock"))
        read_until(screen, b"ready\n")
        data = random.Random(1).randbytes(arguments.mib << 20)
        back, cuts = talk(screen, relay, data, arguments.cuts)
        equal = back == data
        print(f"{len(back) >> 20} MiB there and back, {cuts} cuts: {'equal' if equal else 'DIFFERENT'}")
        subprocess.run([shoal, "stop", "echo"], env=straight, check=True, stdout=subprocess.DEVNULL)
        os.waitpid(pid, 0)
        agent.terminate()
        agent.wait()
    return 0 if equal and cuts == arguments.cuts else 1


if __name__ == "__main__":
    sys.exit(main())
