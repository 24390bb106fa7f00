#include "agent/os/records.h"

#include <dirent.h>

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int kMaxFiles = 8192;  // a million slots; what has a higher number is no record file
constexpr size_t kInReserve = 2;

// One more than the highest number of a file that is there.
int CountFiles(const std::string& run_dir) {
  int count = 0;
  DIR* directory = opendir(run_dir.c_str());
  if (directory == nullptr) return count;
  while (const dirent* entry = readdir(directory)) {
    absl::string_view name = entry->d_name;
    int index = 0;
    if (!absl::ConsumePrefix(&name, "records.") || !absl::SimpleAtoi(name, &index)) continue;
    if (index > 0 && index < kMaxFiles) count = std::max(count, index + 1);
  }
  closedir(directory);
  return count;
}

}  // namespace

Records::Records(std::string run_dir, std::string boot_id, RecordFile::Format format)
    : run_dir_(std::move(run_dir)), boot_id_(std::move(boot_id)), format_(format) {}

absl::StatusOr<std::unique_ptr<Records>> Records::Open(const std::string& run_dir,
                                                       const std::string& boot_id,
                                                       const RecordFile::Format& format) {
  auto records = absl::WrapUnique(new Records(run_dir, boot_id, format));
  SHOAL_RETURN_IF_ERROR(records->OpenFiles());
  return records;
}

absl::Status Records::OpenFiles() {
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<RecordFile> first,
                         RecordFile::Open(run_dir_, boot_id_, format_));
  is_new_ = first->is_new();
  const int told = std::clamp(first->file_count(), 1, kMaxFiles);
  files_.push_back(std::move(first));
  const int count = std::max(told, CountFiles(run_dir_));
  for (int index = 1; index < count; ++index) {
    SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<RecordFile> file,
                           RecordFile::Open(run_dir_, boot_id_, format_, index));
    // One that is not told was being added or removed when the agent before was killed: no slot of
    // it was in use.
    is_new_ = is_new_ || (file->is_new() && index < told);
    files_.push_back(std::move(file));
  }
  for (const auto& file : files_) file->FindFreeSlots();
  SHOAL_RETURN_IF_ERROR(files_.front()->SetFileCount(count));
  GiveBack();
  return absl::OkStatus();
}

// The file is there before it is told, and a slot of it is used only then.
absl::Status Records::AddFile() {
  if (files_.size() >= static_cast<size_t>(kMaxFiles)) {
    return absl::ResourceExhaustedError(absl::StrCat("every slot in ", run_dir_, " is in use"));
  }
  const auto index = static_cast<int>(files_.size());
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<RecordFile> file,
                         RecordFile::Open(run_dir_, boot_id_, format_, index));
  file->FindFreeSlots();
  SHOAL_RETURN_IF_ERROR(files_.front()->SetFileCount(index + 1));
  files_.push_back(std::move(file));
  return absl::OkStatus();
}

// True if the first file, an earlier agent's, has numbers of this one.
bool Records::IsShadowed(size_t index) const {
  return index > 0 && static_cast<int>(index) * kSlotsPerFile <= files_.front()->slot_count();
}

RecordFile* Records::FileOf(int slot) const {
  if (slot <= 0) return nullptr;
  if (slot <= files_.front()->slot_count()) return files_.front().get();
  const auto index = static_cast<size_t>(slot / kSlotsPerFile);
  return index < files_.size() ? files_[index].get() : nullptr;
}

absl::StatusOr<RecordFile::TakenSlot> Records::Take() {
  for (size_t index = 0;; ++index) {
    if (index == files_.size()) SHOAL_RETURN_IF_ERROR(AddFile());
    if (IsShadowed(index) || !files_[index]->HasRoom()) continue;
    absl::StatusOr<RecordFile::TakenSlot> taken = files_[index]->Take();
    if (!absl::IsOutOfRange(taken.status())) return taken;
  }
}

absl::Status Records::Write(int slot, record::AgentHalf half) {
  RecordFile* file = FileOf(slot);
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("there is no slot ", slot));
  return file->Write(slot, half);
}

absl::Status Records::Change(int slot, absl::string_view id,
                             absl::AnyInvocable<void(record::AgentHalf&) const> change) {
  RecordFile* file = FileOf(slot);
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("there is no slot ", slot));
  return file->Change(slot, id, std::move(change));
}

RecordFile::Halves Records::Read(int slot) const {
  const RecordFile* file = FileOf(slot);
  return file == nullptr ? RecordFile::Halves() : file->Read(slot);
}

bool Records::IsLocked(int slot) const {
  const RecordFile* file = FileOf(slot);
  return file != nullptr && file->IsLocked(slot);
}

void Records::Release(int slot) {
  if (RecordFile* file = FileOf(slot)) file->Release(slot);
}

void Records::Clear(int slot) {
  RecordFile* file = FileOf(slot);
  if (file == nullptr) return;
  file->Clear(slot);
  GiveBack();
}

int Records::slot_count() const {
  return std::max(files_.front()->slot_count(), files_.back()->slot_count());
}

// A count that is too high would have the next agent miss a file; one that is too low costs nothing,
// since it finds the file.
void Records::GiveBack() {
  RecordFile* first = files_.front().get();
  if (first->IsTooLong() && first->IsUnused()) first->Shrink();
  while (files_.size() > kInReserve && files_[files_.size() - 2]->IsUnused() &&
         files_.back()->IsUnused()) {
    if (!first->SetFileCount(static_cast<int>(files_.size()) - 1).ok()) return;
    files_.back()->Remove();
    files_.pop_back();
  }
}

}  // namespace shoal::agent
