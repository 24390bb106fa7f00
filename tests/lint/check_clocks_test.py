#!/usr/bin/env python3
"""The clock check itself: each rule finds its line and leaves alone what it must."""

import pathlib
import tempfile
import unittest

from check_clocks import reason_against, wrong_clocks

FORBIDDEN = [
    ("client/shoal/wire/a.cc", "deadline_(absl::Now() + options.timeout)", "shown or stored"),
    ("client/cli/logs.cc", "absl::Time since = absl::Now() - span;", "shown or stored"),
    ("agent/rpc/a.cc", "std::chrono::system_clock::now()", "shown or stored"),
    ("agent/core/a.cc", "clock_gettime(CLOCK_REALTIME, &now);", "shown or stored"),
    ("client/cli/ps.cc", "context.set_deadline(absl::ToChronoTime(end));", "made by common/grpc_deadline.h"),
    ("client/shoal/wire/a.cc", "context.set_deadline(gpr_inf_future(GPR_CLOCK_REALTIME));", "made by common/"),
    ("agent/rpc/a.cc", "server_->Shutdown(absl::ToChronoTime(end));", "made by common/grpc_deadline.h"),
    ("client/shoal/wire/a.cc", "gpr_now(GPR_CLOCK_MONOTONIC)", "made by common/grpc_deadline.h"),
    ("client/cli/a.cc", "mu_.AwaitWithDeadline(condition, end);", "follow the wall clock"),
    ("common/a.h", "changed_.WaitWithTimeout(&mu_, span);", "follow the wall clock"),
    ("agent/os/a.cc", "mu_.LockWhenWithTimeout(condition, span);", "follow the wall clock"),
    ("agent/os/a.cc", "done.WaitForNotificationWithDeadline(end);", "follow the wall clock"),
]
ALLOWED = [
    ("client/cli/ps.cc", "absl::Time now = absl::Now();"),
    ("client/shoal/wire/a.cc", "deadline_(BootTime::Now() + options.timeout)"),
    ("client/shoal/wire/a.cc", "context.set_deadline(GrpcDeadline(end));"),
    ("client/shoal/wire/a.cc", "context.set_deadline(GrpcDeadlineAfter(span));"),
    ("client/shoal/wire/a.cc", "mu_.AwaitWithTimeout(condition, span);"),
    ("common/grpc_deadline.h", "gpr_now(GPR_CLOCK_MONOTONIC)"),
    ("tests/rpc/a.cc", "absl::Time end = absl::Now() + kDeadline;"),
]


class CheckClocksTest(unittest.TestCase):
    def test_finds_what_asks_the_wrong_clock(self):
        for path, line, reason in FORBIDDEN:
            self.assertIn(reason, reason_against(path, line) or "", f"{path}: {line}")

    def test_leaves_the_rest_alone(self):
        for path, line in ALLOWED:
            self.assertIsNone(reason_against(path, line), f"{path}: {line}")

    def test_names_the_line_and_passes_over_comments(self):
        with tempfile.TemporaryDirectory() as root:
            source = pathlib.Path(root, "client", "a.cc")
            source.parent.mkdir()
            source.write_text("// not absl::Now()\nauto end = absl::Now();\n", encoding="utf-8")
            found, idle = wrong_clocks(root)
        self.assertEqual([line.split(": ")[0] for line in found], ["client/a.cc:2"])
        self.assertIn("client/cli/ps.cc", idle)


if __name__ == "__main__":
    unittest.main()
