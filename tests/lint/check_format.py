#!/usr/bin/env python3
"""Checks the layout of C++ files with clang-format: check_format.py ROOT. Exit 77: not the version to ask."""

import re
import shutil
import subprocess
import sys

from sources import source_files

MAJOR = "14"  # Debian 12; other versions break lines elsewhere
SKIPPED = 77


def main():
    root = sys.argv[1]
    tool = shutil.which(f"clang-format-{MAJOR}") or shutil.which("clang-format")
    if tool is None:
        print(f"skipped: there is no clang-format; install clang-format-{MAJOR}")
        return SKIPPED
    version = subprocess.run([tool, "--version"], check=True, capture_output=True, text=True).stdout
    if not re.search(rf"version {MAJOR}\.", version):
        print(f"skipped: {version.strip()}; install clang-format-{MAJOR}")
        return SKIPPED
    files = source_files(root, [".h", ".cc"])
    result = subprocess.run([tool, "--dry-run", "-Werror", *files], cwd=root, capture_output=True, text=True)
    bad = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error:", result.stderr, re.MULTILINE)))
    for path in bad:
        print(f"{path}: not formatted; run: {tool} -i {path}")
    if result.returncode != 0 and not bad:
        print(result.stderr)
    if result.returncode == 0:
        print(f"{len(files)} files are formatted")
    return 1 if result.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
