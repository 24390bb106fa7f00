// Requests that an agent would refuse unread.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "shoal/v1/metadata.h"
#include "shoal/v1/process_service.pb.h"
#include "shoal/wire/request_size.h"

namespace shoal {
namespace {

std::string Half() { return std::string(v1::kMaxRequestBytes / 2, 'x'); }

TEST(CheckRequestSize, TheLimitItselfIsSent) {
  v1::SpawnRequest request;
  request.set_request_id(std::string(v1::kMaxRequestBytes - 4, 'x'));
  ASSERT_EQ(request.ByteSizeLong(), v1::kMaxRequestBytes);
  EXPECT_TRUE(CheckRequestSize(request).ok());
  request.mutable_request_id()->push_back('x');
  EXPECT_EQ(CheckRequestSize(request).message(),
            "request_id has 1048573 bytes and the request 1048577 in all, limit 1048576");
}

TEST(CheckRequestSize, TheLargestFieldIsNamedAsTheAgentNamesIt) {
  v1::SpawnBatchRequest request;
  request.add_specs()->add_argv("true");
  v1::ProcessSpec* spec = request.add_specs();
  spec->add_argv(std::string(100'000, 'a'));
  for (int i = 0; i < 10; ++i) spec->add_env(absl::StrCat("K", i, "=", std::string(120'000, 'e')));
  const absl::Status refused = CheckRequestSize(request);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.message(), absl::StrCat("specs[1].env has 1200030 bytes and the request ",
                                            request.ByteSizeLong(), " in all, limit 1048576"));
}

TEST(CheckRequestSize, AFieldOfAFieldIsNamed) {
  v1::ListRequest request;
  for (int i = 0; i < 3; ++i) request.mutable_selector()->add_terms(Half());
  EXPECT_EQ(CheckRequestSize(request).message(),
            absl::StrCat("selector.terms has 1572864 bytes and the request ",
                         request.ByteSizeLong(), " in all, limit 1048576"));
}

}  // namespace
}  // namespace shoal
