#!/usr/bin/env python3
"""Checks the direction of #include lines: check_includes.py ROOT. Prints each forbidden arrow with its reason.

The link lists of the CMake targets are the first half of the rule (what is not linked does not link); this
is the second half, which also sees headers, and says why.
"""

import fnmatch
import re
import sys

from sources import source_files

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# What the shim may see of the rest, all of it plain C.
SHIM_HEADERS = ["agent/record/record_layout.h", "shoal/v1/fork_protocol.h", "common/forbid_children.h"]
# Where gRPC may be seen. A generated .grpc.pb.h costs 3 s to compile, and a state machine or a public header
# that knows gRPC cannot be tested or used without it.
GRPC_ROOMS = ["agent/rpc/*", "agent/main.cc", "client/shoal/*.cc", "client/shoal/wire/*", "tests/*"]


def is_grpc(target):
    return target.startswith(("grpcpp/", "grpc/", "grpc++/")) or target.endswith(".grpc.pb.h")


def is_client(target):
    # Public headers are included as "shoal/fleet.h"; shoal/v1/ is the generated proto code.
    return target.startswith("client/") or (target.startswith("shoal/") and not target.startswith("shoal/v1/"))


def in_rooms(path, rooms):
    return any(fnmatch.fnmatchcase(path, room) for room in rooms)


def reason_against(path, bracket, target):
    """Why `path` must not include `target`, or None."""
    if in_rooms(path, ["common/*"]) and (target.startswith("agent/") or is_client(target)):
        return "common/ is what agent and client share; it knows neither"
    if in_rooms(path, ["agent/*"]) and is_client(target):
        return "agent and client meet only in proto/"
    if in_rooms(path, ["client/*"]) and target.startswith("agent/"):
        return "agent and client meet only in proto/"
    if in_rooms(path, ["agent/shim/*"]):
        if bracket == '"' and target not in SHIM_HEADERS and not target.startswith("agent/shim/"):
            return "the shim includes nothing of Shoal but itself and " + ", ".join(SHIM_HEADERS)
        if bracket == "<" and not target.endswith(".h"):
            return "the shim is built without the C++ standard library: C headers only"
        return None
    if in_rooms(path, ["agent/core/*"]):
        if is_grpc(target) or target.endswith(".pb.h"):
            return "the state machine knows neither gRPC nor proto messages; agent/rpc/ converts"
        if target.startswith("sys/"):
            return "the state machine makes no system calls; agent/os/ does"
    if is_grpc(target) and not in_rooms(path, GRPC_ROOMS):
        return "gRPC is included only in " + ", ".join(GRPC_ROOMS)
    if target.startswith("agent/rpc/") and not in_rooms(path, ["agent/rpc/*", "agent/main.cc", "tests/*"]):
        return "the gRPC edge stands on everything else; nothing stands on it"
    return None


def forbidden_arrows(root):
    """Lines "path:number: target: reason" for every forbidden arrow below `root`."""
    found = []
    for path in source_files(root, [".h", ".cc"]):
        with open(f"{root}/{path}", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                match = INCLUDE.match(line)
                reason = match and reason_against(path, match.group(1), match.group(2))
                if reason:
                    found.append(f"{path}:{number}: must not include {match.group(2)}: {reason}")
    return found


def main():
    arrows = forbidden_arrows(sys.argv[1])
    print("\n".join(arrows) if arrows else "every #include points the right way")
    return 1 if arrows else 0


if __name__ == "__main__":
    sys.exit(main())
