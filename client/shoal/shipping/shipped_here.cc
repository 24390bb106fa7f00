#include "shoal/shipping/shipped_here.h"

#include <limits.h>

#include <cstdlib>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/mutex.h"
#include "common/sha256.h"

namespace shoal::internal {
namespace {

constexpr char kFilesVariable[] = "SHOAL_FILES";
constexpr char kDigestsVariable[] = "SHOAL_DIGESTS";  // PATH=DIGEST, by spaces

struct Shipped {
  bool is_noted = false;
  std::string directory;  // with a slash at its end; empty: nothing was shipped
  Mutex mu;
  std::map<std::string, std::string> digests ABSL_GUARDED_BY(mu);  // by path, SHA-256
};

Shipped& TheShipped() {
  static auto* const kShipped = new Shipped;
  return *kShipped;
}

std::string RealPath(const char* path) {
  char real[PATH_MAX];
  return path != nullptr && realpath(path, real) != nullptr ? real : std::string();
}

void Note(Shipped* shipped) {
  std::string directory = RealPath(std::getenv(kFilesVariable));
  if (directory.empty()) return;
  shipped->directory = absl::StrCat(directory, "/");
  const char* digests = std::getenv(kDigestsVariable);
  if (digests == nullptr) return;
  MutexLock lock(&shipped->mu);
  for (absl::string_view word : absl::StrSplit(digests, ' ')) {
    std::pair<absl::string_view, absl::string_view> entry = absl::StrSplit(word, '=');
    std::string sha256 = DigestFromHex(entry.second);
    if (sha256.empty()) continue;
    shipped->digests[absl::StrCat(shipped->directory, entry.first)] = std::move(sha256);
  }
}

}  // namespace

void NoteShippedFiles() {
  Shipped& shipped = TheShipped();
  if (!std::exchange(shipped.is_noted, true)) Note(&shipped);
  unsetenv(kDigestsVariable);  // what is executed from here is another program
}

bool WasShipped(const std::string& path) {
  const std::string& directory = TheShipped().directory;
  return !directory.empty() && absl::StartsWith(path, directory);
}

std::string DigestOfShipped(const std::string& path) {
  Shipped& shipped = TheShipped();
  MutexLock lock(&shipped.mu);
  auto known = shipped.digests.find(path);
  return known == shipped.digests.end() ? std::string() : known->second;
}

void KeepDigestOfShipped(const std::string& path, const std::string& sha256) {
  if (!WasShipped(path)) return;
  Shipped& shipped = TheShipped();
  MutexLock lock(&shipped.mu);
  shipped.digests[path] = sha256;
}

void ForgetDigestsOfShipped() {
  Shipped& shipped = TheShipped();
  MutexLock lock(&shipped.mu);
  shipped.digests.clear();
}

std::string DigestsVariable(const std::vector<v1::ShippedFile>& files) {
  std::string variable = absl::StrCat(kDigestsVariable, "=");
  for (const v1::ShippedFile& file : files) {
    if (file.sha256().empty() || absl::StrContains(file.path(), ' ')) continue;
    absl::StrAppend(&variable, file.path(), "=", DigestToHex(file.sha256()), " ");
  }
  return variable;
}

}  // namespace shoal::internal
