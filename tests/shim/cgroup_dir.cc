#include "tests/shim/cgroup_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace shoal::testing {
namespace {

std::string FindMount(const std::string& controller) {
  std::ifstream mounts("/proc/self/mounts");
  std::string device, path, type, options, rest;
  while (mounts >> device >> path >> type >> options && std::getline(mounts, rest)) {
    if (controller.empty() && type == "cgroup2") return path;
    if (!controller.empty() && type == "cgroup" &&
        ("," + options + ",").find("," + controller + ",") != std::string::npos) {
      return path;
    }
  }
  return "";
}

}  // namespace

CgroupDir::CgroupDir(const std::string& controller) {
  static int number = 0;
  const std::string mount = FindMount(controller);
  if (mount.empty()) return;
  std::string path =
      mount + "/shoal-shim-test-" + std::to_string(getpid()) + "-" + std::to_string(++number);
  if (mkdir(path.c_str(), 0755) == 0) path_ = path;
}

CgroupDir::~CgroupDir() { Remove(); }

bool CgroupDir::Write(const std::string& file, const std::string& text) const {
  const int fd = open((path_ + "/" + file).c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written;
}

std::string CgroupDir::Read(const std::string& file) const {
  std::stringstream text;
  text << std::ifstream(path_ + "/" + file).rdbuf();
  return text.str();
}

bool CgroupDir::Remove() {
  if (path_.empty()) return true;
  Write("cgroup.kill", "1");
  std::istringstream members(Read("cgroup.procs"));
  for (pid_t pid; members >> pid;) kill(pid, SIGKILL);
  // The last member may still be on its way out.
  for (int attempt = 0; attempt < 5000; ++attempt) {
    if (rmdir(path_.c_str()) == 0 || errno != EBUSY) {
      path_.clear();
      return true;
    }
    usleep(1000);
  }
  return false;
}

}  // namespace shoal::testing
