#!/usr/bin/env python3
"""The container image, as far as it can be checked without a container engine: image_test.py ROOT."""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(sys.argv.pop(1))
TEXT = re.sub(r"\\\n\s*", " ", (ROOT / "deploy/image/Dockerfile").read_text())
LINES = [line for line in TEXT.splitlines() if line and not line.startswith("#")]


class Image(unittest.TestCase):
    def test_everything_copied_from_the_tree_is_there_and_not_ignored(self):
        ignored = (ROOT / ".dockerignore").read_text().split()
        copied = [line.split()[1:-1] for line in LINES if line.startswith("COPY ") and "--from=" not in line]
        self.assertGreater(len(copied), 3)
        for source in sum(copied, []):
            self.assertTrue((ROOT / source).exists(), source)
            self.assertNotIn(source.split("/")[0], ignored)

    def test_what_the_build_needs_is_copied(self):
        copied = " ".join(line for line in LINES if line.startswith("COPY "))
        for room in re.findall(r"^add_subdirectory\((\w+)\)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE):
            self.assertIn(f" {room} {room}", copied)

    def test_the_agent_runs_under_an_init(self):
        self.assertTrue(LINES[-1].startswith('ENTRYPOINT ["tini", "--", "shoald"'), LINES[-1])

    def test_instructions_are_known(self):
        known = {"FROM", "WORKDIR", "COPY", "RUN", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT"}
        self.assertEqual({line.split()[0] for line in LINES} - known, set())
        self.assertEqual([line.split()[1] for line in LINES if line.startswith("FROM")], ["debian:12", "debian:12-slim"])


if __name__ == "__main__":
    unittest.main()
