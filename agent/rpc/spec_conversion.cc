#include "agent/rpc/spec_conversion.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/rpc/file_checks.h"
#include "agent/rpc/request_checks.h"
#include "agent/rpc/time_conversion.h"
#include "common/escape.h"
#include "common/status.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxPathBytes = 4095;
constexpr size_t kMaxStartedByBytes = 512;
constexpr int64_t kMaxCapBytes = int64_t{1} << 50;
constexpr size_t kMaxRankHostBytes = size_t{64} << 20;  // every rank has its copy of the list

absl::Status Invalid(absl::string_view message) { return absl::InvalidArgumentError(message); }

std::string Quoted(absl::string_view bytes) {
  return absl::StrCat("'", EscapeForMessage(bytes), "'");
}

// One of argv or env, as execve(2) would take it.
absl::Status CheckWord(absl::string_view field, absl::string_view word) {
  SHOAL_RETURN_IF_ERROR(CheckNoNul(field, word));
  if (word.size() <= kMaxArgumentBytes) return absl::OkStatus();
  return Invalid(absl::StrCat(field, " is ", word.size(), " bytes, limit ", kMaxArgumentBytes));
}

absl::Status CheckArguments(const v1::ProcessSpec& proto) {
  if (proto.argv_size() == 0) return Invalid("argv is empty: it must name a program");
  if (proto.argv_size() > kMaxArguments) {
    return Invalid(absl::StrCat("argc ", proto.argv_size(), " > ", kMaxArguments));
  }
  for (int i = 0; i < proto.argv_size(); ++i) {
    SHOAL_RETURN_IF_ERROR(CheckWord(absl::StrCat("argv[", i, "]"), proto.argv(i)));
  }
  const std::string& program = proto.argv(0);
  if (program.empty()) return Invalid("argv[0] is empty: it must name a program");
  bool relative = program[0] != '/' && program.find('/') != std::string::npos;
  if (relative && proto.cwd().empty() && !NamesShippedFile(program, proto)) {
    return Invalid(absl::StrCat("argv[0] ", Quoted(program), " is relative: give cwd, or ",
                                proto.files_size() > 0 ? "'./' and the path of one of files, " : "",
                                "or an absolute path"));
  }
  return absl::OkStatus();
}

absl::Status CheckEnvironment(const v1::ProcessSpec& proto) {
  absl::flat_hash_map<absl::string_view, int> seen;
  if (proto.env_size() > kMaxArguments) {
    return Invalid(absl::StrCat("env has ", proto.env_size(), " entries, limit ", kMaxArguments));
  }
  for (int i = 0; i < proto.env_size(); ++i) {
    std::string field = absl::StrCat("env[", i, "]");
    absl::string_view entry = proto.env(i);
    SHOAL_RETURN_IF_ERROR(CheckWord(field, entry));
    size_t equals = entry.find('=');
    if (equals == absl::string_view::npos) return Invalid(absl::StrCat(field, " has no '='"));
    if (equals == 0) return Invalid(absl::StrCat(field, " has an empty key"));
    auto [earlier, is_new] = seen.emplace(entry.substr(0, equals), i);
    if (!is_new) {
      return Invalid(absl::StrCat(field, " repeats the key ", Quoted(earlier->first), " of env[",
                                  earlier->second, "]"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTotal(const v1::ProcessSpec& proto, const SpecLimits& limits) {
  size_t total = 0;
  for (const std::string& word : proto.argv()) total += word.size() + 1 + sizeof(char*);
  for (const std::string& word : proto.env()) total += word.size() + 1 + sizeof(char*);
  if (total <= limits.max_total_bytes) return absl::OkStatus();
  return Invalid(
      absl::StrCat("argv and env are ", total, " bytes together, limit ", limits.max_total_bytes));
}

absl::Status CheckDirectory(const std::string& cwd) {
  SHOAL_RETURN_IF_ERROR(CheckNoNul("cwd", cwd));
  if (cwd.size() > kMaxPathBytes) {
    return Invalid(absl::StrCat("cwd is ", cwd.size(), " bytes, limit ", kMaxPathBytes));
  }
  if (cwd.empty() || cwd[0] == '/') return absl::OkStatus();
  return Invalid(absl::StrCat("cwd ", Quoted(cwd), " is not absolute"));
}

absl::Status CheckLabels(const v1::ProcessSpec& proto) {
  SHOAL_RETURN_IF_ERROR(CheckCount("labels", static_cast<int>(proto.labels().size()), kMaxLabels));
  for (const auto& [key, value] : proto.labels()) SHOAL_RETURN_IF_ERROR(CheckLabel(key, value));
  return absl::OkStatus();
}

absl::Status CheckEnums(const v1::ProcessSpec& proto) {
  if (!v1::Lifetime_IsValid(proto.lifetime())) {
    return Invalid(absl::StrCat("unknown Lifetime ", proto.lifetime()));
  }
  if (!v1::DescendantPolicy_IsValid(proto.descendants())) {
    return Invalid(absl::StrCat("unknown DescendantPolicy ", proto.descendants()));
  }
  if (!v1::OverflowPolicy_IsValid(proto.output().overflow())) {
    return Invalid(absl::StrCat("unknown OverflowPolicy ", proto.output().overflow()));
  }
  if (!v1::StartMethod_IsValid(proto.start_method())) {
    return Invalid(absl::StrCat("unknown StartMethod ", proto.start_method()));
  }
  return absl::OkStatus();
}

absl::Status CheckForkOf(const v1::ProcessSpec& proto) {
  const bool is_fork = proto.start_method() == v1::START_METHOD_FORK;
  if (is_fork && proto.fork_of().empty()) {
    return Invalid(
        "start_method FORK needs fork_of: the name or id of a process that offers itself");
  }
  if (!is_fork && !proto.fork_of().empty()) {
    return Invalid(
        absl::StrCat("fork_of ", Quoted(proto.fork_of()), " is given without start_method FORK"));
  }
  if (!is_fork && proto.has_fork_wait()) {
    return Invalid("fork_wait is given without start_method FORK");
  }
  SHOAL_RETURN_IF_ERROR(CheckNoNul("fork_of", proto.fork_of()));
  SHOAL_RETURN_IF_ERROR(CheckNoNul("started_by", proto.started_by()));
  if (proto.started_by().size() <= kMaxStartedByBytes) return absl::OkStatus();
  return Invalid(absl::StrCat("started_by is ", proto.started_by().size(), " bytes, limit ",
                              kMaxStartedByBytes));
}

// What UNSPECIFIED and absent mean, written out.
void FillInDefaults(bool has_session, v1::ProcessSpec* proto) {
  if (proto->lifetime() == v1::LIFETIME_UNSPECIFIED) {
    proto->set_lifetime(has_session ? v1::LIFETIME_SESSION : v1::LIFETIME_DETACHED);
  }
  if (proto->descendants() == v1::DESCENDANT_POLICY_UNSPECIFIED) {
    proto->set_descendants(v1::DESCENDANT_POLICY_END);
  }
  v1::OutputSpec* output = proto->mutable_output();
  if (output->cap_bytes() == 0) output->set_cap_bytes(record::kDefaultCapBytes);
  if (output->overflow() == v1::OVERFLOW_POLICY_UNSPECIFIED) {
    output->set_overflow(proto->lifetime() == v1::LIFETIME_DETACHED
                             ? v1::OVERFLOW_POLICY_DROP_OLDEST
                             : v1::OVERFLOW_POLICY_BLOCK);
  }
  if (proto->cwd().empty() && proto->files_size() == 0) proto->set_cwd("/");
  if (proto->start_method() == v1::START_METHOD_UNSPECIFIED) {
    proto->set_start_method(v1::START_METHOD_SPAWN);
  }
  if (!proto->has_grace()) SetDuration(absl::Seconds(5), proto->mutable_grace());
}

absl::Status CheckLifetime(const v1::ProcessSpec& proto, bool has_session) {
  if (proto.lifetime() == v1::LIFETIME_SESSION && !has_session) {
    return Invalid("lifetime SESSION needs a session_id");
  }
  if (proto.lifetime() == v1::LIFETIME_DETACHED && proto.daemon()) {
    return Invalid("daemon needs lifetime SESSION: a DETACHED process has no program to end with");
  }
  return absl::OkStatus();
}

absl::Status CheckCap(const v1::OutputSpec& output) {
  if (output.cap_bytes() >= record::kMinCapBytes && output.cap_bytes() <= kMaxCapBytes) {
    return absl::OkStatus();
  }
  return Invalid(absl::StrCat("output.cap_bytes is ", output.cap_bytes(), ", must be ",
                              record::kMinCapBytes, " to ", kMaxCapBytes));
}

StartMethod StartMethodOf(v1::StartMethod method) {
  switch (method) {
    case v1::START_METHOD_FORKSERVER:
      return StartMethod::kForkserver;
    case v1::START_METHOD_FORK:
      return StartMethod::kFork;
    default:
      return StartMethod::kSpawn;
  }
}

// What came with the request is needed for the start alone, and would be stored and told for ever.
std::string WireOf(const v1::ProcessSpec& proto) {
  if (proto.files_size() == 0) return proto.SerializeAsString();
  v1::ProcessSpec kept = proto;
  for (v1::ShippedFile& file : *kept.mutable_files()) file.clear_data();
  return kept.SerializeAsString();
}

// The plain form of a spec whose defaults are filled in.
absl::StatusOr<std::shared_ptr<const Spec>> Build(const v1::ProcessSpec& proto) {
  auto spec = std::make_shared<Spec>();
  spec->argv.assign(proto.argv().begin(), proto.argv().end());
  spec->env.assign(proto.env().begin(), proto.env().end());
  spec->cwd = proto.cwd();
  spec->name = proto.name();
  spec->lifetime =
      proto.lifetime() == v1::LIFETIME_DETACHED ? Lifetime::kDetached : Lifetime::kSession;
  spec->daemon = proto.daemon();
  spec->keep_descendants = proto.descendants() == v1::DESCENDANT_POLICY_KEEP;
  spec->merge_stderr = proto.output().merge_stderr();
  spec->result_stream = proto.output().result();
  spec->forbid_children = proto.forbid_children();
  spec->drop_oldest = proto.output().overflow() == v1::OVERFLOW_POLICY_DROP_OLDEST;
  SHOAL_ASSIGN_OR_RETURN(spec->grace, ToDuration(proto.grace(), "grace"));
  if (proto.has_time_limit()) {
    SHOAL_ASSIGN_OR_RETURN(spec->time_limit, ToDuration(proto.time_limit(), "time_limit"));
    if (*spec->time_limit == absl::ZeroDuration()) {
      return Invalid("time_limit is zero: leave it out for no limit");
    }
  }
  spec->cap_bytes = proto.output().cap_bytes();
  spec->labels = Labels(proto.labels().begin(), proto.labels().end());
  spec->start_method = StartMethodOf(proto.start_method());
  spec->fork_of = proto.fork_of();
  if (proto.has_fork_wait()) {
    SHOAL_ASSIGN_OR_RETURN(spec->fork_wait, ToDuration(proto.fork_wait(), "fork_wait"));
  }
  for (const v1::ShippedFile& file : proto.files()) {
    spec->files.push_back({file.path(), file.sha256(), file.executable(), file.library()});
  }
  spec->wire = WireOf(proto);
  return std::shared_ptr<const Spec>(std::move(spec));
}

}  // namespace

SpecLimits LimitsOfThisProcess() {
  SpecLimits limits;
  rlimit stack{};
  if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur != RLIM_INFINITY) {
    limits.max_total_bytes = std::min<size_t>(limits.max_total_bytes, stack.rlim_cur / 4);
  }
  return limits;
}

absl::Status CheckName(absl::string_view name) {
  auto is_good = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  bool good = name.size() <= kMaxNameBytes && (name.empty() || name[0] != '.') &&
              std::all_of(name.begin(), name.end(), is_good);
  if (good) return absl::OkStatus();
  return Invalid(
      absl::StrCat("name ", Quoted(name), " must match [A-Za-z0-9._-]{1,128}, not start with '.'"));
}

absl::StatusOr<std::shared_ptr<const Spec>> ToSpec(const v1::ProcessSpec& proto, bool has_session,
                                                   const SpecLimits& limits) {
  SHOAL_RETURN_IF_ERROR(CheckFiles(proto));
  SHOAL_RETURN_IF_ERROR(CheckArguments(proto));
  SHOAL_RETURN_IF_ERROR(CheckEnvironment(proto));
  SHOAL_RETURN_IF_ERROR(CheckTotal(proto, limits));
  SHOAL_RETURN_IF_ERROR(CheckDirectory(proto.cwd()));
  SHOAL_RETURN_IF_ERROR(CheckName(proto.name()));
  SHOAL_RETURN_IF_ERROR(CheckEnums(proto));
  SHOAL_RETURN_IF_ERROR(CheckForkOf(proto));
  SHOAL_RETURN_IF_ERROR(CheckLabels(proto));
  v1::ProcessSpec filled = proto;
  FillInDefaults(has_session, &filled);
  SHOAL_RETURN_IF_ERROR(CheckLifetime(filled, has_session));
  SHOAL_RETURN_IF_ERROR(CheckCap(filled.output()));
  return Build(filled);
}

std::shared_ptr<const Spec> TemplateSpecOf(const Spec& spec, const std::vector<std::string>& argv) {
  const std::string told = absl::StrCat(fork_protocol::kTemplateVariable, "=1");
  v1::ProcessSpec whole;
  whole.ParseFromString(spec.wire);
  v1::ProcessSpec proto;
  proto.mutable_argv()->Assign(argv.begin(), argv.end());
  for (const std::string& variable : whole.env()) {
    if (!absl::StartsWith(variable, absl::StrCat(fork_protocol::kTemplateVariable, "="))) {
      proto.add_env(variable);
    }
  }
  proto.add_env(told);
  proto.set_cwd(whole.cwd());
  *proto.mutable_files() = whole.files();
  if (spec.start_method != StartMethod::kForkserver) *proto.mutable_labels() = whole.labels();
  FillInDefaults(/*has_session=*/false, &proto);
  return *Build(proto);  // cannot fail: it has no span of its own
}

std::shared_ptr<const InlineFiles> InlineFilesOf(const v1::ProcessSpec& proto) {
  InlineFiles contents;
  bool any = false;
  for (const v1::ShippedFile& file : proto.files()) {
    any = any || file.content_case() == v1::ShippedFile::kData;
    contents.push_back(file.data());
  }
  return any ? std::make_shared<const InlineFiles>(std::move(contents)) : nullptr;
}

absl::StatusOr<std::shared_ptr<const Spec>> SpecFromWire(absl::string_view wire) {
  v1::ProcessSpec proto;
  if (wire.size() > std::numeric_limits<int>::max() ||
      !proto.ParseFromArray(wire.data(), static_cast<int>(wire.size())) || proto.argv_size() == 0) {
    return absl::DataLossError("a stored ProcessSpec is damaged");
  }
  FillInDefaults(proto.lifetime() == v1::LIFETIME_SESSION, &proto);
  return Build(proto);
}

absl::Status CheckRanks(const v1::Ranks& ranks, absl::string_view name) {
  if (ranks.count() < 1 || ranks.count() > kMaxBatch) {
    return Invalid(absl::StrCat("ranks.count is ", ranks.count(), ", must be 1 to ", kMaxBatch));
  }
  if (ranks.first_rank() < 0 || ranks.host_rank() < 0) {
    return Invalid("ranks.first_rank and ranks.host_rank must not be negative");
  }
  int64_t end = int64_t{ranks.first_rank()} + ranks.count();
  if (ranks.world_size() < end) {
    return Invalid(absl::StrCat("ranks.world_size is ", ranks.world_size(),
                                ", but the ranks go to ", end - 1));
  }
  size_t longest = name.size() + 1 + absl::StrCat(end - 1).size();
  if (!name.empty() && longest > kMaxNameBytes) {
    return Invalid(
        absl::StrCat("name with its rank is ", longest, " bytes, limit ", kMaxNameBytes));
  }
  size_t bytes = 0;
  for (int i = 0; i < ranks.hosts_size(); ++i) {
    std::string field = absl::StrCat("ranks.hosts[", i, "]");
    SHOAL_RETURN_IF_ERROR(CheckNoNul(field, ranks.hosts(i)));
    bytes += ranks.hosts(i).size() + 1;
  }
  if (bytes > kMaxArgumentBytes - 32) {
    return Invalid(
        absl::StrCat("ranks.hosts are ", bytes, " bytes together, limit ", kMaxArgumentBytes - 32));
  }
  if (bytes * static_cast<size_t>(ranks.count()) > kMaxRankHostBytes) {
    return Invalid(absl::StrCat("ranks.hosts times ranks.count are ",
                                bytes * static_cast<size_t>(ranks.count()), " bytes, limit ",
                                kMaxRankHostBytes, ": spawn in several batches"));
  }
  return absl::OkStatus();
}

std::vector<std::string> RankEnvironment(const v1::Ranks& ranks, int index) {
  return {absl::StrCat("SHOAL_RANK=", ranks.first_rank() + index),
          absl::StrCat("SHOAL_WORLD_SIZE=", ranks.world_size()),
          absl::StrCat("SHOAL_LOCAL_RANK=", index),
          absl::StrCat("SHOAL_LOCAL_SIZE=", ranks.count()),
          absl::StrCat("SHOAL_HOST_RANK=", ranks.host_rank()),
          absl::StrCat("SHOAL_JOB_HOSTS=", absl::StrJoin(ranks.hosts(), ","))};
}

}  // namespace shoal::agent
