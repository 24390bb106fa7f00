#!/usr/bin/env python3
"""deploy/build-deps ROOT/deploy/build-deps, with dpkg-query, apt-get and sudo replaced by recording stubs."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = sys.argv.pop(1)


class BuildDeps(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.bin = pathlib.Path(temp.name)
        self.calls = self.bin / "calls"
        self.calls.write_text("")
        for tool in ("bash", "env", "sed", "cat"):
            os.symlink(f"/bin/{tool}", self.bin / tool)
        self.stub("apt-get", f'echo "$*" >> {self.calls}')

    def stub(self, name, text):
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def have(self, *missing):
        """Every package is installed but `missing`, of which "removed" is as dpkg remembers it."""
        cases = " ".join(f"{name}) printf 'rc '; exit 0 ;;" for name in missing)
        self.stub("dpkg-query", f'case "${{@: -1}}" in {cases} *) printf "ii "; ;; esac')

    def run_script(self, *arguments):
        return subprocess.run(["/bin/bash", SCRIPT, *arguments], env={"PATH": str(self.bin)},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def test_nothing_missing_means_apt_is_not_called(self):
        self.have()
        result = self.run_script("--demo")
        self.assertEqual((result.returncode, result.stderr, self.calls.read_text()), (0, "", ""))

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_what_is_missing_is_installed_without_a_question(self):
        self.have("ninja-build", "libgrpc++-dev")
        result = self.run_script()
        self.assertEqual(result.returncode, 0, result.stderr)
        update, install = self.calls.read_text().splitlines()
        self.assertTrue(update.endswith(" update"), update)
        self.assertTrue(install.endswith("install -y --no-install-recommends ninja-build libgrpc++-dev"), install)

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_node_from_elsewhere_counts(self):
        self.have()
        self.stub("node", "")
        self.stub("npm", "")
        self.assertEqual(self.run_script("--tests").returncode, 0)
        self.assertEqual(self.calls.read_text(), "")
        (self.bin / "npm").unlink()
        self.assertEqual(self.run_script("--tests").returncode, 0)
        self.assertIn("npm", self.calls.read_text())

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_a_failed_update_is_said(self):
        self.have("cmake")
        self.stub("apt-get", "exit 100")
        result = self.run_script()
        self.assertEqual(result.returncode, 1)
        self.assertIn("apt-get update failed", result.stderr)

    def test_another_system_is_told_what_to_install(self):
        result = self.run_script()
        self.assertEqual(result.returncode, 1)
        self.assertIn("this is not Debian", result.stderr)
        self.assertIn("protobuf-compiler-grpc", result.stderr)

    def test_an_unknown_argument_is_named(self):
        result = self.run_script("--test")
        self.assertEqual(result.returncode, 1)
        self.assertIn('unknown argument "--test"', result.stderr)


if __name__ == "__main__":
    unittest.main()
