#!/usr/bin/env python3
"""Manual pages and completions as installed: pages_test.py BUILD_DIR."""

import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(sys.argv.pop(1))


def said(*words):
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "MANWIDTH")}
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60, env=environment).stdout


def words_of(text):
    """The words of a text, wherever its lines and columns are, without the dashes at which a page may be cut."""
    return re.sub(r"[\s\u2010-]+", " ", text).strip()


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.temp.name)
        for component in ("agent", "cli"):
            subprocess.run(["cmake", "--install", str(BUILD), "--component", component, "--prefix", "/usr/local"],
                           check=True, capture_output=True, env={**os.environ, "DESTDIR": cls.temp.name})
        cls.share = cls.root / "usr/local/share"

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    def pages(self):
        return sorted(self.share.glob("man/man?/*.gz"))

    def test_each_command_has_a_page_and_each_shell_its_completion(self):
        listed = re.findall(r"^  (\w+) ", said(f"{BUILD}/bin/shoal", "--help").split("\nCommands:\n")[1].split("\n\n")[0],
                            re.MULTILINE)
        self.assertIn("run", listed)
        have_pages = [command for command in listed if command not in ("help", "version")]  # these have no help of their own
        wanted = ["shoal.1.gz", "shoald.8.gz", *(f"shoal-{command}.1.gz" for command in have_pages)]
        self.assertEqual(sorted(page.name for page in self.pages()), sorted(wanted))
        for place in ("bash-completion/completions/shoal", "zsh/site-functions/_shoal",
                      "fish/vendor_completions.d/shoal.fish"):
            self.assertTrue((self.share / place).exists(), place)

    @unittest.skipUnless(shutil.which("mandoc"), "there is no mandoc")
    def test_the_checker_of_pages_finds_nothing(self):
        for page in self.pages():
            with self.subTest(page=page.name):
                result = subprocess.run(["mandoc", "-Tlint", "-Wwarning"], input=gzip.decompress(page.read_bytes()),
                                        capture_output=True, timeout=60)
                # A page that another one names is not installed where the checker looks.
                found = [line for line in result.stdout.decode().splitlines() if "referenced manual not found" not in line]
                self.assertEqual(found, [])

    @unittest.skipUnless(shutil.which("mandoc"), "there is no mandoc")
    def test_a_page_shows_all_that_the_help_says(self):
        for program, arguments, name in (("shoal", ["run"], "man1/shoal-run.1"), ("shoal", ["signal"], "man1/shoal-signal.1"),
                                         ("shoal", [], "man1/shoal.1"), ("shoald", [], "man8/shoald.8")):
            with self.subTest(page=name):
                page = subprocess.run(["mandoc", "-Tutf8", "-Owidth=78"], capture_output=True, timeout=60, check=True,
                                      input=gzip.decompress((self.share / f"man/{name}.gz").read_bytes())).stdout.decode()
                shown = words_of(re.sub(".\b", "", page)).lower()
                text = said(f"{BUILD}/bin/{program}", *arguments, "--help")
                for paragraph in re.split(r"\n\n|\n  (?=\S)|^\w+:", text, flags=re.MULTILINE):
                    for part in re.split(r"  +|\n {2,}(?=shoal)", paragraph):
                        part = re.sub(r"^(Usage|Exit status|Signals|Files|Examples|Selectors|Commands|Options|Arguments):",
                                      "", part.strip())
                        self.assertIn(words_of(part).lower(), shown)


if __name__ == "__main__":
    unittest.main()
