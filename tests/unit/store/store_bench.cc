// Commits per second of the store: store_bench [DIR]. A benchmark, never a test.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/spec/stored_spec.h"
#include "agent/store/sqlite_store.h"
#include "shoal/v1/process.pb.h"

namespace shoal::agent {
namespace {

std::shared_ptr<const Spec> SpecOfSize(size_t bytes) {
  v1::ProcessSpec proto;
  proto.add_argv(std::string(bytes, 's'));
  return *SpecFromStored(proto.SerializeAsString());
}

std::unique_ptr<SqliteStore> OpenOrDie(const std::string& dir) {
  auto store = SqliteStore::Open(dir, "0.2.0", absl::Hours(24));
  if (!store.ok()) {
    std::fprintf(stderr, "store_bench: %s\n", store.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(store);
}

void Measure(SqliteStore* store, int commits, int inserts, const char* what) {
  auto spec = SpecOfSize(600);
  absl::Duration worst;
  const absl::Time start = absl::Now();
  for (int i = 0; i < commits; ++i) {
    const absl::Time begin = absl::Now();
    for (int j = 0; j < inserts; ++j) {
      ProcessEntry process;
      process.id = absl::StrCat(absl::Hex(i * 2654435761u, absl::kZeroPad8), what, j);
      process.spec = spec;
      process.request_id = "01890000-0000-7000-8000-000000000000";
      process.boot_id = "01890000-0000-7000-8000-000000000000";
      process.owner = "uid:1000";
      store->PutProcess(process);
    }
    if (!store->Commit().ok()) std::exit(1);
    worst = std::max(worst, absl::Now() - begin);
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  std::printf("%2d per commit: %8.0f commits/s %9.0f inserts/s, the slowest commit %.2f ms\n",
              inserts, commits / seconds, commits * inserts / seconds,
              absl::ToDoubleMilliseconds(worst));
}

}  // namespace
}  // namespace shoal::agent

int main(int argc, char** argv) {
  std::string dir = absl::StrCat(argc > 1 ? argv[1] : "/tmp", "/shoal-bench-XXXXXX");
  if (mkdtemp(dir.data()) == nullptr) return 1;
  {
    auto store = shoal::agent::OpenOrDie(dir);
    shoal::agent::Measure(store.get(), 10'000, 1, "a");
    shoal::agent::Measure(store.get(), 2'000, 32, "b");
  }
  auto store = shoal::agent::OpenOrDie(dir);
  const absl::Time start = absl::Now();
  const size_t loaded = store->Load()->processes.size();
  std::printf("load of %zu processes: %.1f ms\n", loaded,
              absl::ToDoubleMilliseconds(absl::Now() - start));
  store.reset();
  std::filesystem::remove_all(dir);
  return 0;
}
