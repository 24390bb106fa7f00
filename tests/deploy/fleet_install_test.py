#!/usr/bin/env python3
"""deploy/install on hosts that are namespaces, from nothing to agents that answer: fleet_install_test.py ROOT BUILD_DIR."""

import os
import re
import stat
import subprocess
import sys
import unittest

import hosts

ROOT, BUILD = sys.argv[1], sys.argv[2]
NODES = ["node1", "node2", None]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def certificate(path):
    return hosts.run("openssl", "x509", "-in", path, "-noout", "-text").stdout


class FleetInstall(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = cls.enterClassContext(hosts.workplace())
        cls.fleet = hosts.Hosts(cls.work, NODES)
        cls.address = cls.fleet.names[2]

    def environment(self, home):
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("SHOAL_", "XDG_"))}
        return {**kept, "HOME": str(self.work / home), "PATH": f"{self.work}/bin:{os.environ['PATH']}"}

    def install(self, *arguments, home="home"):
        return subprocess.run([f"{ROOT}/deploy/install", "--build", BUILD, *arguments], env=self.environment(home),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def shoal(self, *words, home="home"):
        return subprocess.run([f"{BUILD}/bin/shoal", *words], env=self.environment(home), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)

    def own(self, name, home="home"):
        return self.work / home / ".config/shoal" / name

    def installed(self, name):
        return self.fleet.root(name) / "etc/shoal"

    def test_1_ends_with_agents_that_can_be_used(self):
        toml = self.installed("node1") / "shoald.toml"
        toml.parent.mkdir()
        toml.write_text("# mine\nslots = 3\n")
        result = self.install("node1", f"root@{self.address}")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(result.stderr, f"made a CA: {self.own('ca')}\n")
        self.assertRegex(result.stdout, r"node1: installed, the agent runs")
        self.assertRegex(result.stdout, r"@fleet is \[.*\]\nshoal -H node1,\S+ hosts\nHOST +SLOTS .*\nnode1 +3 ")
        self.assertEqual(self.own("config.toml").read_text(),
                         f'[groups]\nfleet = ["node1", "{self.address}"]\n\n[tls]\ncert = "{self.own("client.crt")}"\n'
                         f'key = "{self.own("client.key")}"\nca = "{self.own("ca/ca.crt")}"\n')
        self.assertEqual(toml.read_text(),
                         '# mine\nslots = 3\ntls-cert = "/etc/shoal/agent.crt"\ntls-key = "/etc/shoal/agent.key"\n'
                         'tls-ca = "/etc/shoal/ca.crt"\nlisten = ["0.0.0.0:7420"]\n'
                         'allow-identity = ["spiffe://shoal/user/root"]\n')
        ran = self.shoal("-H", "@fleet", "run", "--per-host", "1", "--no-tag", "--", "echo", "hello")
        self.assertEqual((ran.returncode, ran.stdout), (0, "hello\nhello\n"), ran.stderr)

    def test_2_keys_are_private_and_certificates_say_what_they_are_for(self):
        self.assertEqual(mode(self.own("ca")), 0o700)
        for key in (self.own("ca/ca.key"), self.own("client.key"), self.installed("node1") / "agent.key"):
            self.assertEqual(mode(key), 0o600, key)
        client = certificate(self.own("client.crt"))
        self.assertEqual(re.findall(r"URI:\S+", client), ["URI:spiffe://shoal/user/root"])
        self.assertNotIn("DNS:", client)
        self.assertIn("TLS Web Client Authentication", client)
        self.assertIn("DNS:node1\n", certificate(self.installed("node1") / "agent.crt"))
        self.assertIn(f"IP Address:{self.address}\n", certificate(self.installed(self.address) / "agent.crt"))
        self.assertFalse((self.installed("node1") / "tls.new").exists())
        self.assertEqual(sorted(path.name for path in self.own("").iterdir()),
                         ["ca", "client.crt", "client.key", "config.toml"])

    def test_3_a_second_run_renews_and_touches_no_process(self):
        pid = self.shoal("-H", "node1", "start", "--name", "kept", "--", "sleep", "600").stdout.split()[8]
        before = {path: certificate(path) for path in
                  (self.own("client.crt"), self.own("ca/ca.crt"), self.installed("node1") / "agent.crt")}
        config = self.own("config.toml").read_text()
        toml = (self.installed("node1") / "shoald.toml").read_text()
        result = self.install("node1", self.address)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        renewed = [path.name for path, text in before.items() if certificate(path) != text]
        self.assertEqual(sorted(renewed), ["agent.crt", "client.crt"])
        self.assertEqual(self.own("config.toml").read_text(), config)
        self.assertEqual((self.installed("node1") / "shoald.toml").read_text(), toml)
        self.assertEqual(self.shoal("-H", "node1", "ps", "kept").stdout.splitlines()[1].split()[3], pid)
        self.assertEqual(self.shoal("-H", "node1", "stop", "kept").returncode, 0)

    def test_4_a_host_that_fails_keeps_none_from_joining(self):
        result = self.install("nowhere", "node2")
        self.assertEqual(result.returncode, 1)
        self.assertIn("nowhere: ssh: connect to host nowhere port 22: Connection refused\n", result.stdout)
        self.assertEqual(result.stderr, "install: failed on nowhere; see above\n")
        self.assertIn(f'fleet = ["node1", "{self.address}", "node2"]\n', self.own("config.toml").read_text())
        listed = self.shoal("-H", "@fleet", "hosts")
        self.assertEqual((listed.returncode, len(listed.stdout.splitlines())), (0, 4), listed.stderr)

    def test_5_users_of_another_ca_are_not_locked_out(self):
        before = certificate(self.installed("node2") / "agent.crt")
        result = self.install("node2", home="other")
        self.assertEqual(result.returncode, 1)
        self.assertIn("node2: /etc/shoal/ca.crt is another CA, whose users this would lock out; give its directory as "
                      "--ca-dir, or remove the file\n", result.stdout)
        self.assertEqual(certificate(self.installed("node2") / "agent.crt"), before)
        self.assertFalse(self.own("config.toml", home="other").exists())
        self.assertEqual(self.shoal("-H", "node2", "hosts").returncode, 0)
        shared = self.install("--ca-dir", self.own("ca"), "--group", "lab", "node2", home="other")
        self.assertEqual(shared.returncode, 0, shared.stdout + shared.stderr)
        self.assertEqual(self.shoal("-H", "@lab", "hosts", home="other").returncode, 0)

    def test_6_an_agent_that_does_not_start_is_told(self):
        toml = self.installed("node2") / "shoald.toml"
        text = toml.read_text()
        toml.write_text(text + 'state-dir = "/proc/nowhere"\n')
        result = self.install("node2")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"node2: installed, but the agent does not start: .*/proc/nowhere")
        toml.write_text(text)
        self.assertEqual(self.install("node2").returncode, 0)


if __name__ == "__main__":
    hosts.enter()
    sys.argv[1:3] = []
    unittest.main()
