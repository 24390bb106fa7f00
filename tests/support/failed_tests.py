#!/usr/bin/env python3
"""failed_tests.py FILE: of each test that failed, by ctest's JUnit file, a line "FAILED name" and the end of its output."""
import sys
import xml.etree.ElementTree as tree

LAST_LINES = 40

for test in tree.parse(sys.argv[1]).iter("testcase"):
    if test.get("status") == "fail":
        print("FAILED", test.get("name"))
        for line in (test.findtext("system-out") or "").splitlines()[-LAST_LINES:]:
            print("  |", line)
