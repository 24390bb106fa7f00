#!/usr/bin/env python3
"""The example configurations: examples_test.py DEPLOY_DIR SHOALD SHOAL."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

DEPLOY, SHOALD, SHOAL = pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1), sys.argv.pop(1)
# Not settings: they say what to do now, or where this file is.
NOT_SETTINGS = {"help", "help-all", "version", "config", "terminate", "grace"}
SETTING = r"^#([a-z][a-z0-9-]*) = "


class Examples(unittest.TestCase):
    def test_the_agents_has_every_setting_and_no_other(self):
        text = subprocess.run([SHOALD, "--help"], check=True, capture_output=True, text=True, timeout=60).stdout
        flags = set(re.findall(r"^\s+(?:-\w,\s*)?--([a-z][a-z-]*)", text, re.MULTILINE)) - NOT_SETTINGS
        keys = re.findall(SETTING, (DEPLOY / "shoald.toml.example").read_text(), re.MULTILINE)
        self.assertEqual(sorted(keys), sorted(flags))

    def start_with(self, config):
        """An agent with this configuration, which ends by itself; its own exit status and all that it said."""
        with tempfile.TemporaryDirectory() as temp:
            path = pathlib.Path(temp, "shoald.toml")
            path.write_text(config)
            result = subprocess.run(
                [SHOALD, "--config", str(path), "--state-dir", f"{temp}/state", "--run-dir", f"{temp}/run",
                 "--idle-exit", "1ms", "--ready-fd", "1"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        return result.returncode, result.stdout

    def test_the_agent_starts_with_every_setting_given_as_in_the_example(self):
        given = re.sub(SETTING, r"\1 = ", (DEPLOY / "shoald.toml.example").read_text(), flags=re.MULTILINE)
        status, said = self.start_with(given)
        self.assertEqual(status, 0, said)
        self.assertIn("ready unix:", said)

    def test_lists_may_have_several_items(self):
        status, said = self.start_with('allow-identity = ["spiffe://a/b", "spiffe://a/c"]\n'
                                       'label = ["rack=b7", "gpu=no"]\n')
        self.assertEqual(status, 0, said)
        status, said = self.start_with('label = ["rack=b7", "gpu"]\n')
        self.assertEqual(status, 2, said)
        self.assertIn("'gpu' is not KEY=VALUE", said)

    def test_the_command_line_reads_its_own_with_every_setting_given(self):
        given = re.sub(SETTING, r"\1 = ", (DEPLOY / "config.toml.example").read_text(), flags=re.MULTILINE)
        with tempfile.TemporaryDirectory() as temp:
            config = pathlib.Path(temp, "config.toml")
            config.write_text(given)
            result = subprocess.run([SHOAL, "-H", "@nobody", "hosts"], capture_output=True, text=True, timeout=60,
                                    env={**os.environ, "SHOAL_CONFIG": str(config)})
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("known: @studio", result.stderr)


if __name__ == "__main__":
    unittest.main()
