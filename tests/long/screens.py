#!/usr/bin/env python3
"""Screens of real programs through `shoal run -t` and `shoal attach`: screens.py BIN [--program NAME]

vim, bash with job control, less, python3 and top run in tmux, once directly, once by `run -t`, once by `start -t` and `attach`.
After each step (keys, or another size of the window) the three screens must be the same; of top with its numbers masked. Each
begins at one of three sizes and is resized to the others on the way.

Needs tmux, vim, less and top. BIN is the directory with shoald, shoal and shoal-shim. Prints what was seen; the exit status is 0 if all screens were the same.
"""

import argparse
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SIZES = ((80, 24), (132, 43), (61, 17))
DEADLINE = 20.0


def resized(first, *steps):
    """The steps with the sizes behind `first` among them."""
    others = [size for size in SIZES if size != first]
    return [*steps[:1], others[0], *steps[1:2], others[1], *steps[2:]]


# Keys as tmux names them, one list a step; each step ends when its text is on the screen.
PROGRAMS = {
    "vim": (["vim", "-u", "NONE", "-N", "-i", "NONE", "-n", "TEXT"],
            (["G", "o", "written", "Escape"], "written"), (["gg", ":set number", "Enter"], "1 line 1"),
            (["/line 77", "Enter"], "77 line 77")),
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             (["sleep 1000", "Enter", "C-z"], "Stopped"), (["jobs", "Enter", "bg", "Enter"], "sleep 1000 &"),
             (["kill %1; wait %1", "Enter", "echo done $?", "Enter"], "done 1")),
    "less": (["less", "TEXT"],
             (["50g"], "line 50"), (["/line 77", "Enter"], "line 77"), (["G"], "(END)")),
    "python3": ([os.path.realpath(sys.executable), "-q", "-i", "-c", "import os"],
                (["6 * 7", "Enter"], "42"),
                (["print(*os.get_terminal_size())", "Enter"], ">>> print(*os.get_terminal_size())"),
                (["for i in range(3): print('row', i)", "Enter", "Enter"], "row 2")),
    "top": (["top", "-p", "1", "-d", "1"], (["E"], "PID"), (["m"], "PID"), (["t"], "PID")),
}


class Tmux:
    """A server of its own, with a window at a time."""

    def __init__(self, directory, env):
        self._directory = directory
        self._env = env
        self._opened = 0
        self._has_server = False

    def _call(self, *words):
        base = ["tmux", "-S", str(self._directory / f"tmux{self._opened}"), "-f", "/dev/null"]
        return subprocess.run([*base, *words], env=self._env, check=True, capture_output=True, text=True).stdout

    def open(self, size, argv):
        self._opened += 1  # another server: the last one may not have gone yet
        self._call("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), "-s", "s", ";", "set", "-g", "status", "off", ";",
                   "set", "-g", "window-size", "manual", ";", "set", "-g", "remain-on-exit", "on", ";",
                   "resize-window", "-t", "s", "-x", str(size[0]), "-y", str(size[1]), ";",
                   "respawn-pane", "-k", "-t", "s", shlex.join(argv))
        self._has_server = True

    def resize(self, size):
        self._call("resize-window", "-t", "s", "-x", str(size[0]), "-y", str(size[1]))

    def type(self, keys):
        self._call("send-keys", "-t", "s", *keys)

    def screen(self):
        return self._call("capture-pane", "-p", "-t", "s")

    def close(self):
        if self._has_server:
            self._call("kill-server")
            self._has_server = False


def settled(tmux, text, mask):
    """The screen once `text` is on it and it stays as it is."""
    before, since, end = None, 0.0, time.monotonic() + DEADLINE
    while True:
        shown = mask(tmux.screen())
        now = time.monotonic()
        if shown != before:
            before, since = shown, now
        if (text in shown and now - since > 0.4) or now > end:
            return shown
        time.sleep(0.05)


def awaited(tmux, expected, mask):
    """The screen once it is the expected one, or as it is at the deadline."""
    end = time.monotonic() + DEADLINE
    while True:
        shown = mask(tmux.screen())
        if shown == expected or time.monotonic() > end:
            return shown
        time.sleep(0.05)


def plain(screen):
    return screen.rstrip("\n")


def masked(screen):
    """Without what changes by itself: numbers, and how wide they are."""
    lines = [re.sub(r"[0-9][0-9.:+]*[kmgt]?", "#", line) for line in screen.splitlines()]
    lines = [re.sub(r"[ \t]+", " ", re.sub(r"([,:])#", r"\1 #", line)).strip() for line in lines]
    lines = [re.sub(r"up .* load", "up # load", line) for line in lines]
    return "\n".join(re.sub(r"[|# ]*\]", "]", re.sub(r"\b[RSDI]\b", "?", line)) for line in lines).rstrip("\n")


def walk(tmux, first, steps, mask, expected=None, begin=0):
    """Types and resizes; returns the screen after each step, or what differs from those that are expected, from step `begin` on."""
    seen, text = [], None
    for step in [None, *resized(first, *steps)]:
        if step is not None and isinstance(step[0], int):
            tmux.resize(step)
        elif step is not None:
            tmux.type(step[0])
            text = step[1]
        is_compared = expected is not None and len(seen) >= begin
        shown = awaited(tmux, expected[len(seen)], mask) if is_compared else settled(tmux, text or "", mask)
        if is_compared and shown != expected[len(seen)]:
            return f"after step {len(seen)} ({step})\n--- directly\n{expected[len(seen)]}\n--- here\n{shown}\n---"
        seen.append(shown)
    return seen if expected is None else None


def compare(tmux, shoal, env, name, first, text):
    """What differs; None: nothing does."""
    argv, *steps = PROGRAMS[name]
    argv = [text if word == "TEXT" else word for word in argv]
    mask = masked if name == "top" else plain
    tmux.open(first, argv)
    expected = walk(tmux, first, steps, mask)
    tmux.close()
    ways = {"run -t": [shoal, "run", "-t", "--", *argv], "attach": [shoal, "attach", "screen"]}
    for way, words in ways.items():
        if way == "attach":
            subprocess.run([shoal, "start", "-t", "--name", "screen", "--", *argv], env=env, check=True, capture_output=True)
        tmux.open(first, words)
        # What a program has painted before is not painted again by every one of them: less waits for another size.
        differs = walk(tmux, first, steps, mask, expected, begin=2 if way == "attach" else 0)
        tmux.close()
        subprocess.run([shoal, "stop", "--grace", "1s", "*"], env=env, capture_output=True, check=False)
        subprocess.run([shoal, "rm", "*"], env=env, capture_output=True, check=False)
        if differs is not None:
            return f"{name} by {way} at {first[0]}x{first[1]}: {differs}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--program", choices=sorted(PROGRAMS), action="append")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
    if missing := [program for program in ("tmux", "vim", "less", "top") if shutil.which(program) is None]:
        parser.error(f"not installed: {', '.join(missing)}")
    bin_dir = arguments.bin.resolve()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="shoal-long-") as scratch:
        directory = pathlib.Path(scratch)
        (directory / "text").write_text("".join(f"line {i}\n" for i in range(1, 201)))
        env = {"PATH": os.environ["PATH"], "HOME": scratch, "XDG_RUNTIME_DIR": scratch, "TERM": "screen", "PS1": "$ ", "LESS": "",
               "SHELL": "/bin/sh", "LANG": "C.UTF-8", "SHOAL_HOSTS": f"unix:{directory}/agent.sock"}
        ready, tell = os.pipe()
        agent = subprocess.Popen(
            [bin_dir / "shoald", "--state-dir", directory / "state", "--run-dir", directory / "run", "--socket",
             directory / "agent.sock", "--ready-fd", str(tell)], stderr=(directory / "log").open("ab"), pass_fds=[tell])
        os.close(tell)
        os.read(ready, 1)
        tmux = Tmux(directory, env)
        try:
            for name in arguments.program or PROGRAMS:
                for first in SIZES:
                    differs = compare(tmux, str(bin_dir / "shoal"), env, name, first, str(directory / "text"))
                    wrong += differs is not None
                    print(differs or f"{name} at {first[0]}x{first[1]}, resized twice: the same by run -t and attach", flush=True)
        finally:
            tmux.close()
            subprocess.run([bin_dir / "shoal", "stop", "--grace", "1s", "*"], env=env, capture_output=True, check=False)
            agent.terminate()
            agent.wait()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
