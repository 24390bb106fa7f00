// Watch: snapshot, synced, changes in order, resumption, slow watchers.
#include <map>
#include <set>

#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

class WatchTest : public RpcTest {
 protected:
  struct Watch {
    std::unique_ptr<grpc::ClientContext> context = NewContext();
    std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader;
    v1::WatchResponse Next() {
      v1::WatchResponse event;
      EXPECT_TRUE(reader->Read(&event));
      return event;
    }
  };
  void Forget(const std::string& id) {
    v1::DeleteRequest request;
    request.set_request_id(NewRequestId());
    *request.mutable_selector() = Named(id);
    v1::DeleteResponse response;
    ASSERT_TRUE(processes_->Delete(NewContext().get(), request, &response).ok());
  }
  void SetLabel(const std::string& id, const std::string& key, const std::string& value) {
    v1::UpdateRequest request;
    request.set_request_id(NewRequestId());
    *request.mutable_selector() = Named(id);
    (*request.mutable_set_labels())[key] = value;
    v1::UpdateResponse response;
    ASSERT_TRUE(processes_->Update(NewContext().get(), request, &response).ok());
  }
  std::unique_ptr<Watch> Begin(const v1::WatchRequest& request) {
    auto watch = std::make_unique<Watch>();
    watch->reader = processes_->Watch(watch->context.get(), request);
    return watch;
  }
};

TEST_F(WatchTest, ASnapshotThenSyncedThenChangesThenDeletes) {
  std::string id = SpawnNamed("web");
  auto watch = Begin({});
  v1::WatchResponse event = watch->Next();
  EXPECT_EQ(event.upsert().id(), id);
  EXPECT_EQ(event.revision(), 0) << "no place to resume from before synced";
  event = watch->Next();
  ASSERT_TRUE(event.has_synced());
  int64_t synced = event.revision();
  agent_.OnLoop([&] { agent_.shims().End(id, 3); });
  do {
    event = watch->Next();
    EXPECT_GT(event.revision(), synced);
  } while (!event.upsert().tree_empty());
  EXPECT_EQ(event.upsert().exit().code(), 3);
  Forget(id);
  event = watch->Next();
  EXPECT_EQ(event.deleted_id(), id);
}

TEST_F(WatchTest, ResumesAfterARevision) {
  std::string first = SpawnNamed("a");
  v1::ListResponse list;
  ASSERT_TRUE(processes_->List(NewContext().get(), {}, &list).ok());
  std::string second = SpawnNamed("b");
  v1::WatchRequest request;
  request.set_from_revision(list.revision());
  auto watch = Begin(request);
  v1::WatchResponse event = watch->Next();
  EXPECT_EQ(event.upsert().id(), second);
  EXPECT_GT(event.revision(), list.revision());
  EXPECT_TRUE(watch->Next().has_synced());
}

TEST_F(WatchTest, ARevisionThatIsNotKeptIsOutOfRange) {
  v1::WatchRequest request;
  request.set_from_revision(int64_t{1} << 60);
  auto watch = Begin(request);
  v1::WatchResponse event;
  EXPECT_FALSE(watch->reader->Read(&event));
  EXPECT_EQ(watch->reader->Finish().error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

TEST_F(WatchTest, TellsOnlyOfWhatIsSelected) {
  v1::WatchRequest request;
  *request.mutable_selector() = Named("b*");
  auto watch = Begin(request);
  EXPECT_TRUE(watch->Next().has_synced());
  SpawnNamed("a");
  std::string wanted = SpawnNamed("b1");
  EXPECT_EQ(watch->Next().upsert().id(), wanted);
}

TEST_F(WatchTest, OfOneProcessByItsIdTellsOfItsEndAndDeletion) {
  const std::string id = SpawnNamed("web");
  v1::WatchRequest request;
  *request.mutable_selector() = Named(id);
  auto watch = Begin(request);
  EXPECT_EQ(watch->Next().upsert().id(), id);
  EXPECT_TRUE(watch->Next().has_synced());
  SpawnNamed("another");
  agent_.OnLoop([&] { agent_.shims().End(id, 3); });
  v1::WatchResponse event = watch->Next();
  EXPECT_EQ(event.upsert().id(), id);
  EXPECT_EQ(event.upsert().exit().code(), 3);
  Forget(id);
  EXPECT_EQ(watch->Next().deleted_id(), id);
}

TEST_F(WatchTest, WhatCeasesToMatchIsToldOfOnceMore) {
  const std::string id = SpawnNamed("web");
  SetLabel(id, "tier", "front");
  v1::WatchRequest request;
  (*request.mutable_selector()->mutable_labels())["tier"] = "front";
  auto watch = Begin(request);
  EXPECT_EQ(watch->Next().upsert().id(), id);
  EXPECT_TRUE(watch->Next().has_synced());
  SetLabel(id, "tier", "back");
  EXPECT_EQ(watch->Next().upsert().spec().labels().at("tier"), "back");
  SetLabel(id, "tier", "cellar");
  const std::string later = SpawnNamed("later");
  SetLabel(later, "tier", "front");
  EXPECT_EQ(watch->Next().upsert().id(), later);
}

TEST_F(WatchTest, OneThatIsSlowMissesStatesButNoProcess) {
  auto watch = Begin({});
  EXPECT_TRUE(watch->Next().has_synced());
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.insert(SpawnNamed("p" + std::to_string(i)));
  for (int round = 0; round < 300; ++round) {
    for (const std::string& id : ids) {
      v1::UpdateRequest update;
      update.set_request_id(NewRequestId());
      *update.mutable_selector() = Named(id);
      (*update.mutable_set_labels())["pad"] = std::string(1000, 'x');
      (*update.mutable_set_labels())["round"] = std::to_string(round);
      v1::UpdateResponse updated;
      ASSERT_TRUE(processes_->Update(NewContext().get(), update, &updated).ok());
    }
  }
  std::map<std::string, std::string> last;
  int64_t revision = 0;
  auto all_seen = [&] {
    if (last.size() < ids.size()) return false;
    for (const auto& [id, round] : last) {
      if (round != "299") return false;
    }
    return true;
  };
  while (!all_seen()) {
    v1::WatchResponse event = watch->Next();
    ASSERT_TRUE(event.has_upsert());
    EXPECT_GT(event.revision(), revision);
    revision = event.revision();
    last[event.upsert().id()] = event.upsert().spec().labels().count("round") > 0
                                    ? event.upsert().spec().labels().at("round")
                                    : "";
  }
}

}  // namespace
}  // namespace shoal::agent
