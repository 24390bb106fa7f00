#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "shoal/child/function_call.h"
#include "shoal/function.h"
#include "shoal/v1/function_result.pb.h"
#include "shoal/v1/process.pb.h"

namespace shoal::internal {
namespace {

using ::google::protobuf::UninterpretedOption;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Status Nothing() { return absl::OkStatus(); }
absl::Status Refuse() { return absl::AbortedError("no"); }
absl::StatusOr<std::string> Twice(const std::string& text) { return text + text; }
absl::StatusOr<std::string> FirstOf(absl::string_view text) {
  return std::string(text.substr(0, 1));
}
absl::StatusOr<v1::Survivor> Older(const v1::Survivor& survivor) {
  v1::Survivor older = survivor;
  older.set_pid(survivor.pid() + 1);
  return older;
}

std::string SurvivorBytes(int pid) {
  v1::Survivor survivor;
  survivor.set_pid(pid);
  return survivor.SerializeAsString();
}

TEST(Function, TakesNothingBytesOrAMessage) {
  EXPECT_EQ(*Bind(Nothing)("ignored"), "");
  EXPECT_EQ(*Bind(Twice)("ab"), "abab");
  EXPECT_EQ(*Bind(FirstOf)("ab"), "a");
  EXPECT_EQ(*Bind(Older)(SurvivorBytes(6)), SurvivorBytes(7));
}

// Where the bytes are.
absl::StatusOr<std::string> PlaceOf(const std::string& text) {
  return absl::StrCat(reinterpret_cast<uintptr_t>(text.data()));
}
absl::StatusOr<std::string> PlaceOfView(absl::string_view text) {
  return absl::StrCat(reinterpret_cast<uintptr_t>(text.data()));
}

TEST(Function, ALongArgumentIsNotCopiedForIt) {
  const std::string text(1000, 'x');
  EXPECT_EQ(*Bind(PlaceOf)(text), *PlaceOf(text));
  EXPECT_EQ(*Bind(PlaceOfView)(text), *PlaceOf(text));
}

TEST(Function, ItsErrorComesThrough) {
  EXPECT_EQ(Bind(Refuse)("").status(), absl::AbortedError("no"));
}

TEST(Function, BytesThatAreNoMessageAreRefusedByType) {
  absl::Status status = Bind(Older)("\xff").status();
  EXPECT_EQ(status,
            absl::InvalidArgumentError("1 bytes are not a message of type shoal.v1.Survivor"));
}

// A message with fields that are required.
absl::StatusOr<UninterpretedOption::NamePart> Unfinished() {
  return UninterpretedOption::NamePart();
}
absl::Status TakePart(const UninterpretedOption::NamePart&) { return absl::OkStatus(); }

TEST(Function, AResultThatCannotBeSerializedIsAnErrorAndNoEmptyResult) {
  absl::Status status = Bind(Unfinished)("").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the message of type google.protobuf.UninterpretedOption.NamePart lacks "
                        "what it requires: name_part, is_extension"));
}

// As one of 3 GiB, without them.
class HugeMessage : public google::protobuf::MessageLite {
 public:
  std::string GetTypeName() const override { return "huge"; }
  MessageLite* New(google::protobuf::Arena*) const override { return new HugeMessage; }
  void Clear() override {}
  bool IsInitialized() const override { return true; }
  void CheckTypeAndMergeFrom(const MessageLite&) override {}
  size_t ByteSizeLong() const override { return size_t{3} << 30; }
  int GetCachedSize() const override { return 0; }
  uint8_t* _InternalSerialize(uint8_t* to,
                              google::protobuf::io::EpsCopyOutputStream*) const override {
    return to;
  }
};

TEST(Function, AMessageOfMoreThan2GiBIsAnErrorAndNoEmptyOne) {
  EXPECT_EQ(SerializeMessage(HugeMessage()).status(),
            absl::InvalidArgumentError("the message of type huge has 3221225472 bytes, more than "
                                       "protobuf's 2147483647"));
}

TEST(Function, AnArgumentThatCannotBeSerializedIsAnErrorAndNoEmptyArgument) {
  BoundFunction bound = BindWith(TakePart, UninterpretedOption::NamePart());
  EXPECT_TRUE(absl::IsInvalidArgument(bound.broken)) << bound.broken;
}

TEST(Function, MoreBytesThanAMessageCanHaveAreNone) {
  absl::string_view endless("x", size_t{3} << 30);  // refused before they are looked at
  EXPECT_EQ(
      FromBytes<v1::Survivor>(endless).status(),
      absl::InvalidArgumentError("3221225472 bytes are not a message of type shoal.v1.Survivor"));
}

class FunctionCallTest : public ::testing::Test {
 protected:
  ~FunctionCallTest() override {
    for (const char* name : {"SHOAL_FUNCTION", "SHOAL_ARGUMENT", "SHOAL_PARENT", "SHOAL_DAEMON",
                             "SHOAL_START_METHOD", "SHOAL_FILES"}) {
      unsetenv(name);
    }
  }
  static void Enter(const std::vector<std::string>& env) {
    for (const std::string& entry : env) {
      size_t equals = entry.find('=');
      setenv(entry.substr(0, equals).c_str(), entry.c_str() + equals + 1, 1);
    }
  }
  static FunctionCall Call() {
    FunctionCall call;
    call.function = "Twice";
    call.argument = std::string("a\0b\xff=", 5);
    call.parent = ProcessInfo("web.1", 17, "ant", "ABCDEF", false);
    return call;
  }
};

TEST_F(FunctionCallTest, IsPlainTextInTheEnvironment) {
  FunctionCall call = Call();
  call.argument = "12";
  call.daemon = true;
  call.start_method = StartMethod::kForkServer;
  EXPECT_THAT(
      ToEnvironment(call),
      ElementsAre("SHOAL_FUNCTION=Twice", "SHOAL_PARENT=web.1 ant/ABCDEF 17",
                  "SHOAL_ARGUMENT=MTI=", "SHOAL_START_METHOD=forkserver", "SHOAL_DAEMON=1"));
}

TEST_F(FunctionCallTest, ComesOutAsItWentInAndOnlyOnce) {
  Enter(ToEnvironment(Call()));
  auto call = TakeFunctionCall();
  ASSERT_TRUE(call.has_value() && call->ok()) << call->status();
  EXPECT_EQ((*call)->function, "Twice");
  EXPECT_EQ((*call)->argument, Call().argument);
  EXPECT_EQ((*call)->parent.name(), "web.1");
  EXPECT_EQ((*call)->parent.host(), "ant");
  EXPECT_EQ((*call)->parent.id(), "ABCDEF");
  EXPECT_EQ((*call)->parent.pid(), 17);
  EXPECT_FALSE((*call)->daemon);
  EXPECT_EQ((*call)->start_method, StartMethod::kSpawn);
  EXPECT_FALSE(TakeFunctionCall().has_value());
}

TEST_F(FunctionCallTest, EveryStartMethodComesOutAsItWentIn) {
  for (StartMethod method : {StartMethod::kSpawn, StartMethod::kForkServer, StartMethod::kFork}) {
    FunctionCall call = Call();
    call.start_method = method;
    Enter(ToEnvironment(call));
    auto taken = TakeFunctionCall();
    ASSERT_TRUE(taken.has_value() && taken->ok()) << taken->status();
    EXPECT_EQ((*taken)->start_method, method);
  }
}

TEST_F(FunctionCallTest, AParentThatNoAgentStartedHasNoId) {
  FunctionCall call = Call();
  call.parent = ProcessInfo("MainProcess", 17, "ant", "", false);
  Enter(ToEnvironment(call));
  auto taken = TakeFunctionCall();
  ASSERT_TRUE(taken.has_value() && taken->ok()) << taken->status();
  EXPECT_EQ((*taken)->parent.id(), "");
}

TEST_F(FunctionCallTest, WhatMakesNoSenseIsNamed) {
  for (auto [parent, argument, method, reason] : {
           std::tuple("ant", "MTI=", "spawn", "SHOAL_PARENT: \"ant\" is not NAME HOST/ID PID"),
           std::tuple("a b/c d", "MTI=", "spawn",
                      "SHOAL_PARENT: \"a b/c d\" is not NAME HOST/ID PID"),
           std::tuple("a b/c 4", "!", "spawn", "SHOAL_ARGUMENT: it is not base64"),
           std::tuple("a b/c 4", "MTI=", "exec",
                      "SHOAL_START_METHOD: \"exec\" is none of spawn, forkserver, fork"),
       }) {
    setenv("SHOAL_START_METHOD", method, 1);
    setenv("SHOAL_FUNCTION", "Twice", 1);
    setenv("SHOAL_PARENT", parent, 1);
    setenv("SHOAL_ARGUMENT", argument, 1);
    auto call = TakeFunctionCall();
    ASSERT_TRUE(call.has_value());
    EXPECT_EQ(call->status(), absl::InvalidArgumentError(reason));
  }
}

TEST_F(FunctionCallTest, WithoutAnArgumentThatIsSaid) {
  setenv("SHOAL_FUNCTION", "Twice", 1);
  setenv("SHOAL_PARENT", "a b/c 4", 1);
  EXPECT_EQ(TakeFunctionCall()->status(),
            absl::InvalidArgumentError(
                "neither SHOAL_ARGUMENT nor SHOAL_FILES is set: there is no argument"));
}

TEST_F(FunctionCallTest, ALongArgumentIsReadFromItsFile) {
  char directory[] = "/tmp/shoal-argument-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  std::string path = std::string(directory) + "/argument";
  std::string text(3 * kMaxInlineArgumentBytes, 'x');
  FILE* file = fopen(path.c_str(), "w");
  fwrite(text.data(), 1, text.size(), file);
  fclose(file);
  FunctionCall call = Call();
  call.argument.reset();
  Enter(ToEnvironment(call));
  setenv("SHOAL_FILES", directory, 1);
  auto taken = TakeFunctionCall();
  ASSERT_TRUE(taken.has_value() && taken->ok()) << taken->status();
  EXPECT_EQ((*taken)->argument, text);
  EXPECT_EQ((*taken)->argument->capacity(), text.size());  // it has not grown bit by bit
  unlink(path.c_str());
  Enter(ToEnvironment(call));
  EXPECT_EQ(TakeFunctionCall()->status(),
            absl::NotFoundError("open the argument " + path + ": No such file or directory"));
  mkdir(path.c_str(), 0700);
  Enter(ToEnvironment(call));
  EXPECT_EQ(TakeFunctionCall()->status().message(),
            "read the argument " + path + ": Is a directory");
  rmdir(path.c_str());
  rmdir(directory);
}

TEST(FunctionResult, IsAValueAnErrorOrNothing) {
  EXPECT_FALSE(ParseResult("").has_value());
  EXPECT_EQ(**ParseResult(SerializeResult("ab")), "ab");
  EXPECT_EQ(**ParseResult(SerializeResult("")), "");
  EXPECT_EQ(ParseResult(SerializeResult(absl::NotFoundError("\xff!")))->status(),
            absl::NotFoundError("\xff!"));
}

TEST(FunctionResult, OneThatWasCutOffIsDataLoss) {
  std::string bytes = SerializeResult(std::string(300, 'x'));
  for (size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_EQ(ParseResult(bytes.substr(0, size))->status(),
              absl::DataLossError("its result was cut off"))
        << size;
  }
}

TEST(FunctionResult, IsAMessageThatOthersCanRead) {
  for (size_t size : {0u, 1u, 127u, 128u, 70'000u}) {
    v1::FunctionResult message;
    ASSERT_TRUE(message.ParseFromString(SerializeResult(std::string(size, 'x'))));
    EXPECT_EQ(message.value(), std::string(size, 'x'));
    EXPECT_EQ(**ParseResult(message.SerializeAsString()), message.value());
  }
}

TEST(FunctionResult, IsItsHeadAndTheValueItself) {
  for (size_t size : {0u, 1u, 127u, 128u, 70'000u}) {
    const std::string value(size, 'x');
    EXPECT_EQ(HeadOfResult(size) + value, SerializeResult(value));
  }
}

TEST(FunctionResult, OneThatNoMessageCanHoldIsRefused) {
  EXPECT_TRUE(CheckResultSize(300 << 20).ok());
  EXPECT_EQ(CheckResultSize(size_t{2} << 30),
            absl::ResourceExhaustedError("its result has 2147483648 bytes, and 2147483631 at most "
                                         "can be returned"));
}

TEST(FunctionResult, OneWithoutAnOutcomeIsDataLoss) {
  // An error with code 0, which is none.
  EXPECT_EQ(ParseResult(std::string("\x12\x00", 2))->status(),
            absl::DataLossError("its result is neither a value nor an error"));
}

}  // namespace
}  // namespace shoal::internal
