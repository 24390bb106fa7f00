#include "agent/net/tls_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr TlsNames kFlags = {"--tls-cert", "--tls-key", "--tls-ca"};
constexpr char kCertificate[] = "/cert.pem";
constexpr char kKey[] = "/key.pem";
constexpr char kCa[] = "/ca.pem";

// gRPC compares the times of the files, in seconds, to tell that it has read a key and a certificate
// of one version. So each version has a time of its own.
absl::Status WriteCopy(const std::string& path, const std::string& text, int version) {
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  for (size_t done = 0; done < text.size();) {
    const ssize_t wrote = write(fd.get(), text.data() + done, text.size() - done);
    if (wrote < 0) return ErrnoStatus(errno, absl::StrCat("write ", path));
    done += static_cast<size_t>(wrote);
  }
  struct stat file {};
  if (fstat(fd.get(), &file) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", path));
  timespec times[2] = {file.st_atim, file.st_mtim};
  times[1].tv_sec += version;
  if (futimens(fd.get(), times) != 0) return ErrnoStatus(errno, absl::StrCat("utimens ", path));
  return absl::OkStatus();
}

void Remove(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
}

// Of an agent that was killed: a key lies in there.
void RemoveLeftovers(const std::string& directory) {
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name == "tls" || absl::StartsWith(name, "tls.")) Remove(entry->path().string());
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsFiles>> TlsFiles::Open(TlsPaths sources, std::string directory) {
  auto files = absl::WrapUnique(new TlsFiles(std::move(sources), std::move(directory)));
  RemoveLeftovers(files->directory_);
  SHOAL_RETURN_IF_ERROR(files->Reload());
  return files;
}

TlsFiles::~TlsFiles() {
  unlink((directory_ + "/tls").c_str());
  Remove(VersionName(version_));
}

absl::Status TlsFiles::Reload() {
  SHOAL_ASSIGN_OR_RETURN(const TlsIdentity identity,
                         ReadTlsIdentity(sources_, kFlags, TlsRole::kServer));
  SHOAL_RETURN_IF_ERROR(Publish(identity));
  ca_ = identity.ca;
  return absl::OkStatus();
}

absl::Status TlsFiles::Publish(const TlsIdentity& identity) {
  const int next = version_ + 1;
  const std::string name = VersionName(next);
  if (mkdir(name.c_str(), 0700) != 0) return ErrnoStatus(errno, absl::StrCat("mkdir ", name));
  SHOAL_RETURN_IF_ERROR(WriteCopy(name + kCertificate, identity.certificate, next));
  SHOAL_RETURN_IF_ERROR(WriteCopy(name + kKey, identity.key, next));
  SHOAL_RETURN_IF_ERROR(WriteCopy(name + kCa, identity.ca, next));
  const std::string link = directory_ + "/tls";
  const std::string fresh = link + ".new";
  unlink(fresh.c_str());
  if (symlink(absl::StrCat("tls.", next).c_str(), fresh.c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("symlink ", fresh));
  }
  if (rename(fresh.c_str(), link.c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("rename ", fresh));
  }
  if (version_ > 0) Remove(VersionName(version_));
  version_ = next;
  return absl::OkStatus();
}

TlsPaths TlsFiles::copies() const {
  const std::string link = directory_ + "/tls";
  return {link + kCertificate, link + kKey, link + kCa};
}

std::string TlsFiles::VersionName(int version) const {
  return absl::StrCat(directory_, "/tls.", version);
}

}  // namespace shoal::agent
