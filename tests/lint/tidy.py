#!/usr/bin/env python3
"""clang-tidy over the tree, with memory: tidy.py check|all|defer ROOT BUILD, BUILD being a tree of the `dev` preset.

  check  what is not clean by tests/lint/clean.txt, for at most 4 minutes of CPU; fails if that does not suffice
  all    the same without a limit; writes what is clean into the file, one after another, so that it can be ended
         and started again
  defer  writes what is not clean into the file as deferred: `check` names how many those are and leaves them to `all`

A line of the file is "DIGEST PATH", or "deferred PATH". The digest is of the checks (.clang-tidy), the file and, for
a source, the header of the same name, which is checked with it; a header without a source is checked on its own.
"""

import concurrent.futures
import hashlib
import os
import pathlib
import resource
import subprocess
import sys
import threading

from compile_commands import CompileCommands
from own_includes import OwnIncludes
from sources import source_files

BUDGET_SECONDS = 240
DEFERRED = "deferred"


class CleanList:
    """tests/lint/clean.txt: path → digest or DEFERRED. Thread-safe."""

    def __init__(self, root):
        self._file = pathlib.Path(root, "tests/lint/clean.txt")
        self._mutex = threading.Lock()
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        self._entries = {path: digest for digest, path in (line.split(" ", 1) for line in lines)}

    def get(self, path):
        return self._entries.get(path)

    def keep(self, paths):
        """Forgets files that are no more."""
        self._entries = {path: self._entries[path] for path in paths if path in self._entries}

    def put(self, path, digest):
        with self._mutex:
            self._entries[path] = digest
            text = "".join(f"{entry} {name}\n" for name, entry in sorted(self._entries.items()))
            self._file.write_text(text, encoding="utf-8")


class Tidy:
    def __init__(self, root, build):
        self._root = pathlib.Path(root)
        self._commands, self._includes = CompileCommands(root, build), OwnIncludes(root)
        self._config = (self._root / ".clang-tidy").read_bytes()
        compiled = self._commands.files()
        # A file to check → the source whose compile command it is checked with.
        self._units = {path: path for path in compiled}
        for source in compiled:
            for header in self._includes.closure(source):
                if header.endswith(".h") and not (self._root / header).with_suffix(".cc").is_file():
                    self._units.setdefault(header, source)
        tracked = set(source_files(root, [".h", ".cc"]))
        self._units = {path: source for path, source in self._units.items() if path in tracked}

    def files(self):
        return sorted(self._units)

    def _own_header(self, path):
        header = path[:-3] + ".h" if path.endswith(".cc") else ""
        return header if header and (self._root / header).is_file() else None

    def digest(self, path):
        digest = hashlib.sha256(self._config)
        for name in filter(None, [path, self._own_header(path)]):
            digest.update(b"\0" + (self._root / name).read_bytes())
        return digest.hexdigest()[:16]

    def complaints(self, path):
        """What clang-tidy says of `path`; empty if it is clean."""
        options = self._commands.arguments(self._units[path])[1:]
        header = self._own_header(path)
        command = ["clang-tidy", "--quiet", f"--header-filter=^{self._root}/{header}$" if header else "--header-filter=^$",
                   f"{self._root}/{path}", "--", *options, *(["-x", "c++"] if path.endswith(".h") else [])]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return ""
        return result.stdout + "".join(line + "\n" for line in result.stderr.splitlines() if "error" in line)


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(tidy, clean, paths, budget, remember):
    """Checks `paths` in order. Returns (complaints, paths that were not come to)."""
    def one(path):
        if budget is not None and cpu_seconds() > budget:
            return path, None
        digest = tidy.digest(path)
        text = tidy.complaints(path)
        if remember:
            print(f"{path}: {'clean' if not text else 'see below'}", flush=True)
            if not text:
                clean.put(path, digest)
        return path, text

    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = list(pool.map(one, paths))
    return [text for _, text in results if text], [path for path, text in results if text is None]


def main():
    what, root, build = sys.argv[1:]
    tidy, clean = Tidy(root, build), CleanList(root)
    unclean = [path for path in tidy.files() if clean.get(path) != tidy.digest(path)]
    if what == "defer":
        clean.keep(tidy.files())
        for path in unclean:
            clean.put(path, DEFERRED)
        print(f"{len(unclean)} of {len(tidy.files())} files are deferred")
        return 0
    if what == "all":
        clean.keep(tidy.files())
    deferred = [path for path in unclean if clean.get(path) == DEFERRED] if what == "check" else []
    wanted = [path for path in unclean if path not in set(deferred)]
    complaints, left = run(tidy, clean, wanted, BUDGET_SECONDS if what == "check" else None, what == "all")
    print("".join(complaints), end="")
    print(f"{len(tidy.files())} files: {len(wanted) - len(left)} checked now, {len(complaints)} of them with findings"
          + (f"; {len(deferred)} deferred, which only tests/lint/all checks" if deferred else ""))
    if left:
        print(f"{len(left)} more are new or changed, beyond what there is time for here: run tests/lint/all and commit"
              f" tests/lint/clean.txt. The first: {left[0]}")
    return 1 if complaints or left else 0


if __name__ == "__main__":
    sys.exit(main())
