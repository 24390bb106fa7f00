// Story of a Ship: 1 every file is opened and its digest known (Open) → 2 the host says what it
// lacks (AskMissing) → 3 threads send that, file by file (SendAll); after a broken connection the
// host says how far each came (Send) → 4 the files as the spec is to name them (Describe).
#include "shoal/shipping.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/crew.h"
#include "common/escape.h"
#include "common/mutex.h"
#include "common/sha256.h"
#include "common/status.h"
#include "common/unique_fd.h"
#include "shoal/shipping/digest_cache.h"
#include "shoal/shipping/ship_bytes.h"
#include "shoal/shipping/shipped_here.h"

namespace shoal {
namespace {

constexpr int64_t kMaxInlineFile = 4 << 10;
constexpr int64_t kMaxInlineTotal = 32 << 10;  // half of what a spec may have

std::string LastPart(const std::string& path) { return path.substr(path.rfind('/') + 1); }

struct Item {
  const ShipFile* file = nullptr;
  UniqueFd fd;  // none: the content is in memory
  absl::string_view content;
  int64_t size_bytes = 0;
  std::string sha256;  // empty: goes inline
  std::string inline_data;
};

std::string NameOf(const Item& item) {
  return EscapeForMessage(item.file->local_path.empty() ? item.file->path : item.file->local_path);
}

absl::StatusOr<std::string> ReadPiece(const Item& item, int64_t offset, int64_t wanted) {
  const int64_t left = std::min(wanted, item.size_bytes - offset);
  if (!item.fd) {
    return std::string(item.content.substr(static_cast<size_t>(offset), static_cast<size_t>(left)));
  }
  std::string piece(static_cast<size_t>(left), '\0');
  const ssize_t got = pread(item.fd.get(), piece.data(), piece.size(), offset);
  if (got < 0) return ErrnoStatus(errno, absl::StrCat("read of ", NameOf(item)));
  if (got == 0 && left > 0) {
    return absl::DataLossError(absl::StrCat(NameOf(item), " became shorter while it was sent"));
  }
  piece.resize(static_cast<size_t>(got));
  return piece;
}

absl::StatusOr<UniqueFd> OpenRegular(const std::string& path, struct stat* facts) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return ErrnoStatus(errno, absl::StrCat("cannot ship ", EscapeForMessage(path)));
  if (fstat(fd.get(), facts) != 0) return ErrnoStatus(errno, absl::StrCat("stat of ", path));
  if (S_ISREG(facts->st_mode)) return fd;
  return absl::FailedPreconditionError(absl::StrCat(
      "cannot ship ", EscapeForMessage(path), ": it is ",
      S_ISDIR(facts->st_mode) ? "a directory; ship the files in it, or an archive" : "no file"));
}

// What was shipped here keeps its digest, while each process that is started with it may change the
// times of the file: they are links of one.
absl::StatusOr<std::string> DigestOf(int fd, const std::string& local_path) {
  char real[PATH_MAX];
  const std::string path = realpath(local_path.c_str(), real) != nullptr ? real : local_path;
  std::string known = internal::DigestOfShipped(path);
  if (!known.empty()) return known;
  SHOAL_ASSIGN_OR_RETURN(std::string sha256, DigestCache::Get().DigestOf(fd, local_path));
  internal::KeepDigestOfShipped(path, sha256);
  return sha256;
}

class Shipment {
 public:
  Shipment(Host* host, const ShipOptions& options) : host_(host), options_(options) {}

  absl::Status Open(const std::vector<ShipFile>& files);
  // Both outlive this.
  absl::Status OpenBytes(const ShipFile& file, absl::string_view content);
  absl::Status SendMissing();
  std::vector<v1::ShippedFile> Describe() const;

 private:
  absl::StatusOr<Item> OpenOne(const ShipFile& file, absl::string_view content);
  absl::StatusOr<std::map<std::string, int64_t>> AskMissing(
      const std::vector<std::string>& digests);
  absl::Status SendAll(const std::vector<std::pair<const Item*, int64_t>>& missing);
  absl::Status Send(const Item& item, int64_t offset);
  absl::Status Write(const Item& item, int64_t offset);
  CallOptions AskOptions() const;

  Host* const host_;
  const ShipOptions& options_;
  std::vector<Item> items_;
  int64_t inline_bytes_ = 0;
};

absl::Status Shipment::Open(const std::vector<ShipFile>& files) {
  for (const ShipFile& file : files) {
    SHOAL_RETURN_IF_ERROR(OpenBytes(file, file.content));
  }
  return absl::OkStatus();
}

absl::Status Shipment::OpenBytes(const ShipFile& file, absl::string_view content) {
  SHOAL_ASSIGN_OR_RETURN(Item item, OpenOne(file, content));
  items_.push_back(std::move(item));
  return absl::OkStatus();
}

absl::StatusOr<Item> Shipment::OpenOne(const ShipFile& file, absl::string_view content) {
  Item item;
  item.file = &file;
  item.content = content;
  item.size_bytes = static_cast<int64_t>(content.size());
  if (!file.local_path.empty()) {
    struct stat facts {};
    SHOAL_ASSIGN_OR_RETURN(item.fd, OpenRegular(file.local_path, &facts));
    item.size_bytes = facts.st_size;
  }
  if (item.size_bytes <= kMaxInlineFile && inline_bytes_ + item.size_bytes <= kMaxInlineTotal) {
    inline_bytes_ += item.size_bytes;
    SHOAL_ASSIGN_OR_RETURN(item.inline_data, ReadPiece(item, 0, item.size_bytes));
  } else if (item.fd) {
    SHOAL_ASSIGN_OR_RETURN(item.sha256, DigestOf(item.fd.get(), file.local_path));
  } else {
    item.sha256 = Sha256Of(content);
  }
  return item;
}

CallOptions Shipment::AskOptions() const {
  CallOptions options;
  options.timeout = options_.patience;
  return options;
}

absl::StatusOr<std::map<std::string, int64_t>> Shipment::AskMissing(
    const std::vector<std::string>& digests) {
  v1::FindMissingRequest request;
  for (const std::string& sha256 : digests) request.add_sha256(sha256);
  SHOAL_ASSIGN_OR_RETURN(v1::FindMissingResponse answer,
                         host_->FindMissingBlobs(std::move(request), AskOptions()));
  std::map<std::string, int64_t> missing;
  for (const v1::MissingBlob& blob : answer.missing()) {
    missing[blob.sha256()] = blob.received_bytes();
  }
  return missing;
}

absl::Status Shipment::SendMissing() {
  std::map<std::string, const Item*> blobs;
  std::vector<std::string> digests;
  for (const Item& item : items_) {
    if (item.sha256.empty() || !blobs.emplace(item.sha256, &item).second) continue;
    digests.push_back(item.sha256);
  }
  if (digests.empty()) return absl::OkStatus();
  absl::StatusOr<std::map<std::string, int64_t>> lacking = AskMissing(digests);
  if (!lacking.ok()) return lacking.status();
  std::vector<std::pair<const Item*, int64_t>> missing;
  for (const auto& [sha256, received] : *lacking) {
    const auto blob = blobs.find(sha256);
    if (blob == blobs.end()) continue;
    const int64_t offset = std::clamp<int64_t>(received, 0, blob->second->size_bytes);
    missing.emplace_back(blob->second, offset);
  }
  return SendAll(missing);
}

absl::Status Shipment::SendAll(const std::vector<std::pair<const Item*, int64_t>>& missing) {
  Mutex mu;
  size_t next = 0;
  absl::Status first_error;
  auto work = [&] {
    for (;;) {
      size_t mine = 0;
      {
        MutexLock lock(&mu);
        if (next == missing.size() || !first_error.ok()) return;
        mine = next++;
      }
      absl::Status sent = Send(*missing[mine].first, missing[mine].second);
      MutexLock lock(&mu);
      if (first_error.ok()) first_error = std::move(sent);
    }
  };
  RunOnThreads(std::min(missing.size(), static_cast<size_t>(options_.parallel)), work);
  return first_error;
}

absl::Status Shipment::Send(const Item& item, int64_t offset) {
  absl::Status sent = Write(item, offset);
  if (sent.ok()) return sent;
  absl::Status told(sent.code(), absl::StrCat("cannot send ", NameOf(item), " to host \"",
                                              host_->name(), "\": ", sent.message()));
  sent.ForEachPayload(
      [&](absl::string_view type, const absl::Cord& payload) { told.SetPayload(type, payload); });
  return told;
}

absl::Status Shipment::Write(const Item& item, int64_t offset) {
  BlobSource source;
  source.sha256 = item.sha256;
  source.size_bytes = item.size_bytes;
  source.offset = offset;
  source.read = [&](int64_t at) { return ReadPiece(item, at, kMaxPieceBytes); };
  CallOptions options;
  options.timeout = absl::InfiniteDuration();
  options.patience = options_.patience;
  absl::Status written = host_->WriteBlob(source, options);
  if (absl::IsDataLoss(written) && item.fd) DigestCache::Get().Forget(item.fd.get());
  return written;
}

std::vector<v1::ShippedFile> Shipment::Describe() const {
  std::vector<v1::ShippedFile> files;
  for (const Item& item : items_) {
    v1::ShippedFile& file = files.emplace_back();
    file.set_path(item.file->path.empty() ? LastPart(item.file->local_path) : item.file->path);
    file.set_executable(item.file->executable);
    file.set_library(item.file->library);
    if (item.sha256.empty()) {
      file.set_data(item.inline_data);
    } else {
      file.set_sha256(item.sha256);
    }
  }
  return files;
}

}  // namespace

absl::StatusOr<ShipFile> DescribeFile(const std::string& local_path) {
  struct stat facts {};
  SHOAL_RETURN_IF_ERROR(OpenRegular(local_path, &facts).status());
  ShipFile file;
  file.local_path = local_path;
  file.path = LastPart(local_path);
  file.executable = (facts.st_mode & 0111) != 0;
  file.library = absl::EndsWith(file.path, ".so") || absl::StrContains(file.path, ".so.");
  return file;
}

absl::StatusOr<std::vector<v1::ShippedFile>> Ship(Host* host, const std::vector<ShipFile>& files,
                                                  const ShipOptions& options) {
  // A file that was changed under its remembered digest is read once more.
  for (bool again : {true, false}) {
    Shipment shipment(host, options);
    SHOAL_RETURN_IF_ERROR(shipment.Open(files));
    const absl::Status sent = shipment.SendMissing();
    if (sent.ok()) return shipment.Describe();
    if (!absl::IsDataLoss(sent) || !again) return sent;
    internal::ForgetDigestsOfShipped();
  }
  return absl::InternalError("unreachable");
}

absl::StatusOr<std::vector<v1::ShippedFile>> internal::ShipBytes(Host* host,
                                                                 absl::string_view content,
                                                                 const std::string& path) {
  ShipFile file;
  file.path = path;
  const ShipOptions options;
  Shipment shipment(host, options);
  SHOAL_RETURN_IF_ERROR(shipment.OpenBytes(file, content));
  SHOAL_RETURN_IF_ERROR(shipment.SendMissing());
  return shipment.Describe();
}

}  // namespace shoal
