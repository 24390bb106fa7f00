#!/usr/bin/env python3
"""Completion in the shells themselves: completion_test.py DEPLOY_DIR SHOAL.

Each shell runs at a terminal, is typed to, and executes the line that Tab has made; a `shoal` in front of the real one
writes down what words came of it."""

import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

DEPLOY, SHOAL = pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1)
PATIENCE = 30  # seconds; a failure only
PROMPT = "ready-to-type>"

RECORDER = """#!/bin/bash
[[ ${1-} != complete ]] || exec %s "$@"
printf '%%s\\n' "$@" > "$RECORD.new"
mv "$RECORD.new" "$RECORD"
"""

# What is typed, and the words behind "shoal" that are to come of it.
ROWS = [
    ("ru\t-n 1 --no-t\t-- true", ["run", "-n", "1", "--no-tag", "--", "true"]),
    ("-H @stu\thosts", ["-H", "@studio", "hosts"]),
    ("ps --hosts=node1,gp\t", ["ps", "--hosts=node1,gpu1"]),
    ("ps --output=j\t", ["ps", "--output=json"]),
    ("agent stat\t-o js\t", ["agent", "status", "-o", "json"]),
    ("signal --scope tr\tUSR\b\b\bHU\tweb", ["signal", "--scope", "tree", "HUP", "web"]),
    ("run --ship fi\t-- cat", ["run", "--ship", "file-to-ship", "--", "cat"]),
    ("run --ship=fi\t-n 1 -- cat", ["run", "--ship=file-to-ship", "-n", "1", "--", "cat"]),
    ("run --cwd=a-dir\t\b -- cat", ["run", "--cwd=a-directory", "--", "cat"]),
    ("start -t readl\tfile-to-sh\t", ["start", "-t", "readlink", "file-to-ship"]),
    ("start -- readl\tfile-to-sh\t", ["start", "--", "readlink", "file-to-ship"]),
]


class Shell:
    """A shell at a terminal, with the completion loaded."""

    def __init__(self, words, setup, environment, directory):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe(words[0], words, environment)
        self.seen = b""
        self.type(setup + "\n")

    def type(self, text):
        os.write(self.fd, text.encode())

    def read_until(self, is_there, what):
        deadline = time.monotonic() + PATIENCE
        while not is_there():
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{what} did not come; seen: {self.seen[-2000:]!r}")
            if select.select([self.fd], [], [], min(left, 0.02))[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    raise AssertionError(f"{what}: the shell has ended; seen: {self.seen[-2000:]!r}") from None

    def await_prompt(self):
        self.read_until(lambda: PROMPT.encode() in self.seen, "the prompt")
        self.seen = b""

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


class Completion(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.temp = pathlib.Path(temp.name)
        (self.temp / "bin").mkdir()
        recorder = self.temp / "bin/shoal"
        recorder.write_text(RECORDER % SHOAL)
        recorder.chmod(0o755)
        (self.temp / "file-to-ship").write_text("")
        (self.temp / "a-directory").mkdir()
        config = self.temp / "config.toml"
        config.write_text('[hosts]\nnode1 = "10.0.0.1"\ngpu1 = "10.0.0.2"\n[groups]\nstudio = "node1,gpu1"\n')
        self.environment = {"PATH": f"{self.temp}/bin:/usr/bin:/bin", "HOME": str(self.temp), "TERM": "dumb",
                            "LC_ALL": "C.UTF-8", "SHOAL_CONFIG": str(config),
                            "SHOAL_COMPLETE_TIMEOUT": "5m", "RECORD": str(self.temp / "record")}

    def check(self, words, setup):
        if shutil.which(words[0]) is None:
            self.skipTest(f"there is no {words[0]}")
        record = self.temp / "record"
        shell = Shell(words, setup, self.environment, self.temp)
        self.addCleanup(shell.end)
        shell.await_prompt()
        for typed, wanted in ROWS:
            with self.subTest(typed=typed):
                shell.type(f"shoal {typed}\r")
                shell.read_until(record.exists, f"the line of {typed!r}")
                words = record.read_text().splitlines()
                record.unlink()
                self.assertEqual(words, wanted)

    def test_a_host_that_does_not_answer_is_left_out(self):
        path = self.temp / "silent.sock"
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(str(path))
            silent.listen()
            asked = subprocess.run([SHOAL, "complete", "--", "-H", f"unix:{path}", "stop", ""],
                                   env={**self.environment, "SHOAL_COMPLETE_TIMEOUT": "1s"}, stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, timeout=PATIENCE)
        # The second that it has may be over before it can say that there is nothing.
        self.assertIn((asked.returncode, asked.stdout, asked.stderr), ((0, "words\n", ""), (75, "", "")))

    def test_bash(self):
        self.check(["bash", "--norc", "--noprofile", "-i"],
                   f"bind 'set enable-bracketed-paste off'; source {DEPLOY}/completion/shoal.bash; PS1=ready-to-; PS1+='type>'")

    def test_zsh(self):
        self.check(["zsh", "-f", "-i"],
                   f"fpath=({DEPLOY}/completion $fpath); autoload -U compinit; compinit -u -d {self.temp}/dump; "
                   "PS1=ready-to-; PS1+='type>'")

    def test_fish(self):
        self.check(["fish", "--no-config", "-i"],
                   f"source {DEPLOY}/completion/shoal.fish; set -g p ready-to-; function fish_prompt; printf '%stype>' $p; end")


if __name__ == "__main__":
    unittest.main()
