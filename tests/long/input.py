#!/usr/bin/env python3
"""1 GiB through stdin and stdout of a process on an agent that is killed again and again: input.py BIN [--mib N] [--kills N]

Random bytes go in by the library's client (`shoal run -n 1`) and come out; their digests must be equal. Meanwhile the agent is
killed and restarted --kills times, and the connection, which goes through a relay, is cut as often in between. Once the
process is `cat`, once one that pauses. Then `shoal input` is killed twice on the way, and another one goes on where the input
is kept. Memory of agent and client, and the size of the ring, are read as it goes, and must stay below their bounds.

BIN is the directory with shoald, shoal and shoal-shim. Prints what was seen; the exit status is 0 if every byte was right.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

from hosts import Agent, Relay, resident_kib

PIECE = 1 << 20
MOST_RESIDENT_KIB = 64 << 10  # of agent and of client
MOST_RING = 4 << 20  # the window
# Stands still for 0.3 s at each 32 MiB.
PAUSING = """import os, time
total = 0
while piece := os.read(0, 1 << 20):
    at = 0
    while at < len(piece):
        at += os.write(1, piece[at:])
    if total >> 25 != (total := total + len(piece)) >> 25:
        time.sleep(0.3)
"""


def random_pieces(total):
    source = random.Random(4711)
    for _ in range(total // PIECE):
        yield source.randbytes(PIECE)


class Bounds:
    """The largest memory of agent and client, and ring, that were seen."""

    def __init__(self, agent, rings, client_pid):
        self._agent, self._rings, self._client_pid = agent, rings, client_pid
        self.client_kib = self.ring = 0

    def look(self):
        self._agent.note_memory()
        self.client_kib = max(self.client_kib, resident_kib(self._client_pid))
        for ring in self._rings.glob("*.in"):
            try:
                self.ring = max(self.ring, ring.stat().st_size)
            except FileNotFoundError:
                pass

    def are_kept(self):
        return max(self.client_kib, self._agent.peak_kib) <= MOST_RESIDENT_KIB and 0 < self.ring <= MOST_RING


def through(shoal, env, agent, relay, rings, command, arguments):
    """Bytes in by our pipe, out by another; the agent is killed, and the connection cut, at random meanwhile."""
    run = subprocess.Popen([shoal, "run", "-n", "1", "--", *command], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    sent, got = hashlib.sha256(), hashlib.sha256()
    flows, done = threading.Event(), threading.Event()
    bounds = Bounds(agent, rings, run.pid)
    seen = {"kills": 0, "cuts": 0}

    def write():
        for piece in random_pieces(arguments.mib << 20):
            sent.update(piece)
            run.stdin.write(piece)
        run.stdin.close()

    def disturb():
        source = random.Random(1)
        flows.wait()  # before that `run` has no process that it could wait for
        for number in range(2 * arguments.kills):
            if done.wait(source.uniform(0.1, 0.5)):
                return
            bounds.look()
            if number % 2:
                seen["cuts"] += 1 if relay.cut() else 0
                continue
            agent.kill()
            agent.start()
            seen["kills"] += 1

    writer, killer = threading.Thread(target=write, daemon=True), threading.Thread(target=disturb, daemon=True)
    writer.start()
    killer.start()
    size = 0
    while piece := run.stdout.read(PIECE):
        got.update(piece)
        flows.set()
        size += len(piece)
        bounds.look()
    writer.join()
    flows.set()
    done.set()
    killer.join()
    status = run.wait()
    print(f"{command[0]}: exit {status}, {size >> 20} MiB out, digests {'equal' if sent.digest() == got.digest() else 'DIFFER'}, "
          f"{seen['kills']} kills, {seen['cuts']} cuts; agent {agent.peak_kib >> 10} MiB, client {bounds.client_kib >> 10} MiB, "
          f"ring {bounds.ring >> 10} KiB at most{'' if bounds.are_kept() else ': TOO MUCH'}", flush=True)
    return status == 0 and sent.digest() == got.digest() and bounds.are_kept()


def by_replaced_writers(shoal, env, agent, directory, mib, writers):
    """`shoal input` is killed on the way, and another one goes on where the host says that the input is kept."""
    copy = directory / "copy"
    subprocess.run([shoal, "start", "--stdin", "--name", "sink", "--", "sh", "-c", f"cat > {copy}"], env=env, check=True,
                   stdout=subprocess.DEVNULL)
    whole = b"".join(random_pieces(mib << 20))

    def kept():
        answer = subprocess.run([shoal, "inspect", "-o", "json", "sink"], env=env, check=True, capture_output=True, text=True)
        position = json.loads(answer.stdout)["input"]
        return position["kept_offset"] if position else 0

    for number in range(writers):
        last = number == writers - 1
        at = kept()
        path = directory / "rest"
        path.write_bytes(whole[at:])
        with path.open("rb") as rest:
            command = subprocess.Popen([shoal, "input", "sink", *(["--eof"] if last else [])], env=env, stdin=rest)
        if last:
            if command.wait() != 0:
                return False
        else:
            while kept() < (number + 1) * (mib << 20) // writers and command.poll() is None:
                time.sleep(0.02)
            command.send_signal(signal.SIGKILL)
            command.wait()
    subprocess.run([shoal, "wait", "sink"], env=env, check=True, stdout=subprocess.DEVNULL)
    equal = copy.read_bytes() == whole
    print(f"input: {writers} writers, {copy.stat().st_size >> 20} MiB, {'equal' if equal else 'DIFFERENT'}")
    return equal


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
    bin_dir = arguments.bin.resolve()
    with tempfile.TemporaryDirectory(prefix="shoal-long-") as name:
        directory = pathlib.Path(name)
        agent = Agent(bin_dir, directory)
        agent.start()
        relay = Relay(directory / "relay.sock", agent.socket)
        env = {"PATH": os.environ["PATH"], "HOME": name, "XDG_RUNTIME_DIR": name, "SHOAL_HOSTS": f"unix:{directory}/relay.sock"}
        shoal, rings = str(bin_dir / "shoal"), directory / "state" / "output"
        good = all([through(shoal, env, agent, relay, rings, command, arguments)
                    for command in (["cat"], [sys.executable, "-c", PAUSING])])
        good = by_replaced_writers(shoal, env, agent, directory, min(arguments.mib, 256), 3) and good
        subprocess.run([shoal, "stop", "*"], env=env, check=False, stdout=subprocess.DEVNULL)
        agent.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
