"""What the long tests run against: an agent of their own, and a relay in front of it."""

import os
import pathlib
import socket
import subprocess
import threading


def resident_kib(pid):
    """0 of a process that has ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS:")), 0)


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
        self.peak_kib = max(self.peak_kib, resident_kib(self._process.pid))

    def kill(self):
        self._process.kill()
        self._process.wait()

    def stop(self):
        self._process.terminate()
        self._process.wait()


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
            try:
                far.connect(self._target)
            except OSError:  # the agent is away
                near.close()
                continue
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
