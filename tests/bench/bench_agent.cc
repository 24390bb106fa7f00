#include "tests/bench/bench_agent.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/ids.h"
#include "tests/support/system/binaries.h"

namespace shoal::bench {
namespace {

// Agents are children of this program, so what one has left is looked for when none lives any more.
int living = 0;
std::vector<std::unique_ptr<testing::Leftovers>> of_ended;

// A cgroup v2 directory, or "" where none can be made.
std::string MakeCgroup() {
  static int made = 0;
  const std::string name = absl::StrCat("/shoal-bench-", getpid(), "-", ++made);
  for (const char* root : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
    if (access(absl::StrCat(root, "/cgroup.procs").c_str(), W_OK) != 0) continue;
    std::string path = root + name;
    if (mkdir(path.c_str(), 0755) == 0) return path;
  }
  return "";
}

}  // namespace

BenchAgent::BenchAgent(std::vector<std::string> flags) {
  char name[] = "/tmp/shoal-bench-XXXXXX";
  if (!mkdtemp(name)) abort();
  directory_ = name;
  cgroup_ = MakeCgroup();
  leftovers_ = std::make_unique<testing::Leftovers>(directory_, cgroup_);
  testing::AgentOptions options;
  options.name = "bench";
  options.directory = directory_;
  options.cgroup_base = cgroup_;
  options.flags = std::move(flags);
  process_ = std::make_unique<testing::AgentProcess>(std::move(options));
  if (!process_->Start()) exit(1);
  ++living;
}

BenchAgent::~BenchAgent() {
  stub().TerminateAll();
  process_->Stop();
  process_.reset();
  of_ended.push_back(std::move(leftovers_));
  if (--living == 0) {
    for (const auto& leftovers : of_ended) leftovers->Check();
    of_ended.clear();
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void BenchAgent::DeleteAll() {
  v1::DeleteRequest request;
  request.set_request_id(NewRequestId());
  request.mutable_selector()->set_all(true);
  v1::DeleteResponse response;
  testing::CallContext context;
  stub().processes().Delete(&context, request, &response).ok();
}

void BenchAgent::SpawnRanks(const std::vector<std::string>& argv, int count) {
  v1::SpawnBatchRequest request;
  request.set_request_id(NewRequestId());
  *request.add_specs() = testing::SpecOf(argv);
  request.mutable_ranks()->set_count(count);
  request.mutable_ranks()->set_world_size(count);
  v1::SpawnBatchResponse response;
  testing::CallContext context;
  const grpc::Status status = stub().processes().SpawnBatch(&context, request, &response);
  int errors = status.ok() ? 0 : count;
  for (const auto& result : response.results()) errors += result.has_error() ? 1 : 0;
  if (errors > 0)
    fprintf(stderr, "%d of %d did not start: %s\n", errors, count,
            testing::Describe(status).c_str());
}

bool RunShoal(BenchAgent& agent, std::vector<std::string> arguments) {
  return RunShoal(agent.process().target(), std::move(arguments));
}

bool RunShoal(const std::string& hosts, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {testing::ShoalPath(), "-H", hosts});
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& word : arguments) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  return error == 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int SpawnRaw(const std::vector<std::string>& argv, int out, int in) {
  std::vector<char*> pointers;
  pointers.reserve(argv.size() + 1);
  for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  char path[] = "PATH=/usr/bin:/bin";
  char* environment[] = {path, nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (out >= 0) posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  if (in >= 0) posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  pid_t pid = 0;
  const int error =
      posix_spawnp(&pid, pointers[0], &actions, nullptr, pointers.data(), environment);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    fprintf(stderr, "posix_spawn of %s: %s\n", pointers[0], strerror(error));
    exit(1);
  }
  return pid;
}

void WaitRaw(int pid) { waitpid(pid, nullptr, 0); }

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void PrintRow(absl::string_view what, absl::string_view raw, absl::string_view shoal,
              absl::string_view ratio, absl::string_view to_reach) {
  printf("%s\n", absl::StrJoin({what, raw, shoal, ratio, to_reach}, "\t").c_str());
  fflush(stdout);
}

bool IsQuick(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc,
                     [](const char* word) { return strcmp(word, "--quick") == 0; });
}

absl::Duration MonotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace shoal::bench
