// The output of many processes by few streams: merged, taken apart, broken, paused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/notification.h"
#include "shoal/host.h"
#include "shoal/host/host_rep.h"
#include "shoal/host/output_positions.h"
#include "shoal/host/shared_output.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;

// What is read of one process; offsets must follow each other.
class Reading {
 public:
  Reading(Host& host, v1::Process process) : process_(std::move(process)) {
    OutputObserver observer;
    observer.on_frame = [this](const v1::ReadOutputResponse& frame) { return Take(frame); };
    observer.on_end = [this](const absl::Status& status) {
      MutexLock lock(&mu_);
      ++ends_;
      status_ = status;
    };
    subscription_ = host.rep()->told_output->Read(process_, std::move(observer), kAcknowledgeBytes);
  }

  const std::string& id() const { return process_.id(); }
  Subscription& subscription() { return *subscription_; }
  void Stop() { subscription_.reset(); }
  // The next frame pauses its stream.
  void PauseNext() {
    MutexLock lock(&mu_);
    is_to_pause_ = true;
  }
  void AwaitPause() {
    MutexLock lock(&mu_);
    mu_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !is_to_pause_; });
  }
  // Shorter, if it ends before.
  std::string AwaitText(size_t bytes) {
    MutexLock lock(&mu_);
    auto has_come = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return text_.size() >= bytes || ends_ > 0;
    };
    mu_.Await(has_come);
    return text_;
  }
  absl::Status AwaitEnd() {
    MutexLock lock(&mu_);
    mu_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return ends_ > 0; });
    return status_;
  }
  std::string text() {
    MutexLock lock(&mu_);
    return text_;
  }
  int ends() {
    MutexLock lock(&mu_);
    return ends_;
  }

 private:
  Flow Take(const v1::ReadOutputResponse& frame) {
    MutexLock lock(&mu_);
    EXPECT_EQ(frame.id(), process_.id());
    EXPECT_EQ(ends_, 0);
    if (frame.has_data()) {
      EXPECT_EQ(frame.stream(), v1::STREAM_KIND_STDOUT);
      EXPECT_EQ(frame.offset(), static_cast<int64_t>(text_.size()));
      text_ += frame.data();
    }
    return std::exchange(is_to_pause_, false) ? Flow::kPause : Flow::kGoOn;
  }

  const v1::Process process_;
  Mutex mu_;
  std::string text_ ABSL_GUARDED_BY(mu_);
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  int ends_ ABSL_GUARDED_BY(mu_) = 0;
  bool is_to_pause_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<Subscription> subscription_;  // last: its end uses the others
};

// A reader of a process that writes, whose callback has begun and returns when it is told to.
class HeldReading {
 public:
  HeldReading(Host& host, const v1::Process& process) {
    OutputObserver observer;
    observer.on_frame = [this](const v1::ReadOutputResponse&) {
      if (!begun_.HasBeenNotified()) begun_.Notify();
      go_on_.WaitForNotification();
      has_returned_ = true;
      return Flow::kGoOn;
    };
    subscription_ = host.rep()->told_output->Read(process, std::move(observer), 0);
    begun_.WaitForNotification();
  }

  Subscription& subscription() { return *subscription_; }
  void LetGo() { go_on_.Notify(); }
  bool has_returned() const { return has_returned_; }
  void Stop() { subscription_.reset(); }

 private:
  Notification begun_, go_on_;
  bool has_returned_ = false;
  std::unique_ptr<Subscription> subscription_;  // last: its end uses the others
};

class SharedOutputTest : public ::testing::Test {
 protected:
  SharedOutputTest() : agent_("a"), host_(*Host::Create(UnixAddress(agent_.socket_path()))) {}

  v1::Process Spawn(const std::string& word = "wait") {
    v1::SpawnRequest request;
    request.mutable_spec()->add_argv(word);
    absl::StatusOr<v1::SpawnResponse> response = host_->Spawn(std::move(request));
    EXPECT_TRUE(response.ok()) << response.status();
    return response->process();
  }
  std::unique_ptr<Reading> Read(const v1::Process& process) {
    return std::make_unique<Reading>(*host_, process);
  }
  std::vector<std::unique_ptr<Reading>> ReadNew(int count) {
    std::vector<std::unique_ptr<Reading>> readings;
    readings.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) readings.push_back(Read(Spawn()));
    return readings;
  }
  // No stream knows of it at once.
  void Delete(const Reading& reading) {
    v1::DeleteRequest forget;
    forget.mutable_selector()->add_terms(reading.id());
    EXPECT_TRUE(host_->Delete(std::move(forget)).ok());
  }
  void ExpectGoesOn(Reading& reading) {
    Write(reading, "still here");
    EXPECT_EQ(reading.AwaitText(10), "still here");
    EXPECT_EQ(reading.ends(), 0);
  }
  void Write(const Reading& reading, absl::string_view text) {
    agent_.Write(reading.id(), v1::STREAM_KIND_STDOUT, text);
  }

  FakeAgent agent_;
  std::shared_ptr<Host> host_;
};

TEST_F(SharedOutputTest, TwoHundredProcessesAreReadByFewStreams) {
  std::vector<std::unique_ptr<Reading>> readings;
  for (int i = 0; i < 200; ++i) {
    readings.push_back(Read(Spawn()));
    Write(*readings.back(), absl::StrCat("begin ", i));
  }
  agent_.AwaitReaders(7 + 7 + 3);
  for (size_t i = 0; i < readings.size(); ++i) {
    Write(*readings[i], " end");
    agent_.Exit(readings[i]->id(), 0);
  }
  for (size_t i = 0; i < readings.size(); ++i) {
    EXPECT_TRUE(readings[i]->AwaitEnd().ok());
    EXPECT_EQ(readings[i]->text(), absl::StrCat("begin ", i, " end"));
    EXPECT_EQ(readings[i]->ends(), 1);
  }
  agent_.AwaitReaders(0);
}

TEST_F(SharedOutputTest, WhatIsWrittenDuringMergesComesOnceAndInOrder) {
  agent_.SetFrameBytes(7);
  std::unique_ptr<Reading> first = Read(Spawn());
  std::string written;
  std::vector<std::unique_ptr<Reading>> others;
  for (int i = 0; i < 80; ++i) {
    const std::string line = absl::StrCat("line ", i, " of the one that writes all the time\n");
    Write(*first, line);
    written += line;
    others.push_back(Read(Spawn(absl::StrCat("out:", i))));
  }
  EXPECT_EQ(first->AwaitText(written.size()), written);
  for (size_t i = 0; i < others.size(); ++i) {
    const std::string number = absl::StrCat(i);
    EXPECT_EQ(others[i]->AwaitText(number.size()), number);
  }
}

TEST_F(SharedOutputTest, GoesOnWhereEachWasWhenTheConnectionBreaks) {
  agent_.SetFrameBytes(10);
  agent_.BreakAfter("ReadOutput", 5, 40);
  std::vector<std::unique_ptr<Reading>> readings = ReadNew(20);
  const std::string text(100, 'x');
  for (const auto& reading : readings) Write(*reading, text);
  for (const auto& reading : readings) EXPECT_EQ(reading->AwaitText(text.size()), text);
  agent_.Stop();
  agent_.Start();
  for (const auto& reading : readings) {
    Write(*reading, "y");
    EXPECT_EQ(reading->AwaitText(text.size() + 1), text + "y");
  }
}

TEST_F(SharedOutputTest, OneThatIsGoneFailsAlone) {
  std::vector<std::unique_ptr<Reading>> readings = ReadNew(8);
  agent_.AwaitReaders(1);
  Delete(*readings[3]);
  readings.pop_back();  // the others are asked for anew
  EXPECT_TRUE(absl::IsNotFound(readings[3]->AwaitEnd()));
  for (size_t i = 0; i < readings.size(); ++i) {
    if (i != 3) ExpectGoesOn(*readings[i]);
  }
}

TEST_F(SharedOutputTest, OneOfManyThatIsGoneLeavesTheOthersWithFewStreams) {
  std::vector<std::unique_ptr<Reading>> readings = ReadNew(64);
  agent_.AwaitReaders(1);
  Delete(*readings[10]);
  const int calls = agent_.Calls("ReadOutput");
  agent_.Stop();
  agent_.Start();
  EXPECT_TRUE(absl::IsNotFound(readings[10]->AwaitEnd()));
  for (size_t i = 0; i < readings.size(); ++i) {
    if (i != 10) ExpectGoesOn(*readings[i]);
  }
  // All of them, then twice a half of those that failed.
  EXPECT_LE(agent_.Calls("ReadOutput") - calls, 1 + 2 * 6 + 2);
}

TEST_F(SharedOutputTest, TheLastOfThoseThatAStreamFailsForIsAskedForAlone) {
  std::vector<std::unique_ptr<Reading>> readings = ReadNew(8);
  agent_.AwaitReaders(1);
  // Three ends each of six that exit, then the text of the one that is left.
  agent_.BreakAfter("ReadOutput", 3 * 6, 20, absl::NotFoundError("one that has ended is gone"));
  readings.pop_back();  // the others are asked for anew
  for (size_t i = 1; i < readings.size(); ++i) {
    agent_.Exit(readings[i]->id(), 0);
    EXPECT_TRUE(readings[i]->AwaitEnd().ok());
  }
  ExpectGoesOn(*readings[0]);
}

TEST_F(SharedOutputTest, OneThatStopsInTheMidstOfAMergeEndsNoOther) {
  HeldReading first(*host_, Spawn("out:x"));
  std::vector<std::unique_ptr<Reading>> readings = ReadNew(6);
  HeldReading eighth(*host_, Spawn("out:x"));  // the others are merged into its stream
  eighth.subscription().Cancel();
  first.LetGo();
  agent_.AwaitReaders(0);
  for (int i = 0; i < 50; ++i) Spawn();  // by then, the first one's stream has ended
  eighth.LetGo();
  for (const auto& reading : readings) ExpectGoesOn(*reading);
}

TEST_F(SharedOutputTest, AStreamWithoutReadersIsNotMerged) {
  HeldReading held(*host_, Spawn("out:x"));
  held.subscription().Cancel();
  std::vector<std::unique_ptr<Reading>> readings = ReadNew(7);
  for (const auto& reading : readings) ExpectGoesOn(*reading);
  held.LetGo();
}

TEST_F(SharedOutputTest, OneThatPausesHoldsUpItsStreamAndLosesNothing) {
  std::vector<std::unique_ptr<Reading>> readings = ReadNew(8);
  agent_.AwaitReaders(1);
  readings[0]->PauseNext();
  Write(*readings[0], "first ");
  readings[0]->AwaitPause();
  for (const auto& reading : readings) Write(*reading, "second");
  readings[0]->subscription().Resume();
  EXPECT_EQ(readings[0]->AwaitText(12), "first second");
  for (size_t i = 1; i < readings.size(); ++i) EXPECT_EQ(readings[i]->AwaitText(6), "second");
}

TEST_F(SharedOutputTest, OneThatStopsReadingWhilePausedHoldsUpNothing) {
  std::vector<std::unique_ptr<Reading>> readings = ReadNew(8);
  agent_.AwaitReaders(1);
  readings[0]->PauseNext();
  Write(*readings[0], "pause");
  readings[0]->AwaitPause();
  for (size_t i = 1; i < readings.size(); ++i) Write(*readings[i], "text");
  readings[0]->Stop();
  EXPECT_TRUE(absl::IsCancelled(readings[0]->AwaitEnd()));
  EXPECT_EQ(readings[0]->ends(), 1);
  for (size_t i = 1; i < readings.size(); ++i) EXPECT_EQ(readings[i]->AwaitText(4), "text");
  readings.clear();
  agent_.AwaitReaders(0);
}

TEST_F(SharedOutputTest, StoppingWaitsForACallbackThatIsUnderWay) {
  HeldReading reading(*host_, Spawn("out:x"));
  std::thread stop([&] {
    reading.Stop();
    EXPECT_TRUE(reading.has_returned());
  });
  reading.LetGo();
  stop.join();
}

TEST_F(SharedOutputTest, AcknowledgesWhatIsReadAndNothingElse) {
  const v1::Process other = Spawn("fill:9000000");
  std::vector<std::unique_ptr<Reading>> readings = ReadNew(7);
  readings.push_back(Read(Spawn("fill:9000000")));
  readings.back()->AwaitText(9'000'000);
  agent_.AwaitCalls("AcknowledgeOutput", 2);
  EXPECT_GE(agent_.acknowledged(readings.back()->id()), 8 << 20);
  EXPECT_EQ(agent_.acknowledged(other.id()), 0);
}

TEST_F(SharedOutputTest, TheEndOfAHostEndsAllInTheMidstOfAMerge) {
  std::vector<std::unique_ptr<Reading>> readings = ReadNew(24);
  host_.reset();
  for (const auto& reading : readings) {
    EXPECT_TRUE(absl::IsCancelled(reading->AwaitEnd()));
    EXPECT_EQ(reading->ends(), 1);
  }
}

}  // namespace
}  // namespace shoal
