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
  HeldDone done;

  size_t next_exact = 0;
  std::string after_id;
  HeldProcesses chosen;
  bool is_sorted = true;  // `chosen`, by id, each once

  void Choose(ProcessEntry* process) {
    if (Matches(rest, *process)) chosen.push_back(process->shared_from_this());
  }
};

void Selecting::Run(const Caller& caller, Selector selector, IsWanted is_wanted, Done done) {
  Hold(caller, std::move(selector), std::move(is_wanted),
       [done = std::move(done)](absl::StatusOr<HeldProcesses> held) mutable {
         if (!held.ok()) return done(held.status());
         std::vector<ProcessEntry*> found;
         found.reserve(held->size());
         for (const std::shared_ptr<ProcessEntry>& process : *held) {
           if (!process->is_removed) found.push_back(process.get());
         }
         done(std::move(found));
       });
}

void Selecting::Hold(const Caller& caller, Selector selector, IsWanted is_wanted, HeldDone done) {
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
  const std::string session_id = selector.session_id;
  job->rest = std::move(selector);
  job->rest.terms.clear();
  job->rest.all = job->rest.all || has_terms;
  if (!has_terms && !session_id.empty()) {
    job->is_sorted = false;
    for (ProcessEntry* process : table_->OfSession(session_id)) job->Choose(process);
  } else {
    job->is_scan = !has_terms || !job->globs.empty();
  }
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
  job->is_sorted = false;
  for (ProcessEntry* process : found) job->Choose(process);
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
    if (fits) job->Choose(entry->second.get());
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
  if (!job->is_sorted) {
    std::sort(job->chosen.begin(), job->chosen.end(),
              [](const auto& a, const auto& b) { return a->id < b->id; });
    job->chosen.erase(std::unique(job->chosen.begin(), job->chosen.end()), job->chosen.end());
  }
  job->done(std::move(job->chosen));
}

}  // namespace shoal::agent
