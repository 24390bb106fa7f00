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
import signal
import subprocess
import sys
import tempfile
import time

from hosts import Agent, Relay

PIECE = 4096
WINDOW = 1 << 20  # typed and not back yet, at most


def read_until(screen, text, seconds=60):
    shown, end = b"", time.monotonic() + seconds
    while text not in shown and time.monotonic() < end:
        if select.select([screen], [], [], 0.1)[0]:
            shown += os.read(screen, 65536)
    if text not in shown:
        raise SystemExit(f"not shown: {text!r}, but {shown!r}")
    return shown.split(text, 1)[1]


def talk(screen, notes, relay, least, cuts):
    """Types random bytes, `least` of them and on until so many cuts were made, and compares what comes back: how much that was."""
    source, typed, last = random.Random(2), bytearray(), time.monotonic()
    sent = back = done = 0
    pause, moved = source.uniform(0, 0.05), time.monotonic()
    while typed or sent < least or done < cuts:
        if time.monotonic() - moved > 120:
            raise SystemExit(f"nothing moves: {sent} bytes typed, {back} came back, {done} cuts")
        may_type = [screen] if len(typed) < WINDOW and (sent < least or done < cuts) else []
        readable, writable, _ = select.select([screen], may_type, [], 0.01)
        if readable:
            try:
                shown = os.read(screen, 65536)
            except OSError as error:
                raise SystemExit(f"attach has ended behind byte {back}, after {done} cuts: {notes.read_text()}") from error
            if typed[:len(shown)] != shown:
                raise SystemExit(f"DIFFERENT within {len(shown)} bytes behind byte {back}, after {done} cuts")
            del typed[:len(shown)]
            back, moved = back + len(shown), time.monotonic()
        if writable:
            piece = source.randbytes(source.randint(1, PIECE))
            piece = piece[:os.write(screen, piece)]
            typed += piece
            sent += len(piece)
        if done < cuts and time.monotonic() - last > pause:
            done += 1 if relay.cut() else 0
            last, pause = time.monotonic(), source.uniform(0, 0.05)
            if done % 100 == 0:
                print(f"{done} cuts, {back >> 20} MiB there and back", file=sys.stderr, flush=True)
    return back, done


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--mib", type=int, default=16)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
    bin_dir = arguments.bin.resolve()
    with tempfile.TemporaryDirectory(prefix="shoal-long-") as name:
        directory = pathlib.Path(name)
        agent = Agent(bin_dir, directory)
        agent.start()
        env = {"PATH": os.environ["PATH"], "HOME": name, "XDG_RUNTIME_DIR": name, "TERM": "xterm"}
        straight = dict(env, SHOAL_HOSTS=f"unix:{agent.socket}")
        shoal, attach = str(bin_dir / "shoal"), 0
        try:
            relay = Relay(directory / "relay.sock", agent.socket)
            subprocess.run([shoal, "start", "-t", "--name", "echo", "--", "sh", "-c", "stty raw -echo; echo ready; exec cat"],
                           env=straight, check=True, stdout=subprocess.DEVNULL)
            attach, screen = pty.fork()
            if attach == 0:
                os.dup2(os.open(directory / "notes", os.O_WRONLY | os.O_CREAT, 0o600), 2)
                os.execve(shoal, [shoal, "attach", "--detach-keys", "", "echo"],
                          dict(env, SHOAL_HOSTS=f"unix:{directory}/relay.sock"))
            read_until(screen, b"ready\n")
            back, cuts = talk(screen, directory / "notes", relay, arguments.mib << 20, arguments.cuts)
            print(f"{back >> 20} MiB there and back, {cuts} cuts: equal")
        finally:
            if attach:
                os.kill(attach, signal.SIGKILL)
                os.waitpid(attach, 0)
            subprocess.run([shoal, "stop", "--grace", "1s", "*"], env=straight, capture_output=True, check=False)
            agent.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
