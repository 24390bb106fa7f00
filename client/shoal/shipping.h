// Files of this machine sent along to a host, so that processes can be started with them there.
//
// A file is known by the SHA-256 of what is in it. What the host has already is not sent again;
// what it has a part of, after a connection broke, is gone on with. Digests are remembered in
// $XDG_CACHE_HOME/shoal/digests by device, inode, size and times of the file, so that the second
// start of a program neither reads nor sends it.
//
// Ownership:     nothing is kept but the file of digests.
// Thread-safety: thread-safe.
// Blocking:      until everything is there: as long as the transfer takes. Not on threads of gRPC.
// Errors:        NOT_FOUND, FAILED_PRECONDITION (a directory, no regular file) or INVALID_ARGUMENT
//                naming the file; DATA_LOSS: a file changed while it was sent; RESOURCE_EXHAUSTED:
//                the host has no room; UNAVAILABLE as for any call.
#ifndef SHOAL_CLIENT_SHOAL_SHIPPING_H_
#define SHOAL_CLIENT_SHOAL_SHIPPING_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "shoal/host.h"
#include "shoal/v1/process.pb.h"

namespace shoal {

// One file of this machine, and what it is to be beside the process.
struct ShipFile {
  std::string local_path;  // empty: `content` is what the file is to hold
  std::string content;
  std::string path;  // relative, below the directory of files; empty: the last part of local_path
  bool executable = false;
  bool library = false;  // its directory goes in front of LD_LIBRARY_PATH
};

// `local_path` under its own name: executable as its mode says, a library as its name says.
absl::StatusOr<ShipFile> DescribeFile(const std::string& local_path);

struct ShipOptions {
  // Without an answer of the host for so long, shipping is given up. A transfer that goes on may
  // take as long as it likes.
  absl::Duration patience = absl::Minutes(1);
  // Files sent at the same time.
  int parallel = 4;
};

// What a spec's `files` are to be, after all of it is on the host. Files that are small enough
// together come inline.
absl::StatusOr<std::vector<v1::ShippedFile>> Ship(Host* host, const std::vector<ShipFile>& files,
                                                  const ShipOptions& options = {});

// This program as "program", and those of its shared libraries that the host lacks. NOT_FOUND: the
// host lacks parts of the C library, which must fit its kernel and each other: they are not sent.
absl::StatusOr<std::vector<v1::ShippedFile>> ShipProgram(Host* host,
                                                         const ShipOptions& options = {});

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_SHIPPING_H_
