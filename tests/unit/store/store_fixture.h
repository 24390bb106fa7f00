// A SqliteStore in a directory of its own, and entries to put into it.
#ifndef SHOAL_TESTS_UNIT_STORE_STORE_FIXTURE_H_
#define SHOAL_TESTS_UNIT_STORE_STORE_FIXTURE_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/spec/stored_spec.h"
#include "agent/store/sqlite_store.h"
#include "shoal/v1/process.pb.h"

namespace shoal::agent {

// As agents of all versions have stored it: the message with its environment.
inline std::string StoredSpecOf(const std::string& program) {
  v1::ProcessSpec proto;
  proto.add_argv(program);
  proto.add_env("KEY=value");
  proto.set_cwd("/");
  return proto.SerializeAsString();
}

inline std::shared_ptr<const Spec> SpecOf(const std::string& program) {
  return *SpecFromStored(StoredSpecOf(program));
}

inline ProcessEntry EntryOf(const std::string& id) {
  ProcessEntry process;
  process.id = id;
  process.name = absl::StrCat("name-", id);
  process.spec = SpecOf(absl::StrCat("spec-", id));
  process.owner = "uid:1000";
  process.request_id = absl::StrCat("request-", id);
  process.boot_id = "boot";
  return process;
}

class TempDir {
 public:
  TempDir() {
    std::string path = "/tmp/shoal-store-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string file() const { return path_ + "/shoal.db"; }

 private:
  std::string path_;
};

class StoreTest : public ::testing::Test {
 protected:
  void Open() {
    store_.reset();
    auto opened = SqliteStore::Open(dir_.path(), "0.2.0", absl::Hours(24));
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  // Opens it anew and loads.
  Store::Content Reload() {
    Open();
    auto content = store_->Load();
    EXPECT_TRUE(content.ok()) << content.status();
    return content.ok() ? *std::move(content) : Store::Content{};
  }
  // Changes the closed file behind the store's back.
  void Tamper(const char* sql) {
    store_.reset();
    auto database = Database::Open(dir_.file());
    ASSERT_TRUE(database.ok()) << database.status();
    absl::Status done = (*database)->Execute(sql);
    ASSERT_TRUE(done.ok()) << done;
  }

  TempDir dir_;
  std::unique_ptr<SqliteStore> store_;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_UNIT_STORE_STORE_FIXTURE_H_
