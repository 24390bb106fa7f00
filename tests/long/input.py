#!/usr/bin/env python3
"""1 GiB through stdin and stdout of `cat` on an agent that is killed again and again: input.py BIN [--mib N]

Random bytes go in by the library's client (`shoal run -n 1 -- cat`) and come out; their digests must be equal. Meanwhile the
agent is killed and restarted --kills times, and with --client-kills the writer, `shoal input`, is killed and another one goes
on where the input is kept. Memory of the agent and of the shim is read as it goes.

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

PIECE = 1 << 20


class Agent:
    """shoald in a directory of its own, started anew after each kill."""

    def __init__(self, bin_dir, directory):
        self._program, self._directory = bin_dir / "shoald", directory
        self.socket = directory / "agent.sock"
        self._process, self.peak_kib = None, 0

    def start(self):
        ready, tell = os.pipe()
        self._process = subprocess.Popen(
            [self._program, "--state-dir", self._directory / "state", "--run-dir", self._directory / "run", "--socket",
             self.socket, "--ready-fd", str(tell)], stderr=(self._directory / "log").open("ab"), pass_fds=[tell])
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)

    def note_memory(self):
        try:
            text = pathlib.Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return
        for line in text.splitlines():
            if line.startswith("VmRSS:"):
                self.peak_kib = max(self.peak_kib, int(line.split()[1]))

    def kill(self):
        self._process.kill()
        self._process.wait()

    def stop(self):
        self._process.terminate()
        self._process.wait()


def random_pieces(total):
    source = random.Random(4711)
    for _ in range(total // PIECE):
        yield source.randbytes(PIECE)


def through_cat(shoal, env, agent, mib, kills):
    """Bytes in by our pipe, out by another; the agent is killed at random meanwhile."""
    run = subprocess.Popen([shoal, "run", "-n", "1", "--", "cat"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    sent, got = hashlib.sha256(), hashlib.sha256()
    flows, done = threading.Event(), threading.Event()

    def write():
        for piece in random_pieces(mib << 20):
            sent.update(piece)
            run.stdin.write(piece)
        run.stdin.close()

    def disturb():
        source = random.Random(1)
        flows.wait()  # before that `run` has no process that it could wait for
        for _ in range(kills):
            if done.wait(source.uniform(0.2, 1.0)):
                return
            agent.note_memory()
            agent.kill()
            agent.start()

    writer, killer = threading.Thread(target=write), threading.Thread(target=disturb)
    writer.start()
    killer.start()
    size = 0
    while piece := run.stdout.read(PIECE):
        got.update(piece)
        flows.set()
        size += len(piece)
        agent.note_memory()
    writer.join()
    flows.set()
    done.set()
    killer.join()
    status = run.wait()
    print(f"run: exit {status}, {size >> 20} MiB out, digests {'equal' if sent.digest() == got.digest() else 'DIFFER'}")
    return status == 0 and sent.digest() == got.digest()


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
        env = {"PATH": os.environ["PATH"], "HOME": name, "XDG_RUNTIME_DIR": name, "SHOAL_HOSTS": f"unix:{agent.socket}"}
        shoal = str(bin_dir / "shoal")
        good = through_cat(shoal, env, agent, arguments.mib, arguments.kills)
        good = by_replaced_writers(shoal, env, agent, directory, min(arguments.mib, 256), 3) and good
        print(f"agent: at most {agent.peak_kib / 1024:.0f} MiB resident")
        subprocess.run([shoal, "stop", "*"], env=env, check=False, stdout=subprocess.DEVNULL)
        agent.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
