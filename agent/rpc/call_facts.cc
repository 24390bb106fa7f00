#include "agent/rpc/call_facts.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/sha256.h"

namespace shoal::agent {
namespace {

constexpr int kShownTerms = 8;
constexpr size_t kMaxIdsBytes = 60 << 10;
constexpr size_t kDigestDigits = 32;

// The words separated by spaces; behind the first `shown` of them, how many there are besides.
template <typename Words>
std::string DescribeSome(const Words& words, int shown = kShownTerms) {
  const int count = static_cast<int>(words.size());
  if (count <= shown) return absl::StrJoin(words, " ");
  return absl::StrCat(absl::StrJoin(words.begin(), words.begin() + shown, " "), " and ",
                      count - shown, " more");
}

std::string Describe(const v1::ProcessSpec& spec) {
  const std::string program = spec.argv_size() > 0 ? spec.argv(0) : "";
  return spec.name().empty() ? program : absl::StrCat(spec.name(), " ", program);
}

std::string Describe(const v1::Selector& selector) {
  if (selector.all()) return "all";
  std::vector<std::string> words;
  if (selector.terms_size() > 0) words.push_back(DescribeSome(selector.terms()));
  for (const auto& [key, value] : selector.labels()) words.push_back(absl::StrCat(key, "=", value));
  if (!selector.session_id().empty()) {
    words.push_back(absl::StrCat("session ", selector.session_id()));
  }
  return absl::StrJoin(words, " ");
}

std::string InSession(std::string subject, const std::string& session_id) {
  if (session_id.empty()) return subject;
  return absl::StrCat(subject, " in session ", session_id);
}

// Each word is ended by a NUL, which no word contains, and each argv by another one.
void AddArgv(const v1::ProcessSpec& spec, Sha256* digest) {
  for (const std::string& word : spec.argv()) {
    digest->Update(word);
    digest->Update(absl::string_view("\0", 1));
  }
  digest->Update(absl::string_view("\0", 1));
}

std::string ShortHex(Sha256 digest) {
  return DigestToHex(digest.Finish()).substr(0, kDigestDigits);
}

std::string ArgvDigest(const v1::ProcessSpec& spec) {
  Sha256 digest;
  AddArgv(spec, &digest);
  return ShortHex(std::move(digest));
}

std::string ArgvDigest(const google::protobuf::RepeatedPtrField<v1::ProcessSpec>& specs) {
  Sha256 digest;
  for (const v1::ProcessSpec& spec : specs) AddArgv(spec, &digest);
  return ShortHex(std::move(digest));
}

std::string Blob(const std::string& sha256) {
  return absl::StrCat("blob ", DigestToHex(sha256).substr(0, 12));
}

// Collects ids and failures.
class Outcomes {
 public:
  void Add(const std::string& id) {
    ++count_;
    if (id.empty()) return;
    if (ids_.size() + id.size() > kMaxIdsBytes) {
      ++unshown_;
      return;
    }
    absl::StrAppend(&ids_, ids_.empty() ? "" : " ", id);
  }
  void AddFailure(const v1::RequestError& error) {
    ++failed_;
    if (failed_ == 1) first_ = error.message();
  }
  CallResult Result() const {
    CallResult result;
    result.ids = unshown_ == 0 ? ids_ : absl::StrCat(ids_, " and ", unshown_, " more");
    if (failed_ > 0) result.failure = absl::StrCat(failed_, " of ", count_, " failed: ", first_);
    return result;
  }

 private:
  std::string ids_;
  int unshown_ = 0, count_ = 0, failed_ = 0;
  std::string first_;
};

template <typename Results>
CallResult ResultOfEach(const Results& results) {
  Outcomes outcomes;
  for (const v1::ProcessResult& result : results) {
    outcomes.Add(result.process().id());
    if (result.has_error()) outcomes.AddFailure(result.error());
  }
  return outcomes.Result();
}

}  // namespace

AuditClass ClassOf(Verb verb) {
  switch (verb) {
    case Verb::kSpawn:
    case Verb::kSignal:
    case Verb::kUpdate:
    case Verb::kDelete:
    case Verb::kOpenSession:
    case Verb::kTakeover:
    case Verb::kCreateTemplate:
    case Verb::kDeleteTemplates:
      return AuditClass::kLogged;
    case Verb::kTerminate:
    case Verb::kCloseSession:
    case Verb::kWriteBlob:
      return AuditClass::kNoted;
    case Verb::kGet:
    case Verb::kList:
    case Verb::kWatch:
    case Verb::kWait:
    case Verb::kReadOutput:
    case Verb::kAcknowledgeOutput:
    case Verb::kWriteInput:
    case Verb::kResizeTerminal:
    case Verb::kKeepAlive:
    case Verb::kListSessions:
    case Verb::kListTemplates:
    case Verb::kGetHost:
    case Verb::kFindMissingLibraries:
    case Verb::kFindMissingBlobs:
    case Verb::kReadBlob:
      return AuditClass::kMerged;
  }
  return AuditClass::kLogged;
}

CallFacts FactsOf(const v1::SpawnRequest& request) {
  return {.subject = InSession(Describe(request.spec()), request.session_id()),
          .argv_sha256 = ArgvDigest(request.spec()),
          .request_id = request.request_id()};
}

CallFacts FactsOf(const v1::SpawnBatchRequest& request) {
  const int count = request.has_ranks() ? request.ranks().count() : request.specs_size();
  const std::string what = request.specs_size() > 0 ? Describe(request.specs(0)) : "nothing";
  return {.subject = InSession(absl::StrCat(count, " of ", what), request.session_id()),
          .argv_sha256 = ArgvDigest(request.specs()),
          .request_id = request.request_id()};
}

CallFacts FactsOf(const v1::GetRequest& request) {
  return {.subject = request.selector(), .argv_sha256 = {}, .request_id = request.request_id()};
}
CallFacts FactsOf(const v1::ListRequest& request) {
  return {.subject = Describe(request.selector()), .argv_sha256 = {}, .request_id = {}};
}
CallFacts FactsOf(const v1::WatchRequest& request) {
  return {.subject = Describe(request.selector()), .argv_sha256 = {}, .request_id = {}};
}
CallFacts FactsOf(const v1::WaitRequest& request) {
  return {.subject = Describe(request.selector()), .argv_sha256 = {}, .request_id = {}};
}

CallFacts FactsOf(const v1::SignalRequest& request) {
  return {
      .subject = absl::StrCat("signal ", request.signal(), " to ", Describe(request.selector())),
      .argv_sha256 = {},
      .request_id = request.request_id()};
}
CallFacts FactsOf(const v1::TerminateRequest& request) {
  return {.subject = Describe(request.selector()),
          .argv_sha256 = {},
          .request_id = request.request_id()};
}
CallFacts FactsOf(const v1::UpdateRequest& request) {
  return {.subject = Describe(request.selector()),
          .argv_sha256 = {},
          .request_id = request.request_id()};
}
CallFacts FactsOf(const v1::DeleteRequest& request) {
  return {.subject = Describe(request.selector()),
          .argv_sha256 = {},
          .request_id = request.request_id()};
}

CallFacts FactsOf(const v1::ReadOutputRequest& request) {
  return {.subject = Describe(request.selector()), .argv_sha256 = {}, .request_id = {}};
}
CallFacts FactsOf(const v1::AcknowledgeOutputRequest& request) {
  std::vector<absl::string_view> ids;
  for (const v1::OutputPosition& position : request.positions()) ids.push_back(position.id());
  return {.subject = DescribeSome(ids), .argv_sha256 = {}, .request_id = {}};
}

CallFacts FactsOf(const v1::WriteInputRequest& request) {
  return {.subject = request.selector(), .argv_sha256 = {}, .request_id = {}};
}
CallFacts FactsOf(const v1::StreamInputRequest& request) {
  return {.subject = request.selector(), .argv_sha256 = {}, .request_id = {}};
}

CallFacts FactsOf(const v1::ResizeTerminalRequest& request) {
  return {.subject = request.selector(), .argv_sha256 = {}, .request_id = {}};
}

CallFacts FactsOf(const v1::OpenRequest& request) {
  return {.subject = request.name(), .argv_sha256 = {}, .request_id = request.request_id()};
}
CallFacts FactsOf(const v1::KeepAliveRequest& request) {
  return {.subject = absl::StrCat("session ", request.session_id()),
          .argv_sha256 = {},
          .request_id = {}};
}
CallFacts FactsOf(const v1::TakeoverRequest& request) {
  return {.subject = absl::StrCat("session ", request.session_id()),
          .argv_sha256 = {},
          .request_id = request.request_id()};
}
CallFacts FactsOf(const v1::CloseRequest& request) {
  return {.subject = absl::StrCat("session ", request.session_id()),
          .argv_sha256 = {},
          .request_id = {}};
}
CallFacts FactsOf(const v1::SessionServiceListRequest& /*request*/) { return {}; }

CallFacts FactsOf(const v1::TemplateServiceCreateRequest& request) {
  return {.subject = Describe(request.spec()),
          .argv_sha256 = ArgvDigest(request.spec()),
          .request_id = request.request_id()};
}
CallFacts FactsOf(const v1::TemplateServiceListRequest& /*request*/) { return {}; }
CallFacts FactsOf(const v1::TemplateServiceDeleteRequest& request) {
  return {.subject = DescribeSome(request.templates()),
          .argv_sha256 = {},
          .request_id = request.request_id()};
}

CallFacts FactsOf(const v1::HostServiceGetRequest& /*request*/) { return {}; }
CallFacts FactsOf(const v1::FindMissingLibrariesRequest& request) {
  return {.subject = DescribeSome(request.sonames()), .argv_sha256 = {}, .request_id = {}};
}
CallFacts FactsOf(const v1::FindMissingRequest& request) {
  return {.subject = absl::StrCat(request.sha256_size(), " blobs"),
          .argv_sha256 = {},
          .request_id = {}};
}
CallFacts FactsOf(const v1::WriteRequest& request) {
  return {.subject = absl::StrCat(Blob(request.sha256()), " of ", request.size_bytes(),
                                  " bytes from ", request.offset()),
          .argv_sha256 = {},
          .request_id = {}};
}
CallFacts FactsOf(const v1::ReadRequest& request) {
  return {.subject = Blob(request.sha256()), .argv_sha256 = {}, .request_id = {}};
}

CallResult ResultOf(const v1::SpawnResponse& response) {
  return {.ids = response.process().id(),
          .failure = response.replayed() ? "a repeat: nothing new was started" : ""};
}

CallResult ResultOf(const v1::SpawnBatchResponse& response) {
  Outcomes outcomes;
  for (const v1::SpawnBatchResponse::Result& result : response.results()) {
    outcomes.Add(result.process().id());
    if (result.has_error()) outcomes.AddFailure(result.error());
  }
  CallResult result = outcomes.Result();
  if (response.replayed() && result.failure.empty()) {
    result.failure = "a repeat: nothing new was started";
  }
  return result;
}

CallResult ResultOf(const v1::SignalResponse& response) { return ResultOfEach(response.results()); }
CallResult ResultOf(const v1::TerminateResponse& response) {
  return ResultOfEach(response.results());
}
CallResult ResultOf(const v1::UpdateResponse& response) { return ResultOfEach(response.results()); }
CallResult ResultOf(const v1::DeleteResponse& response) { return ResultOfEach(response.results()); }

CallResult ResultOf(const v1::OpenResponse& response) {
  return {.ids = response.session().id(), .failure = ""};
}
CallResult ResultOf(const v1::TakeoverResponse& response) {
  return {.ids = response.session().id(), .failure = {}};
}
CallResult ResultOf(const v1::CloseResponse& response) {
  return {.ids = "",
          .failure = response.survivor_ids_size() == 0
                         ? ""
                         : absl::StrCat("not over yet: ", DescribeSome(response.survivor_ids()))};
}
CallResult ResultOf(const v1::TemplateServiceCreateResponse& response) {
  return {.ids = response.template_().process().id(), .failure = ""};
}
CallResult ResultOf(const v1::TemplateServiceDeleteResponse& response) {
  Outcomes outcomes;
  for (const v1::Process& process : response.processes()) outcomes.Add(process.id());
  return outcomes.Result();
}

}  // namespace shoal::agent
