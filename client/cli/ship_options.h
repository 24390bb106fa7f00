// --ship of `run` and `start`: which files go along, and sending them to every host.
//
// Thread-safety: main thread only.
// Blocking:      ShipAll until every host has everything.
#ifndef SHOAL_CLIENT_CLI_SHIP_OPTIONS_H_
#define SHOAL_CLIENT_CLI_SHIP_OPTIONS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shoal/host.h"
#include "shoal/shipping.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

// "FILE", or "FILE:NAME" for another name there. A file whose name has a colon is meant as a whole
// if it is there. INVALID_ARGUMENT or FAILED_PRECONDITION say what is wrong with which.
absl::StatusOr<std::vector<ShipFile>> ParseShip(const std::vector<std::string>& words);

// The program as it is named beside the files: one that is itself sent along is "./NAME".
std::string ProgramThere(const std::string& program, const std::vector<ShipFile>& files);

// Sends to all at once what they lack; the files for the spec, which are the same for all. The
// error of the first host that has one, with Invocation::WithHost() as it was named. Nothing is started before that, and uploads are gone on
// with: a signal may end this program meanwhile.
absl::StatusOr<std::vector<v1::ShippedFile>> ShipAll(
    const std::vector<std::shared_ptr<Host>>& hosts, const std::vector<ShipFile>& files);

// "sending sim and 2 more files to 4 hosts".
std::string DescribeShipping(const std::vector<ShipFile>& files, size_t hosts);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_SHIP_OPTIONS_H_
