#include <cstdio>

#include "shoal/cpu_count.h"
#include "shoal/process.h"
#include "shoal/version.h"

int main() {
  shoal::Process process({.command = {"true"}, .name = "first"});
  std::printf("shoal %s, %d cores, pid %d\n", shoal::Version().data(), shoal::CpuCount(),
              process.Pid());
  return shoal::Fleet::Connect("no[body").ok() ? 1 : 0;
}
