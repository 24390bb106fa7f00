#!/usr/bin/env python3
"""Shows that check_fault_table.py finds what it is to find."""

import pathlib
import tempfile
import unittest

from check_fault_table import FAULTS, check

TEST = "TEST_F(Some, BreaksAndIsMended) {}\nTEST(Some,\n     BreaksLater) {}\n"
ROWS = '{{7, "BreaksInARow", &Break}, {0, "OfNoNumber", &Break}};\n'


def table(**changed):
    """A table whose rows have no test; `changed`: other texts, by "f" and the number; None: no row."""
    texts = {f"f{number}": "open" for number in range(1, FAULTS + 1)}
    texts |= {"f7": "`system/fault_rows_a.cc: BreaksInARow`"} | changed
    return [f"| {name[1:]} | fault → answer | {text} |" for name, text in texts.items() if text is not None]


def complaints(lines):
    with tempfile.TemporaryDirectory() as root:
        tests = pathlib.Path(root)
        (tests / "system").mkdir()
        (tests / "system/a_test.cc").write_text(TEST, encoding="utf-8")
        (tests / "system/fault_rows_a.cc").write_text(ROWS, encoding="utf-8")
        (tests / "README.md").write_text("\n".join(lines), encoding="utf-8")
        return check(tests)[0]


class CheckFaultTable(unittest.TestCase):
    def test_a_table_that_is_true_passes(self):
        self.assertEqual(complaints(table()), [])
        for name in ("a_test.cc: BreaksAndIsMended", "a_test.cc: BreaksLater", "fault_rows_a.cc: OfNoNumber"):
            self.assertEqual(complaints(table(f1=f"`system/{name}`; open: the rest")), [])

    def test_a_test_or_file_that_is_not_there_is_found(self):
        self.assertEqual(complaints(table(f1="`system/a_test.cc: Breaks`")),
                         ["1: there is no test Breaks in tests/system/a_test.cc"])
        self.assertEqual(complaints(table(f1="`system/b_test.cc: Breaks`")), ["1: there is no tests/system/b_test.cc"])

    def test_a_number_that_is_missing_or_twice_is_found(self):
        self.assertEqual(complaints(table(f2=None)), ["2 is missing"])
        self.assertEqual(complaints(table() + ["| 3 | fault → answer | open |"]), ["3 stands twice"])
        self.assertEqual(complaints(table() + [f"| {FAULTS + 1} | fault → answer | open |"]),
                         [f"{FAULTS + 1} is above {FAULTS}: raise FAULTS"])

    def test_a_row_that_is_run_and_not_named_is_found(self):
        self.assertEqual(complaints(table(f7="open")),
                         ["7: row BreaksInARow of tests/system/fault_rows_a.cc is not named there"])

    def test_a_fault_without_a_test_says_why(self):
        self.assertEqual(complaints(table(f1="later")),
                         ["1: names no test, and not why: open, not built yet, cannot be produced here"])

    def test_a_line_that_is_no_row_is_found(self):
        self.assertEqual(complaints(table() + ["| 8 | no arrow | open |"]), ["not a row: | 8 | no arrow | open |"])


if __name__ == "__main__":
    unittest.main()
