"""How clang is called for a file: what CMake wrote for the `dev` preset, less the output and precompiled headers. Where
several sources are compiled as one, each is called for as that one."""

import json
import pathlib
import re
import shlex

_UNITY = re.compile(r"/Unity/unity_\w+\.cxx$")
_INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


class CompileCommands:
    def __init__(self, root, build):
        with open(f"{build}/compile_commands.json", encoding="utf-8") as file:
            entries = json.load(file)
        self._words = {}
        for entry in entries:
            for file in self._sources(entry["file"]):
                if file.startswith(f"{root}/"):
                    self._words.setdefault(file[len(root) + 1:], shlex.split(entry["command"]))

    @staticmethod
    def _sources(file):
        if not _UNITY.search(file):
            return [file]
        return _INCLUDE.findall(pathlib.Path(file).read_text(encoding="utf-8"))

    def files(self):
        """Those that are compiled, generated ones left out, sorted; "tests/a.cc"."""
        return sorted(path for path in self._words if not path.startswith("build/"))

    def arguments(self, path):
        """The compiler and its options for `path`, without input, output and launcher."""
        words = self._words[path]
        while not words[0].rsplit("/", 1)[-1].startswith("clang"):
            words = words[1:]
        words = words[:words.index("-o")]
        # "-Xclang -include-pch -Xclang FILE" and the like, and what is GCC's.
        while "-Xclang" in words:
            at = words.index("-Xclang")
            del words[at:at + 2]
        return [word for word in words if not word.startswith(("-specs=", "-nostdinc++"))]
