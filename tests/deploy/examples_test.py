#!/usr/bin/env python3
"""The example configuration has every setting of the program: examples_test.py EXAMPLE SHOALD."""

import re
import subprocess
import sys
import unittest

EXAMPLE, SHOALD = sys.argv.pop(1), sys.argv.pop(1)
# Not settings: they say what to do now, or where this file is.
NOT_SETTINGS = {"help", "help-all", "version", "config"}


class Examples(unittest.TestCase):
    def test_keys_are_exactly_the_flags(self):
        text = subprocess.run([SHOALD, "--help"], check=True, capture_output=True, text=True, timeout=60).stdout
        flags = set(re.findall(r"^\s+(?:-\w,\s*)?--([a-z][a-z-]*)", text, re.MULTILINE)) - NOT_SETTINGS
        with open(EXAMPLE, encoding="utf-8") as file:
            keys = re.findall(r"^#([a-z][a-z-]*) = ", file.read(), re.MULTILINE)
        self.assertEqual(sorted(keys), sorted(flags))


if __name__ == "__main__":
    unittest.main()
