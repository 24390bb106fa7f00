// The fault table that is run: each row is a fault or a bad input, its number in the table of
// tests/README.md, and the function that brings it about and checks the answer.
//
// Rows stand in fault_rows_*.cc, by kind; fault_table_test.cc makes a test of each. A fault that a
// test elsewhere brings about has no row here.
#ifndef SHOAL_TESTS_SYSTEM_FAULT_TABLE_H_
#define SHOAL_TESTS_SYSTEM_FAULT_TABLE_H_

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/system/system_test.h"

namespace shoal::testing {

// What a row may use: one agent "ant", which runs unless the row says otherwise.
class FaultTest : public SystemTest {
 public:
  using SystemTest::AddAgent;
  using SystemTest::agents_;
  using SystemTest::extra_env_;
  using SystemTest::ReadFile;
  using SystemTest::Scratch;
  using SystemTest::Shoal;
  using SystemTest::StartAgent;
  using SystemTest::StartShoal;
  using SystemTest::UserOptions;
  using SystemTest::WriteFile;

  AgentProcess& agent() { return agents_[0]; }
  AgentStub& stub() { return agents_[0].stub(); }

  // A Spawn call with a new request_id; its status and, if OK, the process.
  grpc::Status Spawn(const v1::ProcessSpec& spec, v1::Process* process = nullptr);
  // Spawns, and expects the code and every word in the message; nothing may run.
  void ExpectSpawnRefused(const v1::ProcessSpec& spec, grpc::StatusCode code,
                          const std::vector<std::string>& words);
  // The same for what execve or a step before it refuses: stage and errno stand in the details.
  void ExpectStartFailed(const v1::ProcessSpec& spec, const std::string& stage, int error_number);
  // An ordinary call still works.
  void ExpectServing();
  // Resident memory of the agent.
  int64_t AgentRssBytes();
  // Opens a session with the TTL, in milliseconds.
  v1::OpenResponse OpenSession(int ttl_ms);
};

struct FaultRow {
  int number;
  const char* name;  // an identifier that reads as a sentence
  void (*run)(FaultTest& test);
  bool start_agent = true;
};

// Keeps the bytes of a row out of the names of the tests.
inline void PrintTo(const FaultRow& row, std::ostream* stream) { *stream << "row " << row.number; }

std::vector<FaultRow> WireRows();
std::vector<FaultRow> SpawnRows();
std::vector<FaultRow> ResourceRows();
std::vector<FaultRow> LifeRows();
std::vector<FaultRow> CrashRows();
std::vector<FaultRow> LeaseRows();
std::vector<FaultRow> StreamRows();
std::vector<FaultRow> FileRows();
std::vector<FaultRow> DiskRows();
std::vector<FaultRow> DescendantRows();

// Sends `bytes` as the request of a unary method ("/shoal.v1.ProcessService/Spawn").
grpc::Status CallRaw(AgentStub& stub, const std::string& method, const std::string& bytes,
                     std::string* response = nullptr);

// A file system of 8 MiB for the agent's state, which `filler` bytes of a file "filler" already
// use. In a mount namespace of the test's own; needs root.
void MountSmallState(FaultTest& test, AgentProcess& agent, size_t filler);

void ExpectStatus(const grpc::Status& status, grpc::StatusCode code,
                  const std::vector<std::string>& words);

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SYSTEM_FAULT_TABLE_H_
