#!/usr/bin/env python3
"""What floods of connections and calls cost an agent and a neighbour: edge.py BIN_DIR [FLOOD…]

Starts an agent of its own on a loopback address with mutual TLS, and for each flood a neighbour that makes one small
call after the other over a connection that it has already, and one over a new connection each second. Prints a row per
flood: memory of the agent at most, the neighbour's calls at the median and the 99th percentile, the slowest new
connection, and how long the agent took to serve a new connection once the flood had ended.

  raw        2,000 TCP connections without a byte, with 256 descriptors for the agent
  handshake  TLS handshakes that stop after the first flight, as fast as they are accepted
  silent     2,000 TLS connections of an allowed identity without a call
  reset      streams that are opened and reset, on 8 connections of an allowed identity
  refused    the same by an identity that is not allowed
"""

import argparse
import contextlib
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

FLOOD_SECONDS = 6
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """A header field without indexing (HPACK, RFC 7541, 6.2.2); both are short."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def call_headers(method):
    return b"".join(literal(name, value) for name, value in (
        (b":method", b"POST"), (b":scheme", b"https"), (b":path", method), (b":authority", b"localhost"),
        (b"te", b"trailers"), (b"content-type", b"application/grpc")))


class Connection:
    """One HTTP/2 connection with a client certificate."""

    def __init__(self, context, port, source):
        raw = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.tls = context.wrap_socket(raw, server_hostname="localhost")
        except BaseException:
            raw.close()
            raise
        self.tls.sendall(PREFACE + frame(SETTINGS, 0, 0))
        self.stream = -1
        self.buffer = b""

    def close(self):
        self.tls.close()

    def next_stream(self):
        self.stream += 2
        return self.stream

    def read_frame(self):
        while True:
            if len(self.buffer) >= 9:
                size = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) >= 9 + size:
                    kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
                    payload, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
                    return kind, flags, stream & 0x7fffffff, payload
            more = self.tls.recv(65536)
            if not more:
                raise ConnectionError("closed")
            self.buffer += more

    def call(self, method):
        """One unary call with an empty message; returns when it has ended."""
        stream = self.next_stream()
        self.tls.sendall(frame(HEADERS, 4, stream, call_headers(method)) + frame(DATA, 1, stream, b"\0" * 5))
        while True:
            kind, flags, of, payload = self.read_frame()
            if kind == SETTINGS and not flags & 1:
                self.tls.sendall(frame(SETTINGS, 1, 0))
            elif kind == PING and not flags & 1:
                self.tls.sendall(frame(PING, 1, 0, payload))
            elif of == stream and (kind == RST or (kind == HEADERS and flags & 1)):
                return


class Fleet:
    """An agent of its own, with certificates."""

    def __init__(self, bin_dir, directory, descriptors):
        self.directory = directory
        self.make_certificates()
        shoald = f"ulimit -n {descriptors} && exec '{bin_dir}/shoald' \"$@\""
        self.log = open(directory / "log", "wb")
        self.process = subprocess.Popen(
            ["bash", "-c", shoald, "shoald", "--state-dir", f"{directory}/state", "--run-dir", f"{directory}/run",
             "--listen", "127.0.0.1:0", "--tls-cert", f"{directory}/host.pem", "--tls-key", f"{directory}/host.key",
             "--tls-ca", f"{directory}/ca.pem", "--allow-identity", "spiffe://flood/ours/*"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        self.port = self.wait_for_port()

    def make_certificates(self):
        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.directory)
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", "-x509", *key, "-days", "1", "-subj", "/CN=flood", "-keyout", "ca.key", "-out", "ca.pem")
        for name, names in (("host", "DNS:localhost"), ("neighbour", "URI:spiffe://flood/ours/neighbour"),
                            ("flooder", "URI:spiffe://flood/ours/flooder"), ("stranger", "URI:spiffe://flood/other")):
            openssl("req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
            (self.directory / f"{name}.ext").write_text(f"subjectAltName={names}\n")
            openssl("x509", "-req", "-days", "1", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                    "-CAcreateserial", "-extfile", f"{name}.ext", "-out", f"{name}.pem")

    def wait_for_port(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            text = (self.directory / "log").read_text(errors="replace")
            if " ready on " in text:
                return int(text.split("127.0.0.1:")[1].split()[0].rstrip(","))
            time.sleep(0.05)
        raise SystemExit("the agent did not become ready:\n" + text)

    def context(self, name):
        context = ssl.create_default_context(cafile=self.directory / "ca.pem")
        context.load_cert_chain(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        context.set_alpn_protocols(["h2"])
        return context

    def memory_kib(self, field):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
        return 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Neighbour(threading.Thread):
    """Calls all the time, and says what it had to wait for."""

    METHOD = b"/shoal.v1.ProcessService/List"

    def __init__(self, fleet):
        super().__init__()
        self.fleet, self.context = fleet, fleet.context("neighbour")
        self.calls, self.connects, self.failures = [], [], []
        self.over = threading.Event()

    def fresh(self):
        start = time.monotonic()
        while True:
            try:
                with contextlib.closing(Connection(self.context, self.fleet.port, "127.0.0.1")) as connection:
                    connection.call(self.METHOD)
                return time.monotonic() - start
            except OSError:
                if time.monotonic() - start > 60:
                    return float("inf")
                time.sleep(0.01)

    def run(self):
        connection = Connection(self.context, self.fleet.port, "127.0.0.1")
        next_fresh = 0
        while not self.over.is_set():
            start = time.monotonic()
            try:
                connection.call(self.METHOD)
                self.calls.append(time.monotonic() - start)
            except OSError as error:
                self.failures.append(str(error))
                connection = Connection(self.context, self.fleet.port, "127.0.0.1")
            if time.monotonic() > next_fresh:
                self.connects.append(self.fresh())
                next_fresh = time.monotonic() + 1
            time.sleep(0.002)


def until(end, step):
    while time.monotonic() < end:
        step()


def raw(fleet, end):
    sockets = []
    for _ in range(2000):
        with contextlib.suppress(OSError):
            sockets.append(socket.create_connection(("127.0.0.1", fleet.port), 5, ("127.0.0.2", 0)))
    time.sleep(max(0, end - time.monotonic()))
    for one in sockets:
        one.close()


def handshake(fleet, end):
    context = fleet.context("flooder")
    kept = []

    def step():
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
        with contextlib.suppress(OSError):
            one = socket.create_connection(("127.0.0.1", fleet.port), 5, ("127.0.0.2", 0))
            one.sendall(outgoing.read())
            kept.append(one)
        if len(kept) > 9000:
            kept.pop(0).close()
    until(end, step)
    for one in kept:
        one.close()


def silent(fleet, end):
    context, kept = fleet.context("flooder"), []

    def step():
        with contextlib.suppress(OSError):
            kept.append(Connection(context, fleet.port, "127.0.0.2"))
        if len(kept) > 2000:
            kept.pop(0).close()
    until(end, step)
    for one in kept:
        one.close()


def resets(fleet, end, name):
    context = fleet.context(name)
    headers = call_headers(Neighbour.METHOD)
    sent = [0]

    def one_connection():
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                with contextlib.closing(Connection(context, fleet.port, "127.0.0.2")) as connection:
                    connection.tls.settimeout(1)
                    while time.monotonic() < end:
                        batch = b""
                        for _ in range(100):
                            stream = connection.next_stream()
                            batch += frame(HEADERS, 4, stream, headers) + frame(RST, 0, stream, b"\0\0\0\x08")
                        connection.tls.sendall(batch)
                        sent[0] += 100
            time.sleep(0.001)
    threads = [threading.Thread(target=one_connection) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return f"{sent[0] / FLOOD_SECONDS:,.0f} resets/s sent"


FLOODS = {
    "quiet": (lambda fleet, end: time.sleep(max(0, end - time.monotonic())), 4096),
    "raw": (raw, 256),
    "handshake": (handshake, 20000),
    "silent": (silent, 4096),
    "reset": (lambda fleet, end: resets(fleet, end, "flooder"), 4096),
    "refused": (lambda fleet, end: resets(fleet, end, "stranger"), 4096),
}


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000 if values else float("inf")


def run(bin_dir, name):
    flood, descriptors = FLOODS[name]
    with tempfile.TemporaryDirectory(prefix="shoal-flood-") as temp:
        fleet = Fleet(bin_dir, pathlib.Path(temp), descriptors)
        try:
            neighbour = Neighbour(fleet)
            at_rest = fleet.memory_kib("VmRSS")
            neighbour.start()
            note = flood(fleet, time.monotonic() + FLOOD_SECONDS)
            neighbour.over.set()
            neighbour.join()
            after = neighbour.fresh()
            alive = fleet.process.poll() is None
            print(f"{name:10} {at_rest // 1024:5} {fleet.memory_kib('VmHWM') // 1024 if alive else 0:7} "
                  f"{percentile(neighbour.calls, 0.5):8.1f} {percentile(neighbour.calls, 0.99):8.1f} "
                  f"{max(neighbour.connects, default=float('inf')) * 1000:9.0f} {after * 1000:8.0f}  "
                  f"{'' if alive else 'THE AGENT DIED '}{note or ''}"
                  f"{f' {len(neighbour.failures)} calls failed' if neighbour.failures else ''}", flush=True)
        finally:
            fleet.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=os.path.abspath)
    parser.add_argument("flood", nargs="*", choices=[*FLOODS, []], default=[])
    arguments = parser.parse_args()
    print("            MiB at         call, ms          new connection, ms\n"
          "flood       rest    most      p50      p99   slowest    after")
    for name in arguments.flood or FLOODS:
        run(arguments.bin_dir, name)


if __name__ == "__main__":
    main()
