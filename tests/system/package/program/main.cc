#include <cstdio>
#include <string>

#include "shoal/shoal.h"
#include "shoal/version.h"

absl::StatusOr<std::string> Greet(const std::string& name) { return "hello " + name; }
SHOAL_REGISTER_FUNCTION(Greet);

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);
  shoal::Process command({.command = {"true"}, .name = "first"});
  shoal::Process function(Greet, "you");
  if (!function.Run().ok()) return 1;
  std::printf("shoal %s, %d cores, pid %d, %s\n", shoal::Version().data(), shoal::CpuCount(),
              command.Pid(), function.Result()->c_str());
  return shoal::Fleet::Connect("no[body").ok() ? 1 : 0;
}
