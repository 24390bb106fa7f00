// Every logged call against every way in which it can be repeated.
#include <csignal>
#include <ostream>
#include <type_traits>

#include "agent/core/reason.h"
#include "common/ids.h"
#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

static_assert(std::is_base_of_v<LoggedCall, SpawnCommand>);
static_assert(std::is_base_of_v<LoggedCall, SignalCommand>);
static_assert(!std::is_base_of_v<LoggedCall, TerminateCommand>, "carried out by each repeat");

// What a call was answered, of whatever kind.
struct Answer {
  int calls = 0;
  std::string text;  // status and ids
};

std::string TextOf(const absl::Status& status) {
  return absl::StrCat(absl::StatusCodeToString(status.code()), " ", std::string(status.message()));
}

OutcomesCallback Bulk(std::shared_ptr<Answer> answer) {
  return [answer](absl::StatusOr<std::vector<Outcome>> outcomes) {
    ++answer->calls;
    answer->text = TextOf(outcomes.status());
    if (!outcomes.ok()) return;
    for (const Outcome& outcome : *outcomes) {
      absl::StrAppend(&answer->text, "; ", outcome.id, " ", TextOf(outcome.status));
    }
  };
}

// A call of one kind: what it does, and the same refused.
struct Kind {
  std::string name;
  void (*send)(World&, const LoggedCall&, bool refused, std::shared_ptr<Answer>);
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

template <typename Command>
Command Make(const LoggedCall& call) {
  return Command{call};
}

void SendSpawn(World& world, SpawnCommand command, std::shared_ptr<Answer> answer) {
  world.supervisor->Spawn(
      std::move(command), [answer](const std::vector<SpawnOutcome>& outcomes, bool) {
        ++answer->calls;
        answer->text = "";
        for (const SpawnOutcome& outcome : outcomes) {
          absl::StrAppend(&answer->text, TextOf(outcome.status), " ",
                          outcome.process == nullptr ? "" : outcome.process->id, "; ");
        }
      });
}

const Kind kKinds[] = {
    {"Spawn",
     [](World& world, const LoggedCall& call, bool refused, std::shared_ptr<Answer> answer) {
       SpawnCommand command = Detached(refused ? "web" : "new");
       static_cast<LoggedCall&>(command) = call;
       SendSpawn(world, std::move(command), answer);
     }},
    {"SpawnBatch",
     [](World& world, const LoggedCall& call, bool refused, std::shared_ptr<Answer> answer) {
       SpawnCommand command = Ranks(refused ? "rank" : "new", 3);
       static_cast<LoggedCall&>(command) = call;
       SendSpawn(world, std::move(command), answer);
     }},
    {"Signal",
     [](World& world, const LoggedCall& call, bool refused, std::shared_ptr<Answer> answer) {
       auto command = Make<SignalCommand>(call);
       command.selector = Term(refused ? "old" : "web");
       command.signal = SIGHUP;
       world.supervisor->Signal(command, Bulk(answer));
     }},
    {"SignalOfNothing",
     [](World& world, const LoggedCall& call, bool refused, std::shared_ptr<Answer> answer) {
       auto command = Make<SignalCommand>(call);
       command.selector = Term(refused ? "nothing" : "web");
       command.signal = SIGHUP;
       world.supervisor->Signal(command, Bulk(answer));
     }},
    {"Update",
     [](World& world, const LoggedCall& call, bool refused, std::shared_ptr<Answer> answer) {
       auto command = Make<UpdateCommand>(call);
       command.selector = Term(refused ? "old" : "web");
       command.set_labels = {{"a", "b"}};
       command.time_limit = absl::Hours(1);
       world.supervisor->Update(command, Bulk(answer));
     }},
    {"Delete",
     [](World& world, const LoggedCall& call, bool refused, std::shared_ptr<Answer> answer) {
       auto command = Make<DeleteCommand>(call);
       command.selector = Term(refused ? "web" : "old");
       world.supervisor->Delete(command, Bulk(answer));
     }},
    {"Open",
     [](World& world, const LoggedCall& call, bool, std::shared_ptr<Answer> answer) {
       OpenSessionCommand command = Opening("", absl::Hours(1));
       static_cast<LoggedCall&>(command) = call;
       world.supervisor->OpenSession(command, [answer](absl::StatusOr<const SessionEntry*> opened) {
         ++answer->calls;
         answer->text = opened.ok() ? (*opened)->token : TextOf(opened.status());
       });
     }},
    {"Takeover",
     [](World& world, const LoggedCall& call, bool refused, std::shared_ptr<Answer> answer) {
       auto command = Make<TakeoverCommand>(call);
       command.session_id =
           refused ? "NOSUCHSESSIONAAA" : world.supervisor->Sessions(PermitOf()).front()->id;
       world.supervisor->TakeOverSession(
           command, [answer](absl::StatusOr<const SessionEntry*> taken) {
             ++answer->calls;
             answer->text = taken.ok() ? (*taken)->token : TextOf(taken.status());
           });
     }},
    {"CreateTemplate",
     [](World& world, const LoggedCall& call, bool refused, std::shared_ptr<Answer> answer) {
       auto command = Make<CreateTemplateCommand>(call);
       auto spec = std::make_shared<Spec>();
       spec->argv = {refused ? "/bin/none" : "/bin/fresh"};
       command.wish.spec = spec;
       command.wish.idle_timeout = absl::Hours(1);
       world.supervisor->CreateTemplate(
           command, [answer](absl::StatusOr<const ProcessEntry*> made) {
             ++answer->calls;
             answer->text = made.ok() ? (*made)->id : TextOf(made.status());
           });
     }},
    {"DeleteTemplates",
     [](World& world, const LoggedCall& call, bool refused, std::shared_ptr<Answer> answer) {
       auto command = Make<DeleteTemplatesCommand>(call);
       command.terms = {refused ? "web" : "warm-template"};
       world.supervisor->DeleteTemplates(command, Bulk(answer));
     }},
};

// "web" and "rank.1" run, "old" is over, "warm-template" is warm; and one call to try.
class Scene {
 public:
  explicit Scene(const Kind& kind) : kind_(kind) {
    world.shims.versions["/bin/none"] = "";
    world.Run(Detached("web", "w"));
    world.Run(Detached("rank.1", "k"));
    world.shims.End(world.Run(Detached("old", "o")), 0);
    auto spec = std::make_shared<Spec>();
    spec->argv = {"/bin/warm"};
    CreateTemplateCommand create{{PermitOf()}};
    create.request_id = "t";
    create.wish = {"", spec, nullptr, absl::Hours(1)};
    world.supervisor->CreateTemplate(create, [](absl::StatusOr<const ProcessEntry*>) {});
    Settle();
    if (kind.name == "Takeover") world.OpenSession(absl::Hours(1));
  }

  // What shims do by themselves.
  void Settle() {
    world.Turn();
    world.shims.StartAll();
    world.Turn();
    for (const ProcessEntry* process : world.supervisor->Templates(PermitOf())) {
      const std::string id = process->id;
      if (world.shims.SlotOf(id).agent.terminate_serial != 0) {
        world.shims.BeginEnd(id);
        world.shims.End(id, 0);
      } else if (!world.supervisor->OffersForks(*process)) {
        world.shims.Offer(id);
      }
      world.Turn();
    }
  }

  std::string Send(bool refused = false, const std::string& fingerprint = "same",
                   const std::string& owner = kOwner) {
    return SendOf(kind_, refused, fingerprint, owner);
  }
  std::string SendOf(const Kind& kind, bool refused, const std::string& fingerprint,
                     const std::string& owner) {
    auto answer = std::make_shared<Answer>();
    const LoggedCall call{.permit = PermitOf(owner), .request_id = "r", .fingerprint = fingerprint};
    kind.send(world, call, refused, answer);
    Settle();
    EXPECT_EQ(answer->calls, 1) << kind.name;
    return answer->text;
  }

  // Everything that a call could do twice.
  std::string Done() {
    const ProcessEntry* web = world.Select(Term("web"))->front();
    int processes = 0;
    world.supervisor->ForEachFrom(PermitOf(), "",
                                  [&](const ProcessEntry&) { return ++processes > 0; });
    std::string tokens;
    for (const SessionEntry* session : world.supervisor->Sessions(PermitOf())) {
      absl::StrAppend(&tokens, " ", session->token);
    }
    return absl::StrCat(world.shims.starts().size(), " starts, ", world.shims.signals().size(),
                        " signals, ", world.supervisor->Sessions(PermitOf()).size(),
                        " sessions:", tokens, ", ", world.supervisor->Templates(PermitOf()).size(),
                        " templates, ", processes, " processes, woken ",
                        world.shims.SlotOf(web->id).wakes, ", labels ", web->labels.size());
  }

  World world;

 private:
  const Kind kind_;
};

class RepeatTest : public ::testing::TestWithParam<Kind> {
 protected:
  bool Is(const std::string& name) const { return GetParam().name.find(name) == 0; }
};

TEST_P(RepeatTest, OfASuccessIsAnsweredAlikeAndDoesNothingAlsoAfterARestart) {
  Scene scene(GetParam());
  const std::string before = scene.Done();
  const std::string first = scene.Send();
  EXPECT_THAT(first, Not(HasSubstr("PRECONDITION")));
  EXPECT_NE(scene.Done(), before);
  for (bool restarted : {false, true}) {
    if (restarted) scene.world.Restart();
    scene.Settle();
    const std::string done = scene.Done();
    EXPECT_EQ(scene.Send(), first) << restarted;
    EXPECT_EQ(scene.Done(), done) << restarted;
  }
}

// The core refuses no Open, so this has the others.
class RefusalTest : public ::testing::TestWithParam<Kind> {};

TEST_P(RefusalTest, IsTheSameWhenRepeatedAlsoAfterARestart) {
  Scene scene(GetParam());
  const std::string first = scene.Send(/*refused=*/true);
  EXPECT_THAT(first, AnyOf(HasSubstr("FAILED_PRECONDITION"), HasSubstr("NOT_FOUND"),
                           HasSubstr("ALREADY_EXISTS")));
  for (bool restarted : {false, true}) {
    if (restarted) scene.world.Restart();
    scene.Settle();
    const std::string done = scene.Done();
    EXPECT_EQ(scene.Send(/*refused=*/true), first) << restarted;
    EXPECT_EQ(scene.Done(), done) << restarted;
  }
}

TEST_P(RepeatTest, AfterAFailedCommitIsCarriedOut) {
  Scene scene(GetParam());
  const std::string before = scene.Done();
  scene.world.store.FailNext(absl::UnavailableError("disk"));
  const std::string first = scene.Send();
  // The end of a template is asked for also on a full disk.
  if (!Is("DeleteTemplates")) {
    EXPECT_THAT(first, HasSubstr("UNAVAILABLE"));
    EXPECT_EQ(scene.Done(), before);
  }
  EXPECT_FALSE(scene.world.store.requests().contains({kOwner, "r"}));
  const std::string repeat = scene.Send();
  EXPECT_THAT(repeat, Not(HasSubstr("UNAVAILABLE")));
  EXPECT_NE(scene.Done(), before);
  scene.world.Restart();
  scene.Settle();
  EXPECT_EQ(scene.Send(), repeat);
}

TEST_P(RepeatTest, WithAnotherRequestOrOfAnotherKindIsRefused) {
  Scene scene(GetParam());
  scene.Send();
  const std::string done = scene.Done();
  EXPECT_THAT(scene.Send(false, "other"), HasSubstr("ALREADY_EXISTS request_id reused with a"));
  const Kind& other = Is("Update") ? kKinds[2] : kKinds[4];
  EXPECT_THAT(scene.SendOf(other, false, "same", kOwner),
              HasSubstr("ALREADY_EXISTS request_id reused by another call ("));
  EXPECT_EQ(scene.Done(), done);
}

TEST_P(RepeatTest, ByAnotherOwnerIsAnotherCall) {
  Scene scene(GetParam());
  scene.Send();
  EXPECT_THAT(scene.Send(false, "other", "uid:2"), Not(HasSubstr("reused with a")));
}

TEST_P(RepeatTest, AfterAKillAtEachStepDoesItOnceOrSaysThatItIsUnknown) {
  bool was_killed = true;
  for (int step = 1; was_killed; ++step) {
    ASSERT_LT(step, 100);
    Scene scene(GetParam());
    World& world = scene.world;
    was_killed = false;
    world.crash.Arm(step);
    try {
      scene.Send();
    } catch (const Crash&) {
      was_killed = true;
      world.Restart();
    }
    world.crash.Arm(0);
    scene.Settle();
    const std::string text = scene.Send();
    const bool is_unknown = text.find("OUTCOME_UNKNOWN") != std::string::npos;
    EXPECT_TRUE(Is("Signal") || !is_unknown) << step << ": " << text;
    if (Is("Update")) {
      const ProcessEntry* web = world.Select(Term("web"))->front();
      EXPECT_NE(world.shims.SlotOf(web->id).agent.time_limit_ns, 0) << "its shim knows, " << step;
    }
    EXPECT_EQ(scene.Send(), text) << step;
    const size_t sent = world.shims.signals().size();
    EXPECT_LE(sent, 1u) << step;
    EXPECT_EQ(sent, Is("Signal") && !is_unknown ? 1u : sent) << step;
    EXPECT_LE(world.supervisor->Sessions(PermitOf()).size(), 1u) << step;
  }
}

std::vector<Kind> KindsThatAreRefused() {
  std::vector<Kind> kinds;
  for (const Kind& kind : kKinds) {
    if (kind.name != "Open") kinds.push_back(kind);
  }
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(Calls, RefusalTest, ::testing::ValuesIn(KindsThatAreRefused()),
                         [](const auto& kind) { return kind.param.name; });
INSTANTIATE_TEST_SUITE_P(Calls, RepeatTest, ::testing::ValuesIn(kKinds),
                         [](const auto& kind) { return kind.param.name; });

// An OUTCOME_UNKNOWN, in its own words.
TEST(SignalTest, AnIntentWithoutAnOutcomeIsNeverSentAgain) {
  World world;
  world.Run(Detached("web", "w"));
  world.crash.Arm(3);  // before the commit, after it, sent
  EXPECT_THROW(world.Signal(Term("web"), SIGHUP, "s"), Crash);
  world.Restart();
  ASSERT_THAT(world.shims.signals(), ::testing::IsEmpty());
  const absl::Status repeat = world.Signal(Term("web"), SIGHUP, "s")->status;
  EXPECT_EQ(repeat.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(repeat.GetPayload(kReasonPayload), kReasonOutcomeUnknown);
  EXPECT_THAT(world.shims.signals(), ::testing::IsEmpty());
}

TEST(SignalTest, AnOutcomeWhoseCommitFailedIsKnownAndSavedLater) {
  World world;
  world.Run(Detached("web", "w"));
  world.store.FailNext(absl::OkStatus());
  world.store.FailNext(absl::UnavailableError("disk"));
  EXPECT_TRUE(world.Signal(Term("web"), SIGHUP, "s")->outcomes.at(0).second.ok());
  EXPECT_TRUE(world.Signal(Term("web"), SIGHUP, "s")->outcomes.at(0).second.ok());
  EXPECT_FALSE(world.store.requests().at({kOwner, "s"}).is_decided);
  world.scheduler.Advance(absl::Seconds(5));
  world.Restart();
  EXPECT_TRUE(world.Signal(Term("web"), SIGHUP, "s")->outcomes.at(0).second.ok());
  EXPECT_THAT(world.shims.signals(), SizeIs(1));
}

TEST(SpawnLogTest, WhatAnAgentWithoutALogStartedIsNotStartedAgain) {
  World world;
  SpawnCommand command = Detached("web", "w");
  world.Run(command);
  const SessionEntry session = world.OpenSession(absl::Hours(1), "open");
  world.store.DropRequests();
  world.Restart();
  auto repeat = world.Spawn(command);
  EXPECT_EQ(world.OpenSession(absl::Hours(1), "open").id, session.id);
  EXPECT_TRUE(repeat->replayed);
  EXPECT_THAT(world.shims.starts(), SizeIs(1));
  EXPECT_THAT(world.store.requests(), SizeIs(2));
}

// What a short process of `run` leaves.
TEST(SpawnLogTest, ManyShortProcessesOfASessionLeaveABoundedLogAndNoneRunsTwice) {
  World world;
  world.options.requests.rows_per_owner = 50;
  world.options.retention_count = 20;
  world.Restart();
  const SessionEntry session = world.OpenSession(absl::Hours(1));
  std::vector<SpawnCommand> commands;
  for (int i = 0; i < 300; ++i) {
    world.clock.Advance(absl::Milliseconds(1));
    commands.push_back(InSession(session, absl::StrCat("p", i), NewRequestIdAt(world.clock.Now())));
    world.shims.End(world.Run(commands.back()), 0);
    world.Turn();
    EXPECT_LE(world.store.requests().size(), 51u);
  }
  for (bool restarted : {false, true}) {
    if (restarted) world.Restart();
    for (const SpawnCommand& command : commands) world.Spawn(command);
    world.Turn();
    EXPECT_THAT(world.shims.starts(), SizeIs(300));
  }
}

}  // namespace
}  // namespace shoal::agent
