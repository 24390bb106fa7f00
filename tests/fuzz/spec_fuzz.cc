// A spec that a client sends, in the text format of protobuf, whose wire format is protobuf's own
// to read.
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/text_format.h>

#include <string>

#include "agent/spec/spec_conversion.h"
#include "agent/spec/stored_spec.h"
#include "tests/fuzz/fuzz.h"

namespace {

class NoErrors : public google::protobuf::io::ErrorCollector {
  void AddError(int, google::protobuf::io::ColumnNumber, const std::string&) override {}
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  NoErrors errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  v1::ProcessSpec proto;
  if (!parser.ParseFromString(std::string(fuzz::ToText(data, size)), &proto)) return 0;
  // A string that is not UTF-8 does not come by the wire.
  if (!proto.ParseFromString(proto.SerializeAsString())) return 0;
  auto spec = agent::ToSpec(proto, /*has_session=*/size % 2 == 0, agent::SpecLimits());
  if (!spec.ok()) {
    fuzz::Require(absl::IsInvalidArgument(spec.status()), "a bad spec is INVALID_ARGUMENT");
    fuzz::RequireReadable(spec.status());
    return 0;
  }
  fuzz::Require(!(*spec)->argv.empty(), "what is accepted runs something");
  auto stored = agent::SpecFromStored(agent::StoredFormOf(**spec));
  fuzz::Require(stored.ok() && (*stored)->wire == (*spec)->wire && (*stored)->env == (*spec)->env,
                "what is accepted can be stored");
  return 0;
}
