#include "agent/output/index_rows.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "agent/os/descriptor.h"
#include "agent/output/output_name.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

constexpr auto kIndexRowBytes = static_cast<int64_t>(sizeof(record::IndexRow));

}  // namespace

IndexRows::IndexRows(int directory, std::string id) : directory_(directory), id_(std::move(id)) {}

std::vector<record::IndexRow> IndexRows::Next(size_t most) {
  absl::StatusOr<UniqueFd> fd = OpenAt(directory_, IndexName(id_), O_RDONLY | O_NOFOLLOW);
  if (!fd.ok()) return {};
  std::vector<record::IndexRow> rows(most);
  const ssize_t got = pread(fd->get(), rows.data(), rows.size() * sizeof(record::IndexRow),
                            static_cast<off_t>(next_row_ * kIndexRowBytes));
  rows.resize(got > 0 ? static_cast<size_t>(got / kIndexRowBytes) : 0);
  next_row_ += static_cast<int64_t>(rows.size());
  return rows;
}

}  // namespace shoal::agent
