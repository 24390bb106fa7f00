#!/usr/bin/env python3
"""Checks sizes: check_lengths.py ROOT. A file is one noun, so it is short; the shim is what keeps the promise,
so all of it together is short enough to be read in one sitting (blank lines and comments not counted)."""

import re
import sys

from sources import source_files

MAX_FILE_LINES = 500
# The one file that users copy into a program of theirs.
LONGER_FILES = {"client/python/shoal_template.py": 550}
# For a shim that forks its process or adopts one, feeds its input, holds its terminal, and serves the next one.
MAX_SHIM_LINES = 2350
SUFFIXES = [".h", ".cc", ".proto", ".py", ".sh", ".cmake", "CMakeLists.txt"]


def line_count(path):
    with open(path, "rb") as file:
        return sum(1 for _ in file)


def code_line_count(path):
    with open(path, encoding="utf-8") as file:
        return sum(1 for line in file if not re.match(r"\s*(//.*)?$", line))


def main():
    root = sys.argv[1]
    lines = {path: line_count(f"{root}/{path}") for path in source_files(root, SUFFIXES)}
    complaints = [f"{path}: {count} lines, limit {limit}: it holds more than one noun; split it"
                  for path, count in lines.items() if count > (limit := LONGER_FILES.get(path, MAX_FILE_LINES))]
    shim = sum(code_line_count(f"{root}/{path}") for path in lines
               if path.startswith("agent/shim/") and path.endswith((".h", ".cc")))
    if shim > MAX_SHIM_LINES:
        complaints.append(f"agent/shim/: {shim} lines of code, limit {MAX_SHIM_LINES}: move what the agent can do to the agent")
    print("\n".join(complaints) if complaints else
          f"{len(lines)} files, the longest has {max(lines.values())} lines; the shim has {shim} lines of code")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
