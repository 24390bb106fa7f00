// What a child writes to its result pipe, and what its parent puts into its environment.
#include <cstdlib>
#include <string>

#include "client/shoal/child/function_call.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  absl::string_view text = fuzz::ToText(data, size);
  auto result = internal::ParseResult(std::string(text));
  fuzz::Require(result.has_value() == (size != 0), "no byte is no result, and nothing else is");
  if (result.has_value() && result->ok()) {
    auto again = internal::ParseResult(internal::SerializeResult(*result));
    fuzz::Require(again.has_value() && again->ok() && **again == **result, "a value survives");
  }
  std::string value(text.substr(0, text.find('\0')));
  for (const char* name : {"SHOAL_ARGUMENT", "SHOAL_PARENT", "SHOAL_START_METHOD"}) {
    setenv("SHOAL_FUNCTION", "f", 1);
    setenv("SHOAL_ARGUMENT", "MTI=", 1);
    setenv("SHOAL_PARENT", "main ant/ID 7", 1);
    setenv(name, value.c_str(), 1);
    auto call = internal::TakeFunctionCall();
    fuzz::Require(call.has_value(), "a call is a call");
    if (!call->ok()) fuzz::RequireReadable(call->status());
    fuzz::Require(std::getenv(name) == nullptr, "nothing of a call is left");
  }
  return 0;
}
