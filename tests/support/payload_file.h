// The payload of a start or a fork (shoal/v1/fork_protocol.h), as tests that play the agent make it.
//
// Thread-safety: plain function.
#ifndef SHOAL_TESTS_SUPPORT_PAYLOAD_FILE_H_
#define SHOAL_TESTS_SUPPORT_PAYLOAD_FILE_H_

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "common/unique_fd.h"

namespace shoal::testing {

// `cwd` empty: there is none. `rest`: further bytes, as they are. Invalid if there is no memory.
inline UniqueFd PayloadFile(const std::vector<std::string>& argv,
                            const std::vector<std::string>& env, const std::string& cwd,
                            const std::string& rest) {
  std::string bytes;
  const auto add = [&bytes](const std::string& field) { bytes += field + '\0'; };
  for (const std::string& word : argv) add("arg=" + word);
  for (const std::string& variable : env) add("env=" + variable);
  if (!cwd.empty()) add("cwd=" + cwd);
  bytes += rest;
  UniqueFd file(memfd_create("payload", MFD_CLOEXEC));
  const bool whole =
      pwrite(file.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  return whole ? std::move(file) : UniqueFd();
}

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_PAYLOAD_FILE_H_
