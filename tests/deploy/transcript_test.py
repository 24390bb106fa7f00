#!/usr/bin/env python3
"""Transcripts, as pages quote them, run again: transcript_test.py ROOT BUILD_DIR PAGE…

A transcript is a block between lines of ``` in which a line begins with "$ ": a command, and below it what it prints.
All of a page are run, one after another, by a user whose machine is called laptop and who can install on node1 to node3;
what is printed has to be what stands there, but for what differs from run to run (PIDs, ids, times, sizes, the directory
of the user), for the order of lines of different ranks, and for where lines are broken."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

import hosts

ROOT, BUILD, PAGES = sys.argv[1], sys.argv[2], sys.argv[3:]

HERE = "/srv"  # where the user is: a directory that every host has
RANK = re.compile(r"^ *\d+ (\S+ )?│")
MASKS = [(re.compile(pattern), mask) for pattern, mask in [
    (r"/\S*/\.config/shoal\b", "~/.config/shoal"),
    (r"unix:\S+", "unix:PATH"),
    (r"\buid:? ?\d+", "uid UID"),
    (r"\bPID \d+", "PID PID"),
    (r"\b\d+(?= +(running|stopped|pending|exited|ended)(  |$|\())", "PID"),
    (r"\b(?!MEMORY|UPTIME|SIGHUP|SIGINT)[0-9A-Z]{6}\b", "ID"),
    (r"\b\d\d:\d\d:\d\d(\.\d+)?", "CLOCK"),
    (r"\bslowest rank \d+ on \S+", "slowest rank RANK"),
    (r"\b\d+(\.\d+)? / \d+(\.\d+)? [KMGT]iB", "USED"),
    (r"\b\d+(\.\d+)? ([KMGT]iB|bytes)", "SIZE"),
    (r"\b\d+(\.\d+)?%", "SHARE"),
    (r"\b\d+(\.\d+)? ?(ms|s|m|min|h|d)\b", "TIME"),
    (r"\b\d+\.\d+\.\d+\S*", "VERSION"),
    (r"\b\d+\.\d+\b", "NUMBER"),
]]


def transcripts(page):
    """(number of the line, command, printed) of each command of a page."""
    found, is_block, is_transcript = [], False, False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            is_block, is_transcript = not is_block, False
        elif is_block and line.startswith("$ "):
            is_transcript = True
            found.append((number, line[2:], []))
        elif is_transcript:
            found[-1][2].append(line)
    return found


def masked(lines):
    """The words of what was printed; of lines of ranks that follow each other, in an order of their own."""
    parts, ranks = [], []
    for line in [*lines, ""]:
        for pattern, mask in MASKS:
            line = pattern.sub(mask, line)
        if RANK.match(line):
            ranks.append(line)
            continue
        parts += [*sorted(ranks), line]
        ranks = []
    return " ".join(parts).split()


class Transcripts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = cls.enterClassContext(hosts.workplace("/var/lib", HERE))
        cls.fleet = hosts.Hosts(cls.work, ["node1", "node2", "node3"], systemd=True)
        (cls.work / "home").mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("SHOAL_", "XDG_"))}
        cls.environment = {**kept, "HOME": str(cls.work / "home"), "NO_COLOR": "1", "LC_ALL": "C.UTF-8",
                           "PATH": f"{cls.work}/bin:{BUILD}/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        hosts.write_program(cls.work / "bin/install-here", f'#!/bin/sh\nexec "{ROOT}/deploy/install" --build "{BUILD}" "$@"\n')

    def run_command(self, command, status):
        command = re.sub(r"^deploy/install\b", "install-here", command)
        return subprocess.run(["bash", "-c", f"(exit {status}); {command}"], env=self.environment, cwd=HERE,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)

    def check(self, page):
        commands = transcripts(page)
        self.assertTrue(commands, f"{page}: there is no transcript")
        status = 0
        for number, command, printed in commands:
            ran = self.run_command(command, status)
            status = ran.returncode
            with self.subTest(page=page.name, line=number, command=command):
                self.assertEqual(masked(ran.stdout.splitlines()), masked(printed), f"it printed:\n{ran.stdout}")

    def test_what_differs_from_run_to_run_is_masked_and_nothing_else(self):
        same = ["0 │ vm", "1 │ vm", "web  DZ6S64  vm    14754  running  12s  0.1%  6.7 MiB  serve"]
        self.assertEqual(masked(same), masked(["1 │ vm", "0 │ vm", "web 7KQ2MD  vm  1  running  3m  10.0% 18 MiB", "  serve"]))
        for other in (["0 │ vm", "1 │ ant", same[2]], [same[0], same[2]], [*same[:2], same[2].replace("running", "ended")]):
            self.assertNotEqual(masked(same), masked(other))
        for one, other in [("2 of 2 ended, 0 failed", "2 of 2 ended, 1 failed"), ("2 of 2 ended,", "1 of 2 ended,"),
                           ("2 of 2 ended,", "2 of 3 ended,"), ("3 ended by us", "4 ended by us")]:
            self.assertNotEqual(masked([one]), masked([other]))

    def test_pages_show_what_is_printed(self):
        for page in PAGES:
            self.check(pathlib.Path(page))


if __name__ == "__main__":
    hosts.enter()
    sys.argv[1:] = []
    unittest.main()
