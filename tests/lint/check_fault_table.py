#!/usr/bin/env python3
"""Checks the fault table of tests/README.md: check_fault_table.py ROOT.

Every number from 1 on stands there once. Every test that it names as `file: Name` exists in the file, as a test or as a
row of fault_rows_*.cc. Every such row is named at its number. A fault without a test says why."""

import pathlib
import re
import sys

FAULTS = 190
ROW = re.compile(r"^\| (\d+) \| (.+) → (.+) \| (.+) \|$")
CITATION = re.compile(r"`([\w/.-]+\.(?:cc|py)): (\w+)`")
CPP_TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*\w+,\s*(\w+)\s*\)", re.MULTILINE)
PYTHON_TEST = re.compile(r"^\s+def (test_\w+)\(", re.MULTILINE)
FAULT_ROW = re.compile(r'\{(\d+), "(\w+)",')
REASON = re.compile(r"\b(open|not built yet|cannot be produced here)\b")


def names_in(path):
    """Names of the tests of a file → the number that its row of faults has, or None."""
    text = path.read_text(encoding="utf-8")
    names = {name: None for name in CPP_TEST.findall(text) + PYTHON_TEST.findall(text)}
    if path.name.startswith("fault_rows_"):
        names.update((name, int(number) or None) for number, name in FAULT_ROW.findall(text))
    return names


def complaints_about(number, why, tests, named):
    citations = CITATION.findall(why)
    if not citations and not REASON.search(why):
        yield f"{number}: names no test, and not why: open, not built yet, cannot be produced here"
    for file, name in citations:
        path = tests / file
        if not path.is_file():
            yield f"{number}: there is no tests/{file}"
            continue
        if name not in names_in(path):
            yield f"{number}: there is no test {name} in tests/{file}"
        named.add((number, file, name))


def check(tests):
    rows, found, named = {}, [], set()
    for line in (tests / "README.md").read_text(encoding="utf-8").splitlines():
        match = ROW.match(line)
        if not match:
            if re.match(r"^\| *\d", line):
                found.append(f"not a row: {line}")
            continue
        number = int(match.group(1))
        if number in rows:
            found.append(f"{number} stands twice")
        rows[number] = match.group(4)
        found += complaints_about(number, match.group(4), tests, named)
    found += [f"{number} is missing" for number in range(1, FAULTS + 1) if number not in rows]
    found += [f"{number} is above {FAULTS}: raise FAULTS" for number in rows if number > FAULTS]
    for path in sorted((tests / "system").glob("fault_rows_*.cc")):
        for name, number in names_in(path).items():
            if number is not None and (number, f"system/{path.name}", name) not in named:
                found.append(f"{number}: row {name} of tests/system/{path.name} is not named there")
    return found, len(rows), len(named)


def main():
    found, rows, tests = check(pathlib.Path(sys.argv[1], "tests"))
    print("\n".join(found) if found else f"{rows} faults, {tests} tests named, all of which are there")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
