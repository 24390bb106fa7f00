// Facts that one program tells a test about itself: lines "KEY HEX", since what they are about may
// hold any byte. fork_template.py writes the same.
//
// Thread-safety: plain data.
#ifndef SHOAL_TESTS_SHIM_FORK_FACTS_H_
#define SHOAL_TESTS_SHIM_FORK_FACTS_H_

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace shoal::testing {

class Facts {
 public:
  Facts() = default;
  explicit Facts(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const size_t space = line.find(' ');
      if (space != std::string::npos) Add(line.substr(0, space), Bytes(line.substr(space + 1)));
    }
  }

  void Add(const std::string& key, const std::string& value) { facts_[key].push_back(value); }

  // All that was said of `key`, in order.
  std::vector<std::string> All(const std::string& key) const {
    const auto found = facts_.find(key);
    return found == facts_.end() ? std::vector<std::string>() : found->second;
  }
  // What was said last; "(nothing)" if nothing was.
  std::string operator[](const std::string& key) const {
    const std::vector<std::string> all = All(key);
    return all.empty() ? "(nothing)" : all.back();
  }

  std::string Text() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const auto& [key, values] : facts_) {
      for (const std::string& value : values) {
        text += key + " ";
        for (const char byte : value) {
          text += kDigits[static_cast<unsigned char>(byte) >> 4];
          text += kDigits[byte & 15];
        }
        text += "\n";
      }
    }
    return text;
  }

  // "fd": "NUMBER TARGET" for each open descriptor.
  void AddDescriptors() {
    DIR* const directory = opendir("/proc/self/fd");
    while (const dirent* entry = readdir(directory)) {
      char target[4096];
      const ssize_t size = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target));
      if (size < 0 || atoi(entry->d_name) == dirfd(directory)) continue;
      Add("fd", std::string(entry->d_name) + " " + std::string(target, static_cast<size_t>(size)));
    }
    closedir(directory);
  }
  // The signal sets of /proc/self/status, by their names there; "pid", "ppid", "pgid", "sid".
  void AddStatus() {
    std::ifstream status("/proc/self/status");
    for (std::string key, value; status >> key && std::getline(status, value);) {
      if (key.starts_with("Sig")) Add(key, value.substr(value.find_first_not_of(" \t")));
    }
    Add("pid", std::to_string(getpid()));
    Add("ppid", std::to_string(getppid()));
    Add("pgid", std::to_string(getpgrp()));
    Add("sid", std::to_string(getsid(0)));
  }
  // "env": each variable, as /proc shows them to others.
  void AddEnvironment() {
    std::ifstream file("/proc/self/environ", std::ios::binary);
    for (std::string variable; std::getline(file, variable, '\0');) Add("env", variable);
  }
  // "cgroup": the path in the unified hierarchy.
  void AddCgroup() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("0::")) Add("cgroup", line.substr(3));
    }
  }

 private:
  static std::string Bytes(const std::string& hex) {
    std::string bytes;
    for (size_t i = 0; i + 1 < hex.size(); i += 2)
      bytes += static_cast<char>(strtol(hex.substr(i, 2).c_str(), nullptr, 16));
    return bytes;
  }

  std::map<std::string, std::vector<std::string>> facts_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SHIM_FORK_FACTS_H_
