// Files beside processes that a test puts in their places, or fails to.
//
// Thread-safety: one thread.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_PROCESS_FILES_H_
#define SHOAL_TESTS_SUPPORT_FAKE_PROCESS_FILES_H_

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/ports/process_files.h"

namespace shoal::agent {

class FakeProcessFiles : public ProcessFiles {
 public:
  struct Request {
    std::string id;
    std::shared_ptr<const Spec> spec;
    std::shared_ptr<const InlineFiles> contents;
    absl::AnyInvocable<void(std::optional<StartFailure>)> done;
  };

  absl::Status Check(const Spec& spec, IsCallers) override {
    ++checks;
    for (const SpecFile& file : spec.files) {
      if (missing.contains(file.sha256)) return absl::FailedPreconditionError("lacks " + file.path);
    }
    return absl::OkStatus();
  }
  void Prepare(const std::string& id, std::shared_ptr<const Spec> spec,
               std::shared_ptr<const InlineFiles> contents,
               absl::AnyInvocable<void(std::optional<StartFailure>)> done) override {
    requests.push_back({id, std::move(spec), std::move(contents), std::move(done)});
  }
  std::string DirectoryOf(const std::string& id) const override { return "/files/" + id; }
  void Remove(const std::string& id) override { removed.insert(id); }
  void RemoveAllBut(const std::vector<std::string>& keep) override {
    kept = std::set<std::string>(keep.begin(), keep.end());
  }

  // The oldest request is done, and failed if `failure` says so.
  void FinishOne(std::optional<StartFailure> failure = std::nullopt) {
    Request request = std::move(requests.front());
    requests.pop_front();
    request.done(std::move(failure));
  }

  std::set<std::string> missing;  // digests
  int checks = 0;
  std::deque<Request> requests;
  std::set<std::string> removed;
  std::set<std::string> kept;  // of the last RemoveAllBut
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_FAKE_PROCESS_FILES_H_
