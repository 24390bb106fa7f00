#!/usr/bin/env python3
"""coverage_by_room.py ROOT: `llvm-cov export -summary-only` on stdin as a table of folders, least reached first, and
the ten files of agent and client that are reached least."""
import collections
import json
import os
import sys

LEAST_LINES = 20  # of a file that is worth naming


def share(item):
    covered, count = item[1]
    return covered / max(count, 1)


def print_table(title, rows):
    print(f"{title:<40} {'LINES':>7} {'REACHED':>8}")
    for name, (covered, count) in rows:
        print(f"{name:<40} {count:>7} {100 * covered / max(count, 1):>7.1f}%")


root = sys.argv[1]
files = {}
rooms = collections.defaultdict(lambda: [0, 0])
for file in json.load(sys.stdin)["data"][0]["files"]:
    name, lines = os.path.relpath(file["filename"], root), file["summary"]["lines"]
    files[name] = (lines["covered"], lines["count"])
    room = rooms[os.path.dirname(name)]
    room[0] += lines["covered"]
    room[1] += lines["count"]
rooms["all"] = [sum(column) for column in zip(*rooms.values())]
print_table("ROOM", sorted(rooms.items(), key=share))
named = {name: lines for name, lines in files.items()
         if name.startswith(("agent/", "client/")) and lines[1] >= LEAST_LINES}
print_table("FILE", sorted(named.items(), key=share)[:10])
