#!/usr/bin/env python3
"""Checks which clock is asked for the time: check_clocks.py ROOT. Prints each line that asks the wrong one.

Somebody sets the wall clock. What waits by it waits an hour longer, or ends at once; so deadlines and intervals
are a BootTime (common/boot_time.h), deadlines of gRPC are made by common/grpc_deadline.h, and waits are those of
common/mutex.h and its neighbours. The wall clock is for what is shown or stored.
"""

import re
import sys

from sources import source_files

ROOMS = ("agent/", "client/", "common/")
# Where the wall clock is asked, and what for.
WALL_CLOCK = {
    "agent/agent.cc": "shown: since when the agent runs",
    "agent/log/audit_log.cc": "stored: when a call was decided",
    "agent/store/content_reader.cc": "stored: the time of a request, as of every other in the log",
    "client/cli/agent.cc": "shown",
    "client/cli/hosts.cc": "shown",
    "client/cli/ps.cc": "shown",
    "client/cli/watch.cc": "shown",
    "client/cli/why.cc": "shown",
    "client/shoal/shipping/digest_cache.cc": "compared with the times of files",
    "client/shoal/wire/grpc_link.cc": "compared with the dates of a certificate",
    "client/shoal/wire/agent_clock.h": "the clock of an agent starts as this machine's",
    "common/ids.cc": "stored: in a request_id",
    "common/tls_identity.cc": "compared with the dates of a certificate",
    "agent/net/client_certificate.cc": "compared with the dates of a certificate",
}
WALL_NOW = re.compile(r"\babsl::Now\(|\bsystem_clock::now\(|\bCLOCK_REALTIME\b|\bgettimeofday\(|"
                      r"\btime\((?:nullptr|NULL|0)\)")
# Clocks that are themselves an implementation of one.
CLOCKS = {"agent/os/system_clock.cc": "the port of the core", "agent/shim/clock.h": "that of the shim"}
RULES = [
    (re.compile(r"\bToChronoTime\(|\bset_deadline\((?!GrpcDeadline)|\bgpr_now\("), {"common/grpc_deadline.h"},
     "a deadline of gRPC is made by common/grpc_deadline.h"),
    (re.compile(r"\b(?:WaitForNotificationWithDeadline|AwaitWithDeadline|WaitWithDeadline|WaitWithTimeout|"
                r"LockWhenWith(?:Timeout|Deadline))\("), set(),
     "timed waits of Abseil follow the wall clock; common/mutex.h and its neighbours"),
]


def reason_against(path, line):
    """Why `line` must not stand in `path`, or None."""
    if not path.startswith(ROOMS):
        return None
    if WALL_NOW.search(line) and path not in WALL_CLOCK and path not in CLOCKS:
        return "the wall clock is asked only for what is shown or stored; common/boot_time.h"
    for pattern, homes, reason in RULES:
        if pattern.search(line) and path not in homes:
            return reason
    return None


def wrong_clocks(root):
    """Lines "path:number: reason" of every line that asks the wrong clock, and of files that no longer ask any."""
    found = []
    askers = set()
    for path in source_files(root, [".h", ".cc"]):
        if not path.startswith(ROOMS):
            continue
        with open(f"{root}/{path}", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                code = line.split("//")[0]
                if WALL_NOW.search(code):
                    askers.add(path)
                reason = reason_against(path, code)
                if reason:
                    found.append(f"{path}:{number}: {reason}")
    return found, sorted(set(WALL_CLOCK) - askers)


def main():
    found, idle = wrong_clocks(sys.argv[1])
    found += [f"{path}: does not ask the wall clock; take it off WALL_CLOCK" for path in idle]
    print("\n".join(found) if found else "every interval goes by the clock that nobody sets")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
