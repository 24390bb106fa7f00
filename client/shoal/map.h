// One function over many arguments, on every slot of a fleet: as multiprocessing.Pool.map(), with a
// process for each argument.
//
// Thread-safety: thread-safe.
// Blocking:      until every process has ended.
// Errors:        those of Process::Start(), Join() and Result(), with the number of the argument
//                and the host in front. The first one ends the other processes.
#ifndef SHOAL_CLIENT_SHOAL_MAP_H_
#define SHOAL_CLIENT_SHOAL_MAP_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shoal/fleet.h"
#include "shoal/function.h"
#include "shoal/process.h"

namespace shoal {
namespace internal {

// What Map() has of a function that returns absl::Status: nothing but that it went well.
template <typename Returned>
struct MappedOf {
  using Type = std::string;
};
template <typename T>
struct MappedOf<absl::StatusOr<T>> {
  using Type = T;
};
// The bytes that a view would be of are gone when Map() returns.
template <>
struct MappedOf<absl::StatusOr<absl::string_view>> {
  using Type = std::string;
};

// Makes the process for one argument.
using MakeProcess = std::function<std::unique_ptr<Process>(size_t index, ProcessOptions options)>;

absl::StatusOr<std::vector<std::string>> MapBytes(const Fleet& fleet, size_t count,
                                                  const MakeProcess& make,
                                                  const ProcessOptions& options);

}  // namespace internal

// What the function returned for each argument, in their order; never more processes at once than
// the fleet has slots. `options` are for every process; host, slot and name are given here.
//   absl::StatusOr<std::vector<std::string>> squares = shoal::Map(*fleet, Square, numbers);
template <typename Returned, typename Parameter, typename Argument>
absl::StatusOr<std::vector<typename internal::MappedOf<Returned>::Type>> Map(
    const Fleet& fleet, Returned (*function)(Parameter), const std::vector<Argument>& arguments,
    const ProcessOptions& options = {}) {
  using Mapped = typename internal::MappedOf<Returned>::Type;
  absl::StatusOr<std::vector<std::string>> results = internal::MapBytes(
      fleet, arguments.size(),
      [&](size_t index, ProcessOptions own) {
        return std::make_unique<Process>(function, arguments[index], std::move(own));
      },
      options);
  if (!results.ok()) return results.status();
  std::vector<Mapped> mapped;
  mapped.reserve(results->size());
  for (const std::string& result : *results) {
    absl::StatusOr<Mapped> value = internal::FromBytes<Mapped>(result);
    if (!value.ok()) return value.status();
    mapped.push_back(*std::move(value));
  }
  return mapped;
}

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_MAP_H_
