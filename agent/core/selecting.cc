#include "agent/core/selecting.h"

#include <fnmatch.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/escape.h"

namespace shoal::agent {
namespace {

constexpr int kScannedPerStep = 16;

}  // namespace

struct Selecting::Job {
  Selector rest;                   // what a process must fit besides
  std::vector<std::string> exact;  // terms that are no globs, each once
  std::vector<std::string> globs;
  std::vector<bool> is_glob_found;
  bool is_scan = false;  // of every process
  IsWanted is_wanted;
  Done done;

  size_t next_exact = 0;
  std::string after_id;
  std::vector<std::string> chosen;  // ids: entries may go between two slices
};

void Selecting::Run(const Caller& caller, Selector selector, IsWanted is_wanted, Done done) {
  if (selector.IsEmpty()) {
    return done(
        absl::InvalidArgumentError("selector is empty: give a name, an id, a label or all"));
  }
  auto job = std::make_unique<Job>();
  absl::flat_hash_set<std::string> seen;
  for (std::string& term : selector.terms) {
    if (!seen.insert(term).second) continue;
    (IsGlob(term) ? job->globs : job->exact).push_back(std::move(term));
  }
  job->is_glob_found.resize(job->globs.size());
  const bool has_terms = !seen.empty();
  if (!has_terms && !selector.session_id.empty()) {
    for (const ProcessEntry* process : table_->OfSession(selector.session_id)) {
      job->chosen.push_back(process->id);
    }
  } else {
    job->is_scan = !has_terms || !job->globs.empty();
  }
  job->rest = std::move(selector);
  job->rest.terms.clear();
  job->rest.all = job->rest.all || has_terms;
  job->is_wanted = std::move(is_wanted);
  job->done = std::move(done);
  slices_->Run(caller, [this, job = std::move(job)] { return Step(job.get()); });
}

bool Selecting::Step(Job* job) {
  if (job->is_wanted && !job->is_wanted()) return false;
  if (job->next_exact < job->exact.size()) return StepTerm(job);
  if (job->is_scan) return StepScan(job);
  Finish(job);
  return false;
}

bool Selecting::StepTerm(Job* job) {
  std::set<ProcessEntry*> found;
  absl::Status status = table_->SelectExact(job->exact[job->next_exact++], &found);
  if (!status.ok()) {
    job->done(std::move(status));
    return false;
  }
  for (const ProcessEntry* process : found) job->chosen.push_back(process->id);
  return true;
}

bool Selecting::StepScan(Job* job) {
  const ProcessTable::Entries& entries = table_->entries();
  auto entry = entries.upper_bound(job->after_id);
  for (int i = 0; i < kScannedPerStep && entry != entries.end(); ++i, ++entry) {
    bool fits = job->globs.empty();
    for (size_t glob = 0; glob < job->globs.size(); ++glob) {
      if (fnmatch(job->globs[glob].c_str(), entry->second->name.c_str(), 0) != 0) continue;
      fits = job->is_glob_found[glob] = true;
    }
    if (fits && Matches(job->rest, *entry->second)) job->chosen.push_back(entry->first);
    job->after_id = entry->first;
  }
  job->is_scan = entry != entries.end();
  return true;
}

void Selecting::Finish(Job* job) {
  for (size_t glob = 0; glob < job->globs.size(); ++glob) {
    if (job->is_glob_found[glob]) continue;
    return job->done(absl::NotFoundError(
        absl::StrCat("no process has a name like \"", EscapeForMessage(job->globs[glob]), "\"")));
  }
  std::sort(job->chosen.begin(), job->chosen.end());
  job->chosen.erase(std::unique(job->chosen.begin(), job->chosen.end()), job->chosen.end());
  std::vector<ProcessEntry*> found;
  found.reserve(job->chosen.size());
  for (const std::string& id : job->chosen) {
    ProcessEntry* process = table_->Find(id);
    if (process != nullptr && Matches(job->rest, *process)) found.push_back(process);
  }
  job->done(std::move(found));
}

}  // namespace shoal::agent
