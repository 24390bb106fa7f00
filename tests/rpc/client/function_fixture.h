// A function as a process of an agent whose processes are played by the test.
#ifndef SHOAL_TESTS_RPC_CLIENT_FUNCTION_FIXTURE_H_
#define SHOAL_TESTS_RPC_CLIENT_FUNCTION_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "shoal/child/function_call.h"
#include "shoal/init.h"
#include "shoal/process.h"
#include "tests/support/fake_agent.h"

namespace shoal {

// Registered.
absl::StatusOr<std::string> Square(const std::string& number);

// Never destroyed: the session of this program on it is closed when the program ends, and then its
// files go.
inline testing::FakeAgent& Agent() {
  static testing::FakeAgent* const kAgent = [] {
    std::atexit([] { Agent().RemoveFiles(); });
    return new testing::FakeAgent("b");
  }();
  return *kAgent;
}

class FunctionProcess : public ::testing::Test {
 protected:
  FunctionProcess() {
    int argc = 0;
    char** argv = nullptr;
    Init(&argc, &argv);
    options_.host = Host();
  }

  static const std::shared_ptr<::shoal::Host>& Host() {
    static auto* const kHost = new std::shared_ptr<::shoal::Host>(
        *::shoal::Host::Create(UnixAddress(Agent().socket_path())));
    return *kHost;
  }

  // What the child would do.
  static void Return(const Process& process, const absl::StatusOr<std::string>& result) {
    Agent().Write(process.Id(), v1::STREAM_KIND_RESULT, internal::SerializeResult(result));
    Agent().Exit(process.Id(), result.ok() ? 0 : 1);
  }

  static absl::Status NoResult(const Process& process, const std::string& how) {
    return absl::FailedPreconditionError(
        absl::StrCat("no result of ", process.name(), ": it ", how, " before there was one"));
  }

  static v1::ProcessSpec Spec(const Process& process) { return process.info().spec(); }

  ProcessOptions options_;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_RPC_CLIENT_FUNCTION_FIXTURE_H_
