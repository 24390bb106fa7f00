#!/usr/bin/env python3
"""The packages for Debian: packages_test.py BUILD_DIR. Made by CPack, checked by lintian, and installed, used, removed and
purged in a copy of this machine's root."""

import shutil
import subprocess
import sys
import unittest

import hosts

BUILD = sys.argv[1]
NAMES = ["libshoal-dev", "shoal", "shoald"]
DPKG = ["dpkg", "--force-unsafe-io", "--no-triggers"]  # of man-db, which reads every page of the machine


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        work = cls.enterClassContext(hosts.workplace())
        hosts.make_root(work / "host")
        cls.root = work / "host/root"
        subprocess.run(["cpack", "--config", f"{BUILD}/CPackConfig.cmake", "-B", work / "made"], check=True,
                       capture_output=True, timeout=120)
        cls.packages = sorted((work / "made").glob("*.deb"))
        for package in cls.packages:
            shutil.copy(package, cls.root / "tmp")
        cls.known = cls.found()

    @classmethod
    def found(cls):
        """What there is of Shoal on the host, outside of places that are not the packages'."""
        places = [cls.root / place for place in ("etc", "lib/systemd", "usr", "var")]
        listed = hosts.run("find", *places, "-xdev", "-iname", "*shoal*").stdout.splitlines()
        return [path.removeprefix(str(cls.root)) for path in listed if "/pyenv" not in path]

    def on_host(self, *words):
        return subprocess.run(["chroot", str(self.root), "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                               "DEBIAN_FRONTEND=noninteractive", "HOME=/root", *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def field(self, package, name):
        return hosts.run("dpkg-deb", "-f", package, name).stdout.strip()

    def test_1_are_three_with_dependencies_that_were_found(self):
        self.assertEqual([self.field(package, "Package") for package in self.packages], NAMES)
        self.assertIn("libgrpc++-dev", self.field(self.packages[0], "Depends"))
        for package in self.packages[1:]:
            self.assertRegex(self.field(package, "Depends"), r"libc6 \(>= [0-9.]+\)")
        self.assertRegex(self.field(self.packages[2], "Depends"), r"libsystemd0 \(>= [0-9]+\)")

    @unittest.skipUnless(shutil.which("lintian"), "there is no lintian")
    def test_2_the_checker_of_packages_finds_no_error(self):
        checked = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", *self.packages], capture_output=True,
                                 text=True, timeout=300)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_3_are_installed_used_and_removed(self):
        debs = [f"/tmp/{package.name}" for package in self.packages]
        installed = self.on_host(*DPKG, "--install", *debs)
        self.assertEqual(installed.returncode, 0, installed.stdout + installed.stderr)
        for name in ("usr/sbin/shoald", "usr/bin/shoal", "usr/libexec/shoal/shoal-shim", "etc/shoal/shoald.toml",
                     "usr/lib/systemd/system/shoald.service", "usr/share/man/man1/shoal-run.1.gz",
                     "usr/share/man/man8/shoald.8.gz", "usr/share/bash-completion/completions/shoal",
                     "usr/share/zsh/vendor-completions/_shoal", "usr/share/fish/vendor_completions.d/shoal.fish",
                     "usr/include/shoal/shoal.h"):
            self.assertTrue((self.root / name).exists(), name)
        self.assertIn("ExecStart=/usr/sbin/shoald --config /etc/shoal/shoald.toml ",
                      (self.root / "usr/lib/systemd/system/shoald.service").read_text())
        self.assertEqual(self.on_host("dpkg", "--verify", *NAMES).stdout, "")
        self.assertTrue((self.root / "etc/systemd/system/multi-user.target.wants/shoald.service").is_symlink())

        ran = self.on_host("shoal", "run", "-n", "1", "--no-tag", "--", "echo", "hello")
        self.assertEqual((ran.returncode, ran.stdout), (0, "hello\n"), ran.stderr)
        self.assertEqual(self.on_host("shoal", "agent", "stop").returncode, 0)

        toml = self.root / "etc/shoal/shoald.toml"
        toml.write_text(toml.read_text() + "slots = 3\n")
        removed = self.on_host(*DPKG, "--remove", *NAMES)
        self.assertEqual(removed.returncode, 0, removed.stderr)
        self.assertFalse((self.root / "usr/sbin/shoald").exists())
        self.assertIn("slots = 3", toml.read_text())
        purged = self.on_host(*DPKG, "--purge", *NAMES)
        self.assertEqual(purged.returncode, 0, purged.stderr)
        # dpkg keeps lists of what it has only.
        left = [path for path in self.found() if path not in self.known]
        self.assertEqual(left, [])


if __name__ == "__main__":
    hosts.enter()
    sys.argv[1:2] = []
    unittest.main()
