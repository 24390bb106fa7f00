#!/usr/bin/env python3
"""deploy/install: install_test.py ROOT BUILD_DIR. Nothing is installed outside of temporary directories."""

import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT, BUILD = sys.argv.pop(1), sys.argv.pop(1)

# Records what a host would be told; unpacks what it would unpack, below $REMOTE instead of /.
SSH_STUB = """#!/bin/bash
host=${@: -2:1} command=${@: -1}
echo "$host: $command" >> "$REMOTE.calls"
[[ $host != down* ]] || { echo "ssh: connect to host $host port 22: Connection refused" >&2; exit 255; }
case $command in
  *" tar "*) tar -x -C "$REMOTE" ;;
  *) cat > "$REMOTE.script"; [[ $host != sick* ]] || { echo "no disk" >&2; exit 1; } ;;
esac
"""


class Install(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.temp = pathlib.Path(temp.name)
        self.dest = self.temp / "dest"

    def run_script(self, *arguments, **environment):
        return subprocess.run([f"{ROOT}/deploy/install", *map(str, arguments)],
                              env={**os.environ, "HOME": str(self.temp), "SHOAL_CONFIG": str(self.temp / "config.toml"),
                                   "XDG_CONFIG_HOME": "", **environment}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)

    def test_local_puts_programs_units_and_configuration_below_destdir(self):
        result = self.run_script("--local", "--build", BUILD, "--destdir", self.dest)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "installed, not started\n")
        for name in ("usr/local/sbin/shoald", "usr/local/bin/shoal", "usr/local/libexec/shoal/shoal-shim"):
            self.assertTrue(os.access(self.dest / name, os.X_OK), name)
        unit = (self.dest / "usr/local/lib/systemd/system/shoald.service").read_text()
        self.assertIn("ExecStart=/usr/local/sbin/shoald --config /etc/shoal/shoald.toml ", unit)
        self.assertTrue((self.dest / "etc/shoal/shoald.toml").exists())

    def test_another_prefix_keeps_everything_together(self):
        result = self.run_script("--local", "--build", BUILD, "--destdir", self.dest, "--prefix", "/opt/shoal")
        self.assertEqual(result.returncode, 0, result.stderr)
        unit = (self.dest / "opt/shoal/lib/systemd/system/shoald.service").read_text()
        self.assertIn("ExecStart=/opt/shoal/sbin/shoald --config /opt/shoal/etc/shoal/shoald.toml ", unit)
        self.assertTrue((self.dest / "opt/shoal/etc/shoal/shoald.toml").exists())

    def test_a_configuration_that_is_there_stays_unless_one_is_given(self):
        config = self.dest / "etc/shoal/shoald.toml"
        config.parent.mkdir(parents=True)
        config.write_text("slots = 3\n")
        arguments = ["--local", "--build", BUILD, "--destdir", self.dest]
        self.assertEqual(self.run_script(*arguments).returncode, 0)
        self.assertEqual(config.read_text(), "slots = 3\n")
        given = self.temp / "given.toml"
        given.write_text("slots = 4\n")
        key = self.temp / "some.key"
        key.write_text("secret\n")
        self.assertEqual(self.run_script(*arguments, "--config", given, "--key", key).returncode, 0)
        self.assertEqual(config.read_text(), "slots = 4\n")
        self.assertEqual(stat.S_IMODE((self.dest / "etc/shoal/agent.key").stat().st_mode), 0o600)
        self.assertFalse((self.dest / "etc/shoal/shoald.toml.new").exists())

    def test_hosts_get_files_and_a_script_and_one_that_fails_does_not_stop_the_rest(self):
        stub = self.temp / "bin" / "ssh"
        stub.parent.mkdir()
        stub.write_text(SSH_STUB)
        stub.chmod(0o755)
        remote = self.temp / "remote"
        remote.mkdir()
        result = self.run_script("--build", BUILD, "--no-start", "down1", "admin@node1", "sick1", REMOTE=str(remote),
                                 PATH=f"{stub.parent}:{os.environ['PATH']}")
        self.assertEqual(result.returncode, 1)
        self.assertIn("down1: ssh: connect to host down1 port 22: Connection refused", result.stdout)
        self.assertIn("sick1: no disk\n", result.stdout)
        self.assertIn("failed on down1 sick1;", result.stderr)
        self.assertIn('fleet = ["node1"]\n', (self.temp / "config.toml").read_text())
        self.assertTrue(os.access(remote / "usr/local/sbin/shoald", os.X_OK))
        self.assertTrue((remote / "etc/shoal/shoald.toml.new").exists())
        calls = pathlib.Path(f"{remote}.calls").read_text()
        self.assertIn("admin@node1: $([ \"$(id -u)\" = 0 ] || echo sudo -n) tar --no-overwrite-dir", calls)
        script = pathlib.Path(f"{remote}.script").read_text()
        self.assertIn("systemctl restart shoald.service", script)
        checked = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_a_dry_run_says_everything_and_does_nothing(self):
        result = self.run_script("--dry-run", "--build", BUILD, "--local", "--destdir", self.dest)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("cmake --install", result.stdout)
        self.assertIn("systemctl restart shoald.service", result.stdout)
        self.assertFalse(self.dest.exists())

    def test_wrong_usage_is_said_in_one_line(self):
        for arguments, words in [
                ([], "name a host, or --local"),
                (["--local", "node1"], "either --local or hosts"),
                (["--destdir", "/tmp/x", "node1"], "--destdir goes with --local"),
                (["--prefix", "relative", "node1"], "an absolute path"),
                (["--config", "/nowhere/shoald.toml", "node1"], "/nowhere/shoald.toml: cannot be read"),
                (["--build", "/nowhere", "node1"], "there is no build tree"),
                (["--prefix"], "--prefix needs a value"),
                (["--group", "a b", "node1"], "\"a b\": a group is called by letters, digits, - and _"),
                (["node 1"], "\"node 1\": not a name or an address that a certificate can have"),
                (["--colour", "node1"], "unknown option --colour")]:
            with self.subTest(arguments=arguments):
                result = self.run_script(*arguments)
                self.assertEqual(result.returncode, 2)
                self.assertIn(words, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)

    def test_what_would_be_useless_is_refused_before_anything_is_done(self):
        config, ca = self.temp / "config.toml", self.temp / "ca"
        for text, words in [
                ('[tls]\ncert = "/etc/mine.crt"\n', "has a [tls] cert of its own; install with --config, --cert, --key and --ca"),
                ('[groups]\nfleet = [\n"a",\n"b"]\n', "has @fleet in several lines; give another --group")]:
            with self.subTest(words=words):
                config.write_text(text)
                result = self.run_script("--build", BUILD, "node1")
                self.assertEqual((result.returncode, config.read_text()), (2, text))
                self.assertIn(words, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)
        config.unlink()
        result = self.run_script("--build", BUILD, "--ca-dir", "/proc/ca", "node1")
        self.assertEqual((result.returncode, result.stderr), (2, "install: /proc/ca: cannot be made\n"))
        for key_mode, days, words in [(0o644, 9000, "ca.key: others can read it"), (0o600, 30, "ca.crt ends in less than 397 days")]:
            with self.subTest(words=words):
                ca.mkdir(exist_ok=True)
                subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                                "-subj", "/CN=x", "-days", str(days), "-keyout", ca / "ca.key", "-out", ca / "ca.crt"],
                               check=True, capture_output=True)
                (ca / "ca.key").chmod(key_mode)
                result = self.run_script("--build", BUILD, "--ca-dir", ca, "node1")
                self.assertEqual((result.returncode, result.stderr.count("\n")), (2, 1), result.stderr)
                self.assertIn(words, result.stderr)
                self.assertFalse(config.exists())


class Toml(unittest.TestCase):
    """The functions of toml.sh, as a shell without extras runs them."""

    def call(self, text, *words):
        with tempfile.TemporaryDirectory() as temp:
            path = pathlib.Path(temp, "a.toml")
            if text is not None:
                path.write_text(text)
            words = [str(path) if word == "FILE" else word for word in words]
            result = subprocess.run(["sh", "-euc", f'. {ROOT}/deploy/install.d/toml.sh; "$@"', "sh", *words],
                                    capture_output=True, text=True, timeout=60, check=True)
            left = sorted(os.listdir(temp))
            return result.stdout, path.read_text() if left == ["a.toml"] else left

    def test_a_setting_is_found_in_its_section_alone(self):
        text = '# a = 1\na = "top"\n[x]\na = [1, 2]  \n[y]\n'
        for section, value in (("", '"top"\n'), ("x", "[1, 2]\n"), ("y", ""), ("z", "")):
            self.assertEqual(self.call(text, "toml_get", "FILE", section, "a")[0], value)
        self.assertEqual(self.call(None, "toml_get", "FILE", "", "a"), ("", []))

    def test_a_setting_takes_the_place_of_the_old_one_or_of_its_example(self):
        for text, section, after in [
                (None, "", "a = 7\n"),
                (None, "x", "[x]\na = 7\n"),
                ("b = 1\n", "x", "b = 1\n\n[x]\na = 7\n"),
                ("#a = 1\na = 2\n#a = 3\n", "", "#a = 1\na = 7\n#a = 3\n"),
                ("# A\n#a = 1\nb = 2\n", "", "# A\na = 7\nb = 2\n"),
                ("[x]\nb = 1\n[y]\na = 2\n", "x", "[x]\nb = 1\na = 7\n\n[y]\na = 2\n"),
                ("ab = 1\n[x]\na = 1\n", "x", "ab = 1\n[x]\na = 7\n"),
                ("a = 7\n", "", "a = 7\n")]:
            with self.subTest(text=text, section=section):
                self.assertEqual(self.call(text, "toml_set", "FILE", section, "a", "7")[1], after)

    def test_a_list_takes_one_more(self):
        for before, after in [("", '["b"]'), ('""', '["b"]'), ("[]", '["b"]'), ('"a"', '["a", "b"]'), ('["a"]', '["a", "b"]'),
                              ('["a", "b"]', '["a", "b"]'), ("[", ""), ('["a",', "")]:
            with self.subTest(before=before):
                self.assertEqual(self.call(None, "toml_with", before, "b")[0].strip(), after)


if __name__ == "__main__":
    unittest.main()
