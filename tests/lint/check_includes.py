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
SHIM_HEADERS = ["agent/record/record_layout.h", "agent/record/half_format.h", "agent/record/adopting_shim.h", "agent/record/cut_rows.h",
                "agent/record/orders.h",
                "agent/record/streams.h", "shoal/v1/fork_protocol.h", "common/forbid_children.h",
                "common/start_fields.h"]
# Where gRPC may be seen. A generated .grpc.pb.h costs 3 s to compile, and a state machine or a public header
# that knows gRPC cannot be tested or used without it.
GRPC_ROOMS = ["agent/rpc/*", "agent/agent.*", "deploy/cmake/precompiled/*", "client/shoal/wire/*", "common/grpc_deadline.h",
              "tests/*"]
# What of the core those below it may see: its ports, which they implement, and its nouns.
CORE_PORTS = ["agent/core/logged_request.h", "agent/core/model.h", "agent/core/ports/*"]
# What of the agent the room of specs may see; and which of its headers show messages, for the gRPC edge alone.
BELOW_SPEC = ["agent/record/record_layout.h"]
SPEC_MESSAGES = ["agent/spec/file_checks.h", "agent/spec/ranks.h", "agent/spec/spec_checks.h",
                 "agent/spec/spec_conversion.h", "agent/spec/time_conversion.h"]
# What of the system the gRPC edge uses past the core: files that are transferred, facts of the host, the listener
# and its certificates.
OS_FOR_RPC = [
    "agent/os/accept_loop.h", "agent/os/blob_proof.h", "agent/os/blob_store.h", "agent/os/blob_upload.h",
    "agent/os/descriptor.h", "agent/os/helper_thread.h", "agent/os/host_checks.h", "agent/os/host_facts.h",
    "agent/os/library_search.h", "agent/os/process_tree.h", "agent/os/unix_listener.h",
]
# What TCP without gRPC stands on.
NET_STANDS_ON = ["agent/core/caller.h", "agent/net/*", "agent/os/descriptor.h"]
BELOW_OUTPUT = ["agent/core/*", "agent/loop/*", "agent/os/*", "agent/record/*", "agent/spec/*", "agent/store/*"]
# What of the system the room of output stands on.
OS_FOR_OUTPUT = ["agent/os/descriptor.h", "agent/os/directory.h", "agent/os/helper_thread.h"]


# The folders behind the client's public headers: the interface between the library and gRPC; what implements it;
# and what stands on it.
CLIENT_LINK = "shoal/link/"
CLIENT_WIRE = "shoal/wire/"
CLIENT_ROOMS = ("shoal/host/", "shoal/process/", "shoal/job/", "shoal/shipping/", "shoal/child/", "shoal/fork/")
# Where the library is given its gRPC, and the header for it, which knows none.
WIRE_FOR_HOST = ("client/shoal/host/host.cc", "shoal/wire/make_link.h")


def is_grpc(target):
    return target.startswith(("grpcpp/", "grpc/", "grpc++/")) or target.endswith(".grpc.pb.h")


def is_client(target):
    # Public headers are included as "shoal/fleet.h"; shoal/v1/ is the generated proto code.
    return target.startswith("client/") or (target.startswith("shoal/") and not target.startswith("shoal/v1/"))


def in_rooms(path, rooms):
    return any(fnmatch.fnmatchcase(path, room) for room in rooms)


def reason_against(path, bracket, target):
    """Why `path` must not include `target`, or None."""
    if target.startswith("absl/synchronization/") and path != "common/deadlock_checks.cc":
        return "the thread sanitizer does not see Abseil's mutexes; common/mutex.h and its neighbours"
    if in_rooms(path, ["common/*"]) and (target.startswith("agent/") or is_client(target)):
        return "common/ is what agent and client share; it knows neither"
    if in_rooms(path, ["agent/*"]) and is_client(target):
        return "agent and client meet only in proto/"
    if in_rooms(path, ["client/*"]) and target.startswith("agent/"):
        return "agent and client meet only in proto/"
    if re.fullmatch(r"client/shoal/[^/]*\.h", path) and target.startswith((CLIENT_LINK, CLIENT_WIRE, *CLIENT_ROOMS)):
        return "a public header is installed without the folders behind it"
    if in_rooms(path, ["client/shoal/link/*", "client/shoal/wire/*"]) and target.startswith(CLIENT_ROOMS):
        return "the link, and gRPC behind it, stand below the rest of the library"
    if in_rooms(path, ["client/*", "tests/unit/client/client_job_*", "tests/unit/client/client_process_test.cc",
                       "tests/support/fake_link.*"]):
        is_inside = in_rooms(path, ["client/shoal/wire/*"]) or (path, target) == WIRE_FOR_HOST
        if target.startswith(CLIENT_WIRE) and not is_inside:
            return "gRPC is behind shoal/link/link.h, so that what stands on it is tested without a server"
    if in_rooms(path, ["agent/shim/*"]):
        if bracket == '"' and target not in SHIM_HEADERS and not target.startswith("agent/shim/"):
            return "the shim includes nothing of Shoal but itself and " + ", ".join(SHIM_HEADERS)
        if bracket == "<" and not target.endswith(".h"):
            return "the shim is built without the C++ standard library: C headers only"
        return None
    if in_rooms(path, ["agent/os/*", "agent/store/*", "agent/loop/*"]):
        if target.startswith("agent/core/") and not in_rooms(target, CORE_PORTS):
            return "it stands below the core, of which it sees " + ", ".join(CORE_PORTS)
    if in_rooms(path, ["agent/rpc/*"]) and target.startswith(("agent/os/", "agent/store/")):
        if target not in OS_FOR_RPC:
            return "a service asks the core; of the system it sees " + ", ".join(OS_FOR_RPC)
    if in_rooms(path, ["agent/net/*"]) and target.startswith("agent/") and not in_rooms(target, NET_STANDS_ON):
        return "connections and certificates know nothing of processes; of the agent they see " + ", ".join(NET_STANDS_ON)
    if in_rooms(path, ["agent/output/*"]):
        if target.startswith("agent/os/") and target not in OS_FOR_OUTPUT:
            return "output knows its files; of the system it sees " + ", ".join(OS_FOR_OUTPUT)
        if target.endswith(".pb.h") or target in SPEC_MESSAGES:
            return "frames become messages in agent/rpc/"
    if target.startswith("agent/output/") and in_rooms(path, BELOW_OUTPUT):
        return "output is read by the edge alone; agent/agent.cc gives the core its files"
    if in_rooms(path, ["agent/store/*", "agent/loop/*", "agent/record/*"]) and target.startswith("agent/os/"):
        return "store, loop and record stand beside or below the system"
    if in_rooms(path, ["agent/spec/*"]):
        if target.startswith("agent/") and not target.startswith("agent/spec/") and target not in BELOW_SPEC:
            return "what to run knows nothing of what runs; of the agent it sees " + ", ".join(BELOW_SPEC)
    if in_rooms(path, ["agent/core/*", "agent/os/*", "agent/store/*"]) and target in SPEC_MESSAGES:
        return "messages of a spec are for agent/spec/ and agent/rpc/; the others see " \
            "agent/spec/spec.h, stored_spec.h and template_spec.h"
    if in_rooms(path, ["agent/loop/*", "agent/record/*"]) and target.startswith("agent/spec/"):
        return "loop and record know nothing of what runs"
    if in_rooms(path, ["agent/core/*"]):
        if target.startswith(("agent/os/", "agent/store/", "agent/loop/")):
            return "the core meets the outside at its ports; agent/agent.cc connects the two"
        if is_grpc(target) or target.endswith(".pb.h"):
            return "the state machine knows neither gRPC nor proto messages; agent/rpc/ converts"
        if target.startswith("sys/"):
            return "the state machine makes no system calls; agent/os/ does"
    if is_grpc(target) and not in_rooms(path, GRPC_ROOMS):
        return "gRPC is included only in " + ", ".join(GRPC_ROOMS)
    if target.startswith("agent/rpc/") and not in_rooms(path, ["agent/rpc/*", "agent/agent.*", "tests/*"]):
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
