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
NOT_SETTINGS = {"help", "help-all", "version", "config"}
SETTING = r"^#([a-z][a-z0-9-]*) = "


class Examples(unittest.TestCase):
    def test_the_agents_has_every_setting_and_no_other(self):
        text = subprocess.run([SHOALD, "--help"], check=True, capture_output=True, text=True, timeout=60).stdout
        flags = set(re.findall(r"^\s+(?:-\w,\s*)?--([a-z][a-z-]*)", text, re.MULTILINE)) - NOT_SETTINGS
        keys = re.findall(SETTING, (DEPLOY / "shoald.toml.example").read_text(), re.MULTILINE)
        self.assertEqual(sorted(keys), sorted(flags))

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
