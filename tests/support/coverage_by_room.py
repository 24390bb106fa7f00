#!/usr/bin/env python3
"""coverage_by_room.py ROOT: `llvm-cov export -summary-only` on stdin as a table of folders, least reached first."""
import collections
import json
import os
import sys

root = sys.argv[1]
rooms = collections.defaultdict(lambda: [0, 0])
for file in json.load(sys.stdin)["data"][0]["files"]:
    room = rooms[os.path.dirname(os.path.relpath(file["filename"], root))]
    room[0] += file["summary"]["lines"]["covered"]
    room[1] += file["summary"]["lines"]["count"]
rooms["all"] = [sum(column) for column in zip(*rooms.values())]
print(f"{'ROOM':<24} {'LINES':>7} {'REACHED':>8}")
for name, (covered, count) in sorted(rooms.items(), key=lambda item: item[1][0] / max(item[1][1], 1)):
    print(f"{name:<24} {count:>7} {100 * covered / max(count, 1):>7.1f}%")
