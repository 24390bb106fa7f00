// No answer is larger than 2 MiB, whatever the processes are that it tells of.
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "agent/rpc/answer_budget.h"
#include "agent/rpc/bulk_call.h"
#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int kRanks = 40;

class BoundedAnswerTest : public RpcTest {
 protected:
  // Ranks with 900 kB of arguments.
  v1::SpawnBatchResponse SpawnLong() {
    v1::SpawnBatchRequest request;
    request.set_request_id(NewRequestId());
    v1::ProcessSpec* spec = request.add_specs();
    *spec = SpawnRequestOf({"/bin/true"}).spec();
    spec->set_name("long");
    for (int i = 0; i < 9; ++i) spec->add_argv(std::string(100'000, 'x'));
    request.mutable_ranks()->set_count(kRanks);
    request.mutable_ranks()->set_world_size(kRanks);
    v1::SpawnBatchResponse response;
    grpc::Status status;
    bool is_answered = false;
    std::thread call([&] {
      status = processes_->SpawnBatch(NewContext().get(), request, &response);
      agent_.OnLoop([&] { is_answered = true; });
    });
    bool is_over = false;
    while (!is_over) {
      agent_.OnLoop([&] {
        agent_.shims().StartAll();
        is_over = is_answered;
      });
    }
    call.join();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  std::set<std::string> OpenSessions(int count) {
    std::set<std::string> ids;
    for (int i = 0; i < count; ++i) {
      v1::OpenRequest open;
      open.set_request_id(NewRequestId());
      v1::OpenResponse opened;
      EXPECT_TRUE(sessions_->Open(NewContext().get(), open, &opened).ok());
      ids.insert(opened.session().id());
    }
    return ids;
  }
};

TEST_F(BoundedAnswerTest, ABatchOfLongArgumentsIsToldInBriefBeyondTheFirst) {
  const v1::SpawnBatchResponse response = SpawnLong();
  EXPECT_LE(response.ByteSizeLong(), kMaxAnswerBytes);
  ASSERT_EQ(response.results_size(), kRanks);
  EXPECT_EQ(response.results(0).process().spec().argv_size(), 10);
  EXPECT_FALSE(response.results(0).process().brief());
  const v1::Process& last = response.results(kRanks - 1).process();
  EXPECT_TRUE(last.brief());
  EXPECT_EQ(last.name(), absl::StrCat("long.", kRanks - 1));
  EXPECT_EQ(last.state(), v1::STATE_RUNNING);
  EXPECT_EQ(last.spec().argv_size(), 0);
}

TEST_F(BoundedAnswerTest, AWaitForAllOfThemTellsOfEach) {
  SpawnLong();
  v1::WaitRequest request;
  request.mutable_selector()->set_all(true);
  request.mutable_timeout();
  v1::WaitResponse response;
  const grpc::Status status = processes_->Wait(NewContext().get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_LE(response.ByteSizeLong(), kMaxAnswerBytes);
  EXPECT_EQ(response.processes_size(), kRanks);
  EXPECT_EQ(response.left_out(), 0);
  EXPECT_TRUE(response.timed_out());
}

TEST_F(BoundedAnswerTest, AnUpdateOfAllOfThemTellsOfEach) {
  SpawnLong();
  v1::UpdateRequest request;
  request.set_request_id(NewRequestId());
  request.mutable_selector()->set_all(true);
  (*request.mutable_set_labels())["seen"] = "yes";
  v1::UpdateResponse response;
  const grpc::Status status = processes_->Update(NewContext().get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_LE(response.ByteSizeLong(), kMaxAnswerBytes);
  EXPECT_EQ(response.results_size(), kRanks);
}

TEST_F(BoundedAnswerTest, PagesOfAListStayBelowTwoMebibytesAndTellAllInFull) {
  SpawnLong();
  std::set<std::string> ids;
  v1::ListRequest request;
  do {
    v1::ListResponse page;
    const grpc::Status status = processes_->List(NewContext().get(), request, &page);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_LE(page.ByteSizeLong(), kMaxAnswerBytes);
    for (const v1::Process& process : page.processes()) {
      EXPECT_FALSE(process.brief());
      ids.insert(process.id());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(ids, SizeIs(kRanks));
}

TEST_F(BoundedAnswerTest, MoreThan64GlobsAreRefused) {
  v1::ListRequest request;
  for (int i = 0; i < 65; ++i) request.mutable_selector()->add_terms(absl::StrCat("*", i));
  v1::ListResponse page;
  const grpc::Status status = processes_->List(NewContext().get(), request, &page);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("selector.terms has 65 globs, limit 64"));
}

TEST_F(BoundedAnswerTest, SessionsAreListedInPages) {
  std::set<std::string> ids = OpenSessions(5);
  v1::SessionServiceListRequest request;
  v1::SessionServiceListResponse all;
  ASSERT_TRUE(sessions_->List(NewContext().get(), request, &all).ok());
  EXPECT_EQ(all.sessions_size(), 5) << "for clients that know no pages";
  EXPECT_EQ(all.next_page_token(), "");
  request.set_page_size(2);
  int pages = 0;
  do {
    v1::SessionServiceListResponse page;
    ASSERT_TRUE(sessions_->List(NewContext().get(), request, &page).ok());
    EXPECT_LE(page.sessions_size(), 2);
    for (const v1::Session& session : page.sessions()) ids.erase(session.id());
    request.set_page_token(page.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_TRUE(ids.empty());
}

TEST_F(BoundedAnswerTest, APageOfSessionsIsFilledInSlices) {
  OpenSessions(5);
  agent_.OnLoop([&] { agent_.clock().SetTick(absl::Seconds(1)); });
  absl::Duration before, after;
  agent_.OnLoop([&] { before = agent_.clock().BootTime(); });
  v1::SessionServiceListResponse page;
  ASSERT_TRUE(sessions_->List(NewContext().get(), {}, &page).ok());
  agent_.OnLoop([&] { after = agent_.clock().BootTime(); });
  EXPECT_EQ(page.sessions_size(), 5);
  // The clock was looked at when each slice began, and after each session.
  EXPECT_GE(after - before, absl::Seconds(2 * 5));
}

TEST_F(BoundedAnswerTest, NoPageHasMoreThan1000Sessions) {
  std::set<std::string> ids = OpenSessions(1'001);
  for (const int page_size : {0, 5'000}) {
    v1::SessionServiceListRequest request;
    request.set_page_size(page_size);
    v1::SessionServiceListResponse page, last;
    ASSERT_TRUE(sessions_->List(NewContext().get(), request, &page).ok());
    EXPECT_EQ(page.sessions_size(), 1'000);
    request.set_page_token(page.next_page_token());
    ASSERT_TRUE(sessions_->List(NewContext().get(), request, &last).ok());
    ASSERT_EQ(last.sessions_size(), 1);
    EXPECT_EQ(last.sessions(0).id(), *ids.rbegin());
    EXPECT_EQ(last.next_page_token(), "");
  }
}

ProcessEntry EntryOf(size_t argument_bytes, size_t name_bytes) {
  ProcessEntry entry;
  entry.id = "ABCDEFGHIJKLMNOP";
  entry.name = std::string(name_bytes, 'n');
  auto spec = std::make_shared<Spec>();
  v1::ProcessSpec proto;
  proto.add_argv(std::string(argument_bytes, 'a'));
  spec->wire = proto.SerializeAsString();
  entry.spec = std::move(spec);
  return entry;
}

struct Filled {
  size_t bytes = 0;
  int told = 0;
  int in_full = 0;
  int left_out = 0;
};

Filled FillWith(const ProcessEntry& entry, size_t count) {
  AnswerBudget budget(count);
  v1::WaitResponse response;
  Filled filled;
  for (size_t i = 0; i < count; ++i) {
    const Detail detail = budget.Next(FullBytesOf(entry), BriefBytesOf(entry));
    if (detail == Detail::kNone) {
      ++filled.left_out;
      continue;
    }
    v1::Process* process = response.add_processes();
    SetProcess(entry, "host", detail, process);
    budget.Use(process->ByteSizeLong());
    ++filled.told;
    filled.in_full += detail == Detail::kFull;
  }
  filled.bytes = response.ByteSizeLong();
  return filled;
}

TEST(EncodedAnswer, IsTheSameOnTheWireAndTakesLittleMemory) {
  const ProcessEntry entry = EntryOf(1'000'000, 20);
  constexpr int kTold = 10'000;
  v1::WaitResponse plain, encoded;
  for (v1::WaitResponse* response : {&plain, &encoded}) response->set_timed_out(true);
  for (int i = 0; i < kTold; ++i) {
    v1::WaitResponse one;
    SetProcess(entry, "host", Detail::kBrief, one.add_processes());
    SetProcess(entry, "host", Detail::kBrief, plain.add_processes());
    AppendEncoded(one, &encoded);
  }
  EXPECT_EQ(encoded.processes_size(), 0);
  EXPECT_LT(encoded.SpaceUsedLong(), 3 * plain.ByteSizeLong());
  EXPECT_GT(plain.SpaceUsedLong(), 2 * encoded.SpaceUsedLong());
  v1::WaitResponse read;
  ASSERT_TRUE(read.ParseFromString(encoded.SerializeAsString()));
  EXPECT_EQ(read.SerializeAsString(), plain.SerializeAsString());
}

TEST(AnswerBudget, FewAreToldInFull) {
  EXPECT_EQ(FillWith(EntryOf(500, 10), 1'000).in_full, 1'000);
}

TEST(AnswerBudget, TenThousandAreAllToldWhateverTheyAre) {
  for (const size_t argument_bytes : {size_t{10}, size_t{1'000}, size_t{1'000'000}}) {
    for (const size_t name_bytes : {size_t{4}, size_t{128}}) {
      const Filled filled = FillWith(EntryOf(argument_bytes, name_bytes), 10'000);
      EXPECT_LE(filled.bytes, kMaxAnswerBytes);
      EXPECT_EQ(filled.told, 10'000);
    }
  }
}

TEST(AnswerBudget, OfFarMoreTheRestIsLeftOut) {
  const Filled filled = FillWith(EntryOf(1'000'000, 20), 200'000);
  EXPECT_LE(filled.bytes, kMaxAnswerBytes);
  EXPECT_GT(filled.left_out, 0);
  EXPECT_EQ(filled.told + filled.left_out, 200'000);
}

}  // namespace
}  // namespace shoal::agent
