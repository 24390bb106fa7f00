// Bytes of this program as a file beside a process, without a copy of them.
//
// Thread-safety: thread-safe.
// Blocking:      and errors: as Ship() of shipping.h.
#ifndef SHOAL_CLIENT_SHOAL_SHIPPING_SHIP_BYTES_H_
#define SHOAL_CLIENT_SHOAL_SHIPPING_SHIP_BYTES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shoal/host.h"
#include "shoal/v1/process.pb.h"

namespace shoal::internal {

// What a spec's `files` are to be, after the host has it. `path` is relative, below the directory
// of files.
absl::StatusOr<std::vector<v1::ShippedFile>> ShipBytes(Host* host, absl::string_view content,
                                                       const std::string& path);

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_SHIPPING_SHIP_BYTES_H_
