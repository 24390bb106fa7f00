// A cgroup of a test: made, looked at, emptied and removed again.
//
// Ownership:     removes its directory at its end, its members killed.
// Thread-safety: one thread.
#ifndef SHOAL_TESTS_SHIM_CGROUP_DIR_H_
#define SHOAL_TESTS_SHIM_CGROUP_DIR_H_

#include <string>

namespace shoal::testing {

class CgroupDir {
 public:
  // Below the first mount of file system type "cgroup2", or of "cgroup" with the option
  // `controller`. An empty path if there is none or it is not writable.
  explicit CgroupDir(const std::string& controller = "");
  ~CgroupDir();
  CgroupDir(const CgroupDir&) = delete;
  CgroupDir& operator=(const CgroupDir&) = delete;

  const std::string& path() const { return path_; }
  bool exists() const { return !path_.empty(); }
  // Writes one file of the directory. False if the kernel refuses.
  bool Write(const std::string& file, const std::string& text) const;
  std::string Read(const std::string& file) const;
  // True once it has no member; waits for that.
  bool Remove();

 private:
  std::string path_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SHIM_CGROUP_DIR_H_
