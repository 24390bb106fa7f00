#include "tests/rpc/agent/rpc_agent.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/time/clock.h"
#include "agent/output/output_name.h"
#include "common/ids.h"
#include "common/notification.h"
#include "tests/support/permits.h"

namespace shoal::agent {
namespace {

constexpr char kBootId[] = "00000000-0000-4000-8000-000000000000";

}  // namespace

RpcAgent::RpcAgent(ServerOptions options, std::vector<std::string> allowed, BlobStoreOptions blobs,
                   TcpLimits limits, AuditOptions audit)
    : callers_(AllowedIdentities::Parse(allowed).value(), limits) {
  char name[] = "/tmp/shoal-rpc-XXXXXX";
  directory_ = mkdtemp(name);
  output_directory_ = UniqueFd(open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  loop_ = *EventLoop::Create();
  turns_ = std::make_unique<FairQueue>(loop_.get());
  scheduler_ = std::make_unique<LoopScheduler>(loop_.get(), turns_.get());
  inputs_ = std::make_unique<FakeInputRings>(scheduler_.get());
  slices_ = std::make_unique<Slices>(&fake_clock_, scheduler_.get());
  SupervisorOptions supervisor_options;
  supervisor_options.boot_id = kBootId;
  supervisor_options.host_name = "testhost";
  supervisor_options.has_cgroup = true;
  blobs.boot_id = supervisor_options.boot_id;
  blobs_ = *BlobStore::Open(directory_, blobs, &clock_);
  process_files_ =
      *SystemProcessFiles::Open(directory_, blobs_.get(), blob_thread_.get(), loop_.get());
  fake_clock_.StepWallClock(absl::Now() - fake_clock_.Now());  // that of the callers' request_ids
  supervisor_ =
      std::make_unique<Supervisor>(supervisor_options, Ports{.clock = &fake_clock_,
                                                             .scheduler = scheduler_.get(),
                                                             .store = &store_,
                                                             .slots = &shims_,
                                                             .offers = &shims_,
                                                             .programs = &shims_,
                                                             .trees = &shims_,
                                                             .peers = &peers_,
                                                             .output = &files_,
                                                             .files = process_files_.get(),
                                                             .inputs = inputs_.get()});
  EXPECT_TRUE(supervisor_->Recover().ok());
  supervisor_->FinishTurn();
  SetEdge(audit);
  HostInfo host;
  host.helper = &helper_;
  options.tcp.run_directory = directory_;
  host.audit = audit_log_.get();
  if (options.socket_path.empty()) options.socket_path = directory_ + "/agent.sock";
  auto server = Server::Start(options, &edge_, std::move(host));
  status_ = server.status();
  if (server.ok()) server_ = *std::move(server);
  loop_thread_ = std::thread([this] { loop_->Run([this] { supervisor_->FinishTurn(); }); });
}

// REQUIRES: the supervisor has recovered.
void RpcAgent::SetEdge(const AuditOptions& audit) {
  edge_.loop = loop_.get();
  edge_.turns = turns_.get();
  edge_.slices = slices_.get();
  edge_.supervisor = supervisor_.get();
  edge_.clock = &clock_;
  edge_.trees = &shims_;
  edge_.output = {edge_.loop, edge_.turns, edge_.supervisor, &output_thread_,
                  output_directory_.get()};
  edge_.blobs = blobs_.get();
  edge_.blob_thread = blob_thread_.get();
  edge_.blob_turns = &blob_turns_;
  edge_.callers = &callers_;
  auto sink = std::make_unique<FakeAuditSink>();
  audit_sink_ = sink.get();
  audit_log_ = std::make_unique<AuditLog>(audit, std::move(sink), [](const std::string&, bool) {});
  auditor_ = std::make_unique<Auditor>(audit_log_.get());
  edge_.auditor = auditor_.get();
  callers_.SetAuditor(auditor_.get());
  edge_.calls = &calls_;
  edge_.quota = &quota_;
  edge_.host_name = "testhost";
  edge_.agent_id = supervisor_->agent_id();
  edge_.boot_id = kBootId;
}

RpcAgent::~RpcAgent() {
  Drain();
  loop_->Stop();
  loop_thread_.join();
  server_.reset();
  blob_thread_.reset();
  std::filesystem::remove_all(directory_);
}

void RpcAgent::Drain() {
  if (server_ == nullptr) return;
  OnLoop([this] { server_->StopListening(); });
  server_->Drain(absl::Seconds(5));
}

std::shared_ptr<grpc::Channel> RpcAgent::Connect() const {
  // A subchannel of its own: gRPC shares connections of equal channels.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(addresses().front(), grpc::InsecureChannelCredentials(),
                                   arguments);
}

std::vector<std::string> RpcAgent::AuditLines() {
  OnLoop([] {});
  EXPECT_TRUE(audit_log_->Flush(absl::Seconds(60)));
  return audit_sink_->lines();
}

void RpcAgent::OnLoop(const std::function<void()>& what) {
  Notification done;
  // The second post comes after the turn of the first, its commit and its replies.
  loop_->Post([&] {
    what();
    loop_->Post([&done] { done.Notify(); });
  });
  done.WaitForNotification();
}

void RpcAgent::Write(const std::string& id, int stream, const std::string& bytes) {
  OnLoop([&] {
    const ProcessEntry* process = supervisor_->Find(PermitOf(), id);
    ASSERT_NE(process, nullptr);
    int64_t offset = process->streams[static_cast<size_t>(stream)].end;
    for (size_t done = 0; done < bytes.size();) {
      int64_t at = offset + static_cast<int64_t>(done);
      int64_t start = at / process->segment_bytes * process->segment_bytes;
      auto room = static_cast<size_t>(start + process->segment_bytes - at);
      std::ofstream file(directory_ + "/" + SegmentName(id, stream, start),
                         std::ios::binary | std::ios::app);
      size_t size = std::min(room, bytes.size() - done);
      file.write(bytes.data() + done, static_cast<std::streamsize>(size));
      done += size;
    }
    shims_.Write(id, stream, static_cast<int64_t>(bytes.size()));
  });
}

void RpcAgent::WriteIndex(const std::string& id, const std::vector<record::IndexRow>& rows) {
  std::ofstream file(directory_ + "/" + IndexName(id), std::ios::binary);
  file.write(reinterpret_cast<const char*>(rows.data()),
             static_cast<std::streamsize>(rows.size() * sizeof(record::IndexRow)));
}

std::unique_ptr<grpc::ClientContext> NewContext() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
  return context;
}

v1::SpawnRequest SpawnRequestOf(const std::vector<std::string>& argv) {
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  for (const std::string& word : argv) request.mutable_spec()->add_argv(word);
  return request;
}

}  // namespace shoal::agent
