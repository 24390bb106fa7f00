// The fork socket against peers that are processes of their own, played from here.
#include "agent/os/fork_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/os/procfs.h"
#include "agent/os/program_file.h"
#include "agent/os/start_payload.h"
#include "common/ids.h"
#include "shoal/v1/fork_protocol.h"
#include "tests/unit/os/fork_peer.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

struct Failure {
  AskedFork asked;
  ForkFailure failure;
  bool broken;
};

class ForkSocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    loop_ = *EventLoop::Create();
    Open();
  }
  void Open(absl::Duration time_to_offer = ForkSocket::kTimeToOffer) {
    ForkSocket::Handlers handlers;
    handlers.on_offer = [this](const ForkParent& parent) { offers_.push_back(parent); };
    handlers.on_withdrawn = [this](const ForkParent& parent) { withdrawn_.push_back(parent); };
    handlers.on_failed = [this](const AskedFork& asked, const ForkFailure& failure, bool broken) {
      failures_.push_back({asked, failure, broken});
    };
    handlers.on_forked = [this](const AskedFork& asked) { forked_.push_back(asked); };
    handlers.on_trouble = [this](const std::string& line) { lines_.push_back(line); };
    auto socket = ForkSocket::Open(loop_.get(), path_, std::move(handlers), time_to_offer);
    ASSERT_TRUE(socket.ok()) << socket.status();
    socket_ = *std::move(socket);
  }
  bool Run(std::function<bool()> is_so) { return RunUntil(loop_.get(), std::move(is_so)); }
  void Welcome(Peer& peer) {
    const size_t before = offers_.size();
    peer.Say("offer 1");
    ASSERT_TRUE(Run([&] { return offers_.size() > before; }));
    socket_->Answer(offers_.back(), absl::OkStatus());
    EXPECT_EQ(ReceiveFrom(peer.fd()).text, "welcome");
  }
  static StartPacket Descriptors(int count) {
    StartPacket packet;
    for (int i = 0; i < count; ++i) {
      UniqueFd fd(open("/dev/null", O_RDWR | O_CLOEXEC));
      packet.descriptors.push_back(fd.get());
      packet.owned.push_back(std::move(fd));
    }
    return packet;
  }
  static size_t OpenFds() { return EntriesOf("/proc/self/fd"); }
  static size_t EntriesOf(const std::string& directory) {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) {
      ++count;
    }
    return count;
  }

  ScratchDirectory scratch_;
  const std::string path_ = scratch_ / "forks.sock";
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<ForkSocket> socket_;
  std::vector<ForkParent> offers_, withdrawn_;
  std::vector<Failure> failures_;
  std::vector<AskedFork> forked_;
  std::vector<std::string> lines_;
};

TEST_F(ForkSocketTest, AnOfferNamesTheProcessByPidAndStartTime) {
  Peer peer(path_);
  Welcome(peer);
  EXPECT_THAT(offers_, ElementsAre(peer.self()));
  peer.Close();
  EXPECT_TRUE(Run([&] { return !withdrawn_.empty(); }));
  EXPECT_THAT(withdrawn_, ElementsAre(peer.self()));
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(ForkSocketTest, ARefusedOfferIsToldWhyAndClosed) {
  Peer peer(path_);
  peer.Say("offer 1");
  ASSERT_TRUE(Run([&] { return !offers_.empty(); }));
  socket_->Answer(offers_[0], absl::NotFoundError("nobody knows you"));
  EXPECT_EQ(ReceiveFrom(peer.fd()).text, "refused nobody knows you");
  EXPECT_TRUE(ReceiveFrom(peer.fd()).ended);
}

TEST_F(ForkSocketTest, AForkCarriesItsDescriptorsInOrder) {
  Peer peer(path_);
  Welcome(peer);
  ShimStart start;
  start.id = NewId();
  start.argv = {"run", ""};
  start.env = {"A=b=c", "N=\n"};
  start.cwd = "/tmp";
  start.desired.nofile_soft = 512;
  start.desired.flags = record::kMergeStderr | record::kResultStream | record::kForbidChildren;
  StartPacket packet = Descriptors(fork_protocol::kSentWithCgroup - 1);
  auto payload = MakePayload(PayloadOf(start), start.id);
  ASSERT_TRUE(payload.ok());
  packet.descriptors.insert(packet.descriptors.begin(), payload->get());
  packet.owned.push_back(*std::move(payload));
  ASSERT_TRUE(socket_->Fork(peer.self(), {7, "id"}, std::move(packet)).ok());
  const Packet got = ReceiveFrom(peer.fd());
  EXPECT_EQ(got.text, "fork 1 7");
  ASSERT_THAT(got.fds, SizeIs(fork_protocol::kSentWithCgroup));
  char text[512];
  const int fd = got.fds[fork_protocol::kSentPayload].get();
  const ssize_t size = pread(fd, text, sizeof(text), 0);
  ASSERT_GT(size, 0);
  std::string expected;
  for (const char* field : {"arg=run", "arg=", "env=A=b=c", "env=N=\n", "cwd=/tmp", "nofile=512",
                            "merge-stderr=1", "result=1", "forbid-children=1"}) {
    expected.append(field).push_back('\0');
  }
  EXPECT_EQ(std::string(text, static_cast<size_t>(size)), expected);
  EXPECT_EQ(pwrite(fd, "x", 1, 0), -1) << "it is sealed";
}

TEST_F(ForkSocketTest, WhatThePeerCouldNotDoIsToldByItsSlot) {
  Peer peer(path_);
  Welcome(peer);
  ASSERT_TRUE(socket_->Fork(peer.self(), {7, "id"}, Descriptors(5)).ok());
  ASSERT_TRUE(socket_->Fork(peer.self(), {9, "nine"}, Descriptors(5)).ok());
  peer.Say("failed 2 threads 0 it has 3 threads");
  peer.Say("forked 1 4711");
  ASSERT_TRUE(Run([&] { return !failures_.empty(); }));
  EXPECT_EQ(failures_[0].asked.slot, 9);
  EXPECT_EQ(failures_[0].asked.id, "nine");
  EXPECT_EQ(failures_[0].failure.stage, "threads");
  EXPECT_EQ(failures_[0].failure.text, "it has 3 threads");
  EXPECT_FALSE(failures_[0].broken);
  peer.Close();
  ASSERT_TRUE(Run([&] { return !withdrawn_.empty(); }));
  EXPECT_THAT(failures_, SizeIs(1)) << "all were answered";
  ASSERT_THAT(forked_, SizeIs(1));
  EXPECT_EQ(forked_[0].slot, 7);
}

TEST_F(ForkSocketTest, AConnectionThatBreaksFailsWhatItHadNotAnswered) {
  Peer peer(path_);
  Welcome(peer);
  ASSERT_TRUE(socket_->Fork(peer.self(), {7, "id"}, Descriptors(5)).ok());
  ASSERT_TRUE(socket_->Fork(peer.self(), {9, "id"}, Descriptors(5)).ok());
  peer.Say("forked 1 4711");
  peer.Close();
  ASSERT_TRUE(Run([&] { return !withdrawn_.empty(); }));
  ASSERT_THAT(failures_, SizeIs(1));
  EXPECT_EQ(failures_[0].asked.slot, 9);
  EXPECT_TRUE(failures_[0].broken);
  EXPECT_EQ(failures_[0].failure.error_number, ECONNRESET);
  EXPECT_TRUE(absl::IsUnavailable(socket_->Fork(peer.self(), {10, "id"}, Descriptors(5))));
}

TEST_F(ForkSocketTest, AProcessHasOneConnectionTheLastOne) {
  Peer peer(path_);
  Welcome(peer);
  ASSERT_TRUE(socket_->Fork(peer.self(), {7, "id"}, Descriptors(5)).ok());
  EXPECT_EQ(ReceiveFrom(peer.fd()).text, "fork 1 7");
  peer.Connect();
  Welcome(peer);
  EXPECT_TRUE(ReceiveFrom(peer.first_fd()).ended);
  EXPECT_THAT(withdrawn_, SizeIs(1));
  ASSERT_THAT(failures_, SizeIs(1));
  ASSERT_TRUE(socket_->Fork(peer.self(), {8, "id"}, Descriptors(5)).ok());
  EXPECT_EQ(ReceiveFrom(peer.fd()).text, "fork 1 8");
}

TEST_F(ForkSocketTest, NothingBlocksAndNothingIsLostWhenThePeerDoesNotRead) {
  constexpr int kForks = 1000;
  const size_t before = OpenFds();
  {
    Peer peer(path_);
    Welcome(peer);
    for (int i = 1; i <= kForks; ++i) {
      ASSERT_TRUE(socket_->Fork(peer.self(), {i, "id"}, Descriptors(5)).ok()) << i;
    }
    int got = 0;
    while (got < kForks) {
      ASSERT_TRUE(Run([&] {
        pollfd readable{peer.fd(), POLLIN, 0};
        return poll(&readable, 1, 0) == 1;
      }));
      const Packet packet = ReceiveFrom(peer.fd());
      ++got;
      ASSERT_EQ(packet.text, absl::StrCat("fork ", got, " ", got));
      ASSERT_THAT(packet.fds, SizeIs(5));
    }
    peer.Close();
    ASSERT_TRUE(Run([&] { return !withdrawn_.empty(); }));
  }
  EXPECT_EQ(OpenFds(), before);
}

TEST_F(ForkSocketTest, WhoeverConnectsAndNeverOffersItselfIsSentAway) {
  socket_ = nullptr;
  Open(absl::Milliseconds(50));
  Peer late(path_);
  EXPECT_TRUE(Run([&] { return !lines_.empty(); }));
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("it has not offered itself for 50ms")));
  EXPECT_THAT(ReceiveFrom(late.fd()).text, StartsWith("refused it has not offered itself"));
  EXPECT_TRUE(ReceiveFrom(late.fd()).ended);
  // One that has is left alone.
  Peer peer(path_);
  Welcome(peer);
  bool passed = false;
  loop_->After(absl::Milliseconds(100), [&] { passed = true; });
  EXPECT_TRUE(Run([&] { return passed; }));
  EXPECT_TRUE(socket_->Fork(peer.self(), {1, "id"}, Descriptors(5)).ok());
}

TEST_F(ForkSocketTest, AWantOfDescriptorsIsToldOnceAndWaitedOut) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  UniqueFd peer(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path_.begin(), path_.end(), address.sun_path);
  ASSERT_EQ(connect(peer.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  int pauses = 0;
  std::function<void()> count = [&] {
    ++pauses;
    loop_->After(ForkSocket::kPause, count);
  };
  count();
  EXPECT_TRUE(Run([&] { return pauses == 4; }));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("cannot accept")));
  ASSERT_EQ(send(peer.get(), "offer 1", 7, 0), 7);
  EXPECT_TRUE(Run([&] { return !offers_.empty(); }));
}

TEST_F(ForkSocketTest, WhatMakesNoSenseClosesTheConnectionWithOneLine) {
  for (const std::string& words :
       {std::string("hello"), std::string("offer"), std::string("offer x"), std::string("offer 2"),
        std::string("forked 99 1"), std::string("failed 1"), std::string("failed x y z"),
        std::string(600, 'x'), std::string("offer 1\0", 8)}) {
    lines_.clear();
    Peer peer(path_);
    peer.Say(words);
    EXPECT_TRUE(Run([&] { return !lines_.empty(); })) << words;
    EXPECT_THAT(ReceiveFrom(peer.fd()).text, StartsWith("refused ")) << words;
    EXPECT_TRUE(ReceiveFrom(peer.fd()).ended) << words;
    EXPECT_THAT(lines_, SizeIs(1)) << words;
  }
  EXPECT_THAT(offers_, IsEmpty());
}

TEST_F(ForkSocketTest, OfferingTwiceMakesNoSense) {
  Peer peer(path_);
  Welcome(peer);
  peer.Say("offer 1");
  EXPECT_TRUE(Run([&] { return !withdrawn_.empty(); }));
  EXPECT_THAT(lines_, SizeIs(1));
}

TEST_F(ForkSocketTest, DescriptorsThatAPeerSendsAreDropped) {
  const size_t before = OpenFds();
  {
    Peer peer(path_);
    SendFd(peer.fd(), STDIN_FILENO);
    EXPECT_TRUE(Run([&] { return !lines_.empty(); }));
  }
  EXPECT_EQ(OpenFds(), before);
}

TEST_F(ForkSocketTest, TheSocketIsPrivateAndGoesWithItsOwner) {
  struct stat facts {};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0600u);
  Peer peer(path_);
  Welcome(peer);
  socket_.reset();
  EXPECT_TRUE(ReceiveFrom(peer.fd()).ended);
  EXPECT_NE(stat(path_.c_str(), &facts), 0);
}

TEST_F(ForkSocketTest, ASocketLeftBehindIsReplacedAndAFileIsNot) {
  socket_.reset();
  {
    UniqueFd stale(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path_.begin(), path_.end(), address.sun_path);
    ASSERT_EQ(bind(stale.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  Open();
  Peer peer(path_);
  Welcome(peer);
  WriteFile(scratch_ / "file", "precious");
  auto refused = ForkSocket::Open(loop_.get(), scratch_ / "file", {});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
  EXPECT_EQ(ReadFile(scratch_ / "file"), "precious");
  auto long_one = ForkSocket::Open(loop_.get(), scratch_ / std::string(100, 'x'), {});
  EXPECT_TRUE(absl::IsInvalidArgument(long_one.status())) << long_one.status();
}

TEST(ProgramFile, AnInterpretersScriptIsPartOfTheProgram) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(ProgramWords(Words{"./sim", "a", "b"}), 1u);
  EXPECT_EQ(ProgramWords(Words{"python3", "run.py", "7"}), 2u);
  EXPECT_EQ(ProgramWords(Words{"/usr/bin/python3.11", "-u", "-W", "ignore", "run.py", "7"}), 5u);
  EXPECT_EQ(ProgramWords(Words{"python3", "-m", "pkg", "7"}), 3u);
  EXPECT_EQ(ProgramWords(Words{"python3", "-c", "print(1)", "7"}), 4u);
  EXPECT_EQ(ProgramWords(Words{"python3"}), 1u);
  EXPECT_EQ(ProgramWords(Words{"python3", "-X"}), 2u);
  EXPECT_EQ(ProgramWords(Words{"perl", "run.pl"}), 2u);
}

TEST(ProgramFile, AProgramIsKnownByWhereItIsAndItsVersionByWhatItIs) {
  ScratchDirectory scratch;
  WriteFile(scratch / "sim", "1", 0755);
  ASSERT_EQ(symlink((scratch / "sim").c_str(), (scratch / "link").c_str()), 0);
  Spec spec;
  spec.cwd = scratch.path();
  spec.argv = {"./sim", "a"};
  const auto relative = FindProgramFile(spec, "/bin");
  ASSERT_TRUE(relative.ok()) << relative.status();
  EXPECT_EQ(relative->key, std::filesystem::canonical(scratch / "sim").string());
  EXPECT_THAT(relative->argv, ElementsAre("./sim"));
  spec.argv = {"link"};
  spec.env = {absl::StrCat("PATH=/nowhere:", scratch.path())};
  const auto searched = FindProgramFile(spec, "/bin");
  ASSERT_TRUE(searched.ok());
  EXPECT_EQ(searched->key, relative->key);
  EXPECT_EQ(searched->version, relative->version);
  WriteFile(scratch / "new", "22", 0755);
  std::filesystem::rename(scratch / "new", scratch / "sim");
  EXPECT_NE(FindProgramFile(spec, "/bin")->version, relative->version);
  spec.argv = {"nowhere"};
  EXPECT_TRUE(absl::IsNotFound(FindProgramFile(spec, "/bin").status()));
}

TEST(ProgramFile, AChangedScriptIsAnotherVersionOfItsProgram) {
  ScratchDirectory scratch;
  WriteFile(scratch / "python3", "", 0755);
  WriteFile(scratch / "a.py", "1");
  WriteFile(scratch / "b.py", "1");
  Spec spec;
  spec.cwd = scratch.path();
  spec.argv = {scratch / "python3", "a.py", "7"};
  const auto first = FindProgramFile(spec, "/bin");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(first->argv, ElementsAre(scratch / "python3", "a.py"));
  WriteFile(scratch / "a.py", "22");
  EXPECT_NE(FindProgramFile(spec, "/bin")->version, first->version);
  EXPECT_EQ(FindProgramFile(spec, "/bin")->key, first->key);
  spec.argv[1] = "b.py";
  EXPECT_NE(FindProgramFile(spec, "/bin")->key, first->key);
}

}  // namespace
}  // namespace shoal::agent
