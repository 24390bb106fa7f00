// Requests whose text is no UTF-8.
#include <gtest/gtest.h>

#include <string>

#include "shoal/v1/process_service.pb.h"
#include "shoal/v1/session_service.pb.h"
#include "shoal/wire/request_text.h"

namespace shoal {
namespace {

// Built for the thread sanitizer, protobuf's headers have another layout of maps than its library,
// which was built without: reflection of a map crashes.
#ifdef __SANITIZE_THREAD__
constexpr bool kCanReflectMaps = false;
#else
constexpr bool kCanReflectMaps = true;
#endif

TEST(CheckRequestText, WhatIsUtf8IsSentAndBytesMayBeAnything) {
  if (!kCanReflectMaps) GTEST_SKIP() << "the thread sanitizer";
  v1::SpawnRequest request;
  request.mutable_spec()->set_name("größe");
  request.mutable_spec()->add_argv("\xff\xfe");
  request.mutable_spec()->set_cwd("/\xff");
  (*request.mutable_spec()->mutable_labels())["käse"] = "€";
  EXPECT_TRUE(CheckRequestText(request).ok()) << CheckRequestText(request);
}

TEST(CheckRequestText, TheFieldIsNamedAsTheAgentNamesIt) {
  v1::SpawnBatchRequest batch;
  batch.add_specs()->set_name("fine");
  batch.add_specs()->set_name("web\xff");
  EXPECT_EQ(CheckRequestText(batch),
            absl::InvalidArgumentError("specs[1].name is not UTF-8: \"web\\xff\""));
  v1::ListRequest list;
  list.mutable_selector()->add_terms("\xc3");
  EXPECT_EQ(CheckRequestText(list).message(), "selector.terms[0] is not UTF-8: \"\\xc3\"");
  v1::OpenRequest open;
  open.set_name("\xed\xa0\x80");  // a surrogate
  EXPECT_EQ(CheckRequestText(open).message(), "name is not UTF-8: \"\\xed\\xa0\\x80\"");
}

TEST(CheckRequestText, KeysAndValuesOfLabelsAreLookedAt) {
  if (!kCanReflectMaps) GTEST_SKIP() << "the thread sanitizer";
  for (const bool is_key : {true, false}) {
    v1::UpdateRequest request;
    (*request.mutable_set_labels())[is_key ? "\xff" : "key"] = is_key ? "value" : "\xff";
    EXPECT_EQ(CheckRequestText(request).message(),
              is_key ? "set_labels.key is not UTF-8: \"\\xff\""
                     : "set_labels.value is not UTF-8: \"\\xff\"");
  }
}

}  // namespace
}  // namespace shoal
