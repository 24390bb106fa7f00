// A program with a data set: what the benchmarks of warm starts start. Its name ends in "-N": as a
// template it touches N MiB once; each process that is forked from it ends at once, or with
// `pause` as argument when it is told to.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shoal/init.h"

namespace {

size_t MebibytesOf(const char* program) {
  const char* dash = strrchr(program, '-');
  return dash == nullptr ? 0 : strtoul(dash + 1, nullptr, 10);
}

void LoadData() {
  const size_t size = MebibytesOf(program_invocation_short_name) << 20;
  if (size == 0) return;
  char* data = static_cast<char*>(
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (data == MAP_FAILED) abort();
  for (size_t at = 0; at < size; at += 4096) data[at] = 1;
}
SHOAL_PRELOAD(LoadData);

}  // namespace

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);
  if (argc > 1 && strcmp(argv[1], "pause") == 0) pause();
  return 0;
}
