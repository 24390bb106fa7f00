#!/usr/bin/env python3
"""Checks shell scripts, known by their first line, with bash -n and shellcheck: check_scripts.py ROOT."""

import re
import shutil
import subprocess
import sys

from sources import source_files


def is_shell_script(path):
    with open(path, "rb") as file:
        return re.match(rb"#!/bin/(ba)?sh\b", file.readline(64)) is not None


def main():
    root = sys.argv[1]
    scripts = [path for path in source_files(root, [""]) if is_shell_script(f"{root}/{path}")]
    failed = False
    for path in scripts:
        failed |= subprocess.run(["bash", "-n", path], cwd=root).returncode != 0
    if shutil.which("shellcheck"):
        failed |= subprocess.run(["shellcheck", "--severity=warning", *scripts], cwd=root).returncode != 0
    else:
        print("without shellcheck, which is not installed: syntax alone")
    print(f"{len(scripts)} scripts: {', '.join(scripts)}")
    return 1 if failed or not scripts else 0


if __name__ == "__main__":
    sys.exit(main())
