#!/usr/bin/env python3
"""The include check itself: each rule finds its arrow and leaves alone what it must."""

import pathlib
import tempfile
import unittest

from check_includes import forbidden_arrows

FORBIDDEN = [
    ("common/a.h", '"agent/os/spawner.h"', "it knows neither"),
    ("common/a.h", '"shoal/fleet.h"', "it knows neither"),
    ("agent/os/a.cc", '"client/shoal/fleet.h"', "only in proto/"),
    ("agent/rpc/a.cc", '"shoal/fleet.h"', "only in proto/"),
    ("client/cli/a.cc", '"agent/record/record_layout.h"', "only in proto/"),
    ("agent/shim/a.cc", '"common/status.h"', "nothing of Shoal but itself"),
    ("agent/shim/a.cc", "<string>", "C headers only"),
    ("agent/core/a.cc", '"shoal/v1/process.pb.h"', "knows neither gRPC nor proto"),
    ("agent/core/a.h", "<grpcpp/grpcpp.h>", "knows neither gRPC nor proto"),
    ("agent/core/a.cc", "<sys/wait.h>", "no system calls"),
    ("agent/core/a.cc", '"agent/rpc/convert.h"', "nothing stands on it"),
    ("agent/store/a.cc", '"shoal/v1/process_service.grpc.pb.h"', "only in agent/rpc/"),
    ("client/shoal/host.h", "<grpcpp/channel.h>", "only in agent/rpc/"),
    ("client/cli/main.cc", "<grpcpp/channel.h>", "only in agent/rpc/"),
]
ALLOWED = [
    ("agent/shim/a.cc", "<sys/wait.h>"),
    ("agent/shim/a.cc", '"agent/record/record_layout.h"'),
    ("agent/rpc/a.cc", "<grpcpp/grpcpp.h>"),
    ("agent/rpc/a.cc", '"shoal/v1/process.pb.h"'),
    ("agent/core/a.cc", '"common/status.h"'),
    ("agent/os/a.cc", "<sys/wait.h>"),
    ("agent/main.cc", '"agent/rpc/server.h"'),
    ("client/shoal/a.cc", "<grpcpp/grpcpp.h>"),
    ("client/cli/a.cc", '"shoal/fleet.h"'),
    ("tests/rpc/a.cc", '"agent/rpc/server.h"'),
]


def arrows_of(path, include):
    with tempfile.TemporaryDirectory() as root:
        file = pathlib.Path(root, path)
        file.parent.mkdir(parents=True)
        file.write_text(f"#include {include}\n", encoding="utf-8")
        return forbidden_arrows(root)


class CheckIncludes(unittest.TestCase):
    def test_forbidden_arrows_are_found_with_their_reason(self):
        for path, include, reason in FORBIDDEN:
            with self.subTest(path=path, include=include):
                arrows = arrows_of(path, include)
                self.assertEqual(len(arrows), 1)
                self.assertIn(f"{path}:1:", arrows[0])
                self.assertIn(reason, arrows[0])

    def test_allowed_arrows_are_left_alone(self):
        for path, include in ALLOWED:
            with self.subTest(path=path, include=include):
                self.assertEqual(arrows_of(path, include), [])


if __name__ == "__main__":
    unittest.main()
