#include "tests/shim/process_facts.h"

#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/support/pattern.h"

namespace shoal::testing {

std::vector<pid_t> PidsIn(const std::string& text) {
  std::vector<pid_t> pids;
  std::istringstream lines(text);
  for (pid_t pid; lines >> pid;) pids.push_back(pid);
  return pids;
}

uint64_t StartTicksOf(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::string field;
  for (int number = 3; number <= 22; ++number) fields >> field;
  return strtoull(field.c_str(), nullptr, 10);
}

bool IsAlive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  const size_t end = text.rfind(')');
  return end != std::string::npos && end + 2 < text.size() && text[end + 2] != 'Z' &&
         text[end + 2] != 'X';
}

std::string PatternBytes(uint64_t from, uint64_t to) {
  std::string bytes;
  for (uint64_t offset = from; offset < to; ++offset)
    bytes += static_cast<char>(PatternByte(offset));
  return bytes;
}

}  // namespace shoal::testing
