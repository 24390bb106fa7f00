#!/usr/bin/env python3
"""The include check itself: each rule finds its arrow and leaves alone what it must."""

import pathlib
import tempfile
import unittest

from check_includes import forbidden_arrows

FORBIDDEN = [
    ("tests/rpc/a.cc", '"absl/synchronization/notification.h"', "thread sanitizer does not see"),
    ("common/a.h", '"agent/os/spawner.h"', "it knows neither"),
    ("common/a.h", '"shoal/fleet.h"', "it knows neither"),
    ("agent/os/a.cc", '"client/shoal/fleet.h"', "only in proto/"),
    ("agent/rpc/a.cc", '"shoal/fleet.h"', "only in proto/"),
    ("client/cli/a.cc", '"agent/record/record_layout.h"', "only in proto/"),
    ("agent/shim/a.cc", '"common/status.h"', "nothing of Shoal but itself"),
    ("agent/shim/a.cc", "<string>", "C headers only"),
    ("agent/core/a.cc", '"shoal/v1/process.pb.h"', "knows neither gRPC nor proto"),
    ("agent/core/a.cc", '"agent/spec/spec_conversion.h"', "messages of a spec"),
    ("agent/store/a.cc", '"agent/spec/spec_checks.h"', "messages of a spec"),
    ("agent/spec/a.cc", '"agent/core/model.h"', "knows nothing of what runs"),
    ("agent/spec/a.cc", '"agent/rpc/request_checks.h"', "knows nothing of what runs"),
    ("agent/spec/a.cc", '"shoal/v1/process_service.grpc.pb.h"', "only in agent/rpc/"),
    ("agent/loop/a.cc", '"agent/spec/spec.h"', "know nothing of what runs"),
    ("agent/core/a.h", "<grpcpp/grpcpp.h>", "knows neither gRPC nor proto"),
    ("agent/core/a.cc", "<sys/wait.h>", "no system calls"),
    ("agent/core/a.cc", '"agent/rpc/convert.h"', "nothing stands on it"),
    ("agent/core/a.cc", '"agent/os/shim_spawner.h"', "meets the outside at its ports"),
    ("agent/os/a.cc", '"agent/core/launcher.h"', "stands below the core"),
    ("agent/os/a.cc", '"agent/core/ports.h"', "stands below the core"),
    ("agent/store/a.cc", '"agent/core/sessions.h"', "stands below the core"),
    ("agent/output/a.cc", '"agent/rpc/stream_reactor.h"', "nothing stands on it"),
    ("agent/output/a.cc", '"shoal/v1/process_service.pb.h"', "messages in agent/rpc/"),
    ("agent/output/a.h", "<grpcpp/grpcpp.h>", "only in agent/rpc/"),
    ("agent/output/a.cc", '"agent/os/system_shims.h"', "output knows its files"),
    ("agent/core/a.cc", '"agent/output/output_reader.h"', "read by the edge alone"),
    ("agent/os/a.cc", '"agent/output/output_name.h"', "read by the edge alone"),
    ("agent/store/a.cc", '"agent/os/directory.h"', "beside or below the system"),
    ("agent/rpc/a.cc", '"agent/os/shim_spawner.h"', "a service asks the core"),
    ("agent/rpc/a.cc", '"agent/store/sqlite_store.h"', "a service asks the core"),
    ("agent/store/a.cc", '"shoal/v1/process_service.grpc.pb.h"', "only in agent/rpc/"),
    ("client/shoal/host.h", "<grpcpp/channel.h>", "only in agent/rpc/"),
    ("client/cli/main.cc", "<grpcpp/channel.h>", "only in agent/rpc/"),
    ("client/shoal/job/a.cc", "<grpcpp/channel.h>", "only in agent/rpc/"),
    ("client/shoal/job.h", '"shoal/job/job_state.h"', "installed without the folders"),
    ("client/shoal/wire/a.cc", '"shoal/process/program.h"', "stand below the rest of the library"),
    ("client/shoal/wire/a.cc", '"shoal/host/host_rep.h"', "stand below the rest of the library"),
    ("client/shoal/link/a.h", '"shoal/host/host_rep.h"', "stand below the rest of the library"),
    ("client/shoal/link/a.h", '"shoal/wire/grpc_link.h"', "gRPC is behind shoal/link/link.h"),
    ("client/shoal/job/a.cc", '"shoal/wire/grpc_link.h"', "gRPC is behind shoal/link/link.h"),
    ("client/shoal/host/session.cc", '"shoal/wire/make_link.h"', "gRPC is behind shoal/link/link.h"),
    ("tests/support/fake_link.h", '"shoal/wire/grpc_link.h"', "gRPC is behind shoal/link/link.h"),
    ("client/shoal/host.h", '"shoal/link/link.h"', "installed without the folders"),
]
ALLOWED = [
    ("agent/shim/a.cc", "<sys/wait.h>"),
    ("agent/shim/a.cc", '"agent/record/record_layout.h"'),
    ("agent/rpc/a.cc", "<grpcpp/grpcpp.h>"),
    ("agent/rpc/a.cc", '"shoal/v1/process.pb.h"'),
    ("agent/core/a.cc", '"agent/spec/spec.h"'),
    ("agent/core/a.cc", '"common/status.h"'),
    ("agent/spec/a.h", '"shoal/v1/process.pb.h"'),
    ("agent/os/a.cc", "<sys/wait.h>"),
    ("agent/os/a.cc", '"agent/core/ports/clock.h"'),
    ("agent/rpc/a.cc", '"agent/os/blob_store.h"'),
    ("agent/output/a.cc", '"agent/core/supervisor.h"'),
    ("agent/output/a.cc", '"agent/os/descriptor.h"'),
    ("agent/rpc/a.cc", '"agent/output/output_follower.h"'),
    ("agent/agent.cc", '"agent/rpc/server.h"'),
    ("client/shoal/wire/a.cc", "<grpcpp/grpcpp.h>"),
    ("client/cli/a.cc", '"shoal/fleet.h"'),
    ("client/shoal/job/a.cc", '"shoal/link/retry.h"'),
    ("client/shoal/host/host.cc", '"shoal/wire/make_link.h"'),
    ("client/shoal/wire/a.cc", '"shoal/link/link.h"'),
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
