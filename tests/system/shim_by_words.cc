// Stands where the shim is executed and becomes one that was told as agents of 0.1 did: by its own
// command line and environment, with an agent half that says so. The shim is "shoal-shim-real"
// beside this program.
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "agent/record/half_format.h"
#include "common/start_fields.h"

using namespace shoal::record;

namespace {

// False: the half is none of this agent's.
bool RewriteHalf(uint32_t slot) {
  Area<AgentHalf> area = {};
  AgentHalf half;
  const off_t at = static_cast<off_t>(slot * kSlotBytes + kAgentHalfOffset);
  if (pread(kRecordFd, &area, sizeof(area), at) <= 0) return false;
  if (Unpack(area, &half) != Reading::kIntact) return false;
  half.flags &= ~kHasPayload;
  half.cwd_in_argv = 1;
  const size_t size = Pack(&half, &area);
  return pwrite(kRecordFd, &area, size, at) == static_cast<ssize_t>(size);
}

std::string Payload() {
  struct stat file = {};
  fstat(kPayloadFd, &file);
  std::string bytes(static_cast<size_t>(file.st_size), 0);
  if (pread(kPayloadFd, bytes.data(), bytes.size(), 0) != file.st_size) bytes.clear();
  close(kPayloadFd);
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < kShimArgs || !RewriteHalf(static_cast<uint32_t>(strtoul(argv[1], nullptr, 10)))) {
    return 64;
  }
  std::string payload = Payload();
  std::vector<char*> words, env;
  char* cwd = nullptr;
  shoal::StartFields fields(payload.data(), payload.size());
  for (shoal::StartField field; fields.IsWhole() && fields.Next(&field);) {
    if (field.Has("arg")) words.push_back(field.value);
    if (field.Has("env")) env.push_back(field.value);
    if (field.Has("cwd")) cwd = field.value;
  }
  words.insert(words.begin(), {argv[0], argv[1], cwd});
  words.push_back(nullptr);
  env.push_back(nullptr);
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  if (size <= 0) return 64;
  execve((std::string(path, static_cast<size_t>(size)) + "-real").c_str(), words.data(),
         env.data());
  return 64;
}
