#!/usr/bin/env python3
"""The systemd units as installed: units_test.py BUILD_DIR. What systemd itself does with them needs a systemd
that runs; here its own checker reads them, and what the promise stands on is read back."""

import configparser
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = sys.argv.pop(1)


def settings(path):
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str
    parser.read(path)
    return parser


class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory()
        subprocess.run(["cmake", "--install", BUILD, "--component", "agent", "--prefix", cls.temp.name],
                       check=True, capture_output=True, env={**os.environ, "DESTDIR": ""})
        cls.units = pathlib.Path(cls.temp.name, "lib/systemd")

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    def verify(self, scope, files):
        environment = {**os.environ, "XDG_RUNTIME_DIR": self.temp.name}
        return subprocess.run(["systemd-analyze", "verify", f"--{scope}", "--man=no", *map(str, files)],
                              capture_output=True, text=True, env=environment, timeout=120)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
    def test_systemd_finds_nothing_to_object_to(self):
        for scope in ("system", "user"):
            with self.subTest(scope=scope):
                files = sorted((self.units / scope).iterdir())
                self.assertEqual([file.name for file in files], ["shoal-processes.service", "shoald.service"])
                result = self.verify(scope, files)
                # It may complain of other units of this machine; of ours it must not.
                ours = [line for line in result.stderr.splitlines() if "shoal" in line]
                self.assertEqual((ours, result.returncode), ([], 0), result.stderr)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
    def test_the_checker_would_find_a_mistake(self):
        bad = pathlib.Path(self.temp.name, "bad.service")
        good = (self.units / "system/shoald.service").read_text()
        bad.write_text(good.replace("KillMode=process", "KillMode=proces"))
        self.assertIn("kill mode", self.verify("system", [bad]).stderr)

    def test_an_agent_that_is_restarted_touches_no_process(self):
        for scope in ("system", "user"):
            with self.subTest(scope=scope):
                agent = settings(self.units / scope / "shoald.service")
                self.assertEqual(agent["Service"]["KillMode"], "process")
                self.assertEqual(agent["Service"]["Type"], "notify")
                self.assertEqual(agent["Service"]["TasksMax"], "infinity")
                # One shim or process that runs out of memory must not end the unit.
                self.assertEqual(agent["Service"]["OOMPolicy"], "continue")
                # These would stop the agent with the processes, or the processes with the agent.
                self.assertNotIn("Requires", agent["Unit"])
                self.assertNotIn("BindsTo", agent["Unit"])
                processes = settings(self.units / scope / "shoal-processes.service")
                self.assertNotIn("PartOf", processes["Unit"])

    def test_the_cgroup_that_the_agent_is_told_is_the_delegated_one(self):
        for scope, place in (("system", "/sys/fs/cgroup/{slice}/"),
                             ("user", "/sys/fs/cgroup/user.slice/user-%U.slice/user@%U.service/{slice}/")):
            with self.subTest(scope=scope):
                agent = settings(self.units / scope / "shoald.service")
                processes = settings(self.units / scope / "shoal-processes.service")["Service"]
                self.assertEqual((processes["Delegate"], processes["RemainAfterExit"]), ("yes", "yes"))
                base = place.format(slice=processes["Slice"]) + "shoal-processes.service"
                self.assertIn(f"--cgroup-base {base}", agent["Service"]["ExecStart"])
                self.assertIn("shoal-processes.service", agent["Unit"]["Wants"])
                self.assertIn("shoal-processes.service", agent["Unit"]["After"])

    def test_records_and_database_outlive_the_agent(self):
        agent = settings(self.units / "system/shoald.service")["Service"]
        self.assertEqual((agent["RuntimeDirectory"], agent["RuntimeDirectoryPreserve"]), ("shoal", "yes"))
        self.assertEqual((agent["StateDirectory"], agent["Restart"]), ("shoal", "always"))

    def test_nothing_that_processes_would_inherit_confines_them(self):
        agent = settings(self.units / "system/shoald.service")["Service"]
        for name in agent:
            self.assertFalse(name.startswith(("Private", "Protect", "Restrict", "NoNew", "SystemCall",
                                              "Capability", "Memory", "Lock", "ReadOnly", "Inaccessible")), name)


if __name__ == "__main__":
    unittest.main()
