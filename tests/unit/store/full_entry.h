// A process of which every field is set, and what makes two of them the same.
#ifndef SHOAL_TESTS_UNIT_STORE_FULL_ENTRY_H_
#define SHOAL_TESTS_UNIT_STORE_FULL_ENTRY_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "tests/unit/store/store_fixture.h"

namespace shoal::agent {

inline absl::Time At(int64_t nanos) {
  return absl::FromUnixNanos(1'700'000'000'000'000'000 + nanos);
}

inline ProcessEntry FullEntry() {
  ProcessEntry p = EntryOf("AAAAAAAAAAAAAAAA");
  p.rank = 7;
  p.request_index = 3;
  p.fingerprint = std::string("\xff\x00\x01", 3);
  p.create_time = At(1);
  p.session_id = "SSSSSSSSSSSSSSSS";
  p.lifetime = Lifetime::kDetached;
  p.labels = {{"a", "1"}, {"b", "\xff"}};
  p.state = State::kExited;
  p.pid = 4711;
  p.start_ticks = 0xffffffffffffffffULL;
  p.slot = 12;
  p.start_time = At(2);
  p.exit_time = At(3);
  p.empty_time = At(4);
  p.forget_time = At(99);
  p.exit = Exit{.code = 0,
                .signal = 9,
                .core_dumped = true,
                .cause = Cause::kShimLost,
                .requested_by = "uid:0",
                .unknown_detail = "detail",
                .usage = {1, 2, 3, 4, 5, 6, 7},
                .stderr_tail = std::string("tail\0\xfe", 6)};
  p.start_failure = StartFailure{"execve", 2, "No such file"};
  p.termination = Termination{.requested_by = "uid:2",
                              .cause = Cause::kSessionExpired,
                              .request_time = At(5),
                              .signal = 15,
                              .grace = absl::Seconds(5) + absl::Nanoseconds(1),
                              .kill_time = At(6)};
  p.descendants = Descendants{.members = {{13, "\xfe", ""}, {14, "c", ""}},
                              .count = 20,
                              .signal = 15,
                              .signal_time = At(10),
                              .kill_time = At(11)};
  p.tree_empty = true;
  p.output_complete = true;
  p.streams = {{{1, 2}, {3, 4}, {5, 6}}};
  p.segment_bytes = 12345;
  p.flags = kFlagEscalated | kFlagNoCgroup;
  p.survivors = {{11, "\xff", "nfs_wait"}, {12, "b", ""}};
  p.signals = {{1, "uid:3", At(7)}, {2, "uid:4", At(8)}};
  p.revision = 99;
  p.forked_from = "PPPPPPPPPPPPPPPP";
  p.template_facts = TemplateFacts{.key = "/bin/sim\xff",
                                   .version = "1:2",
                                   .idle_timeout = absl::Seconds(9),
                                   .forks = 12,
                                   .last_use = At(9)};
  return p;
}

inline void ExpectSameIdentity(const ProcessEntry& a, const ProcessEntry& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.spec->wire, b.spec->wire);
  EXPECT_EQ(a.spec->env, b.spec->env);
  EXPECT_EQ(a.rank, b.rank);
  EXPECT_EQ(a.owner, b.owner);
  EXPECT_EQ(a.request_id, b.request_id);
  EXPECT_EQ(a.request_index, b.request_index);
  EXPECT_EQ(a.fingerprint, b.fingerprint);
  EXPECT_EQ(a.boot_id, b.boot_id);
  EXPECT_EQ(a.create_time, b.create_time);
  EXPECT_EQ(a.session_id, b.session_id);
  EXPECT_EQ(a.lifetime, b.lifetime);
  EXPECT_EQ(a.labels, b.labels);
}

inline void ExpectSameExit(const Exit& a, const Exit& b) {
  EXPECT_EQ(a.code, b.code);
  EXPECT_EQ(a.signal, b.signal);
  EXPECT_EQ(a.core_dumped, b.core_dumped);
  EXPECT_EQ(a.cause, b.cause);
  EXPECT_EQ(a.requested_by, b.requested_by);
  EXPECT_EQ(a.unknown_detail, b.unknown_detail);
  EXPECT_EQ(memcmp(&a.usage, &b.usage, sizeof(a.usage)), 0);
  EXPECT_EQ(a.stderr_tail, b.stderr_tail);
}

inline void ExpectSameEvents(const ProcessEntry& a, const ProcessEntry& b) {
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.pid, b.pid);
  EXPECT_EQ(a.start_ticks, b.start_ticks);
  EXPECT_EQ(a.slot, b.slot);
  EXPECT_EQ(a.start_time, b.start_time);
  EXPECT_EQ(a.exit_time, b.exit_time);
  EXPECT_EQ(a.empty_time, b.empty_time);
  EXPECT_EQ(a.forget_time, b.forget_time);
  ASSERT_EQ(a.exit.has_value(), b.exit.has_value());
  if (a.exit) ExpectSameExit(*a.exit, *b.exit);
  ASSERT_EQ(a.start_failure.has_value(), b.start_failure.has_value());
  if (a.start_failure) {
    EXPECT_EQ(a.start_failure->stage, b.start_failure->stage);
    EXPECT_EQ(a.start_failure->error_number, b.start_failure->error_number);
    EXPECT_EQ(a.start_failure->message, b.start_failure->message);
  }
  ASSERT_EQ(a.termination.has_value(), b.termination.has_value());
  if (a.termination) {
    EXPECT_EQ(a.termination->requested_by, b.termination->requested_by);
    EXPECT_EQ(a.termination->cause, b.termination->cause);
    EXPECT_EQ(a.termination->request_time, b.termination->request_time);
    EXPECT_EQ(a.termination->signal, b.termination->signal);
    EXPECT_EQ(a.termination->grace, b.termination->grace);
    EXPECT_EQ(a.termination->kill_time, b.termination->kill_time);
  }
}

inline void ExpectSameRest(const ProcessEntry& a, const ProcessEntry& b) {
  EXPECT_EQ(a.descendants, b.descendants);
  EXPECT_EQ(a.tree_empty, b.tree_empty);
  EXPECT_EQ(a.output_complete, b.output_complete);
  EXPECT_EQ(memcmp(&a.streams, &b.streams, sizeof(a.streams)), 0);
  EXPECT_EQ(a.segment_bytes, b.segment_bytes);
  EXPECT_EQ(a.flags, b.flags);
  EXPECT_EQ(a.revision, b.revision);
  EXPECT_EQ(a.forked_from, b.forked_from);
  ASSERT_EQ(a.template_facts.has_value(), b.template_facts.has_value());
  if (a.template_facts) {
    EXPECT_EQ(a.template_facts->key, b.template_facts->key);
    EXPECT_EQ(a.template_facts->version, b.template_facts->version);
    EXPECT_EQ(a.template_facts->idle_timeout, b.template_facts->idle_timeout);
    EXPECT_EQ(a.template_facts->forks, b.template_facts->forks);
    EXPECT_EQ(a.template_facts->last_use, b.template_facts->last_use);
  }
  ASSERT_EQ(a.survivors.size(), b.survivors.size());
  for (size_t i = 0; i < a.survivors.size(); ++i) {
    EXPECT_EQ(a.survivors[i].pid, b.survivors[i].pid);
    EXPECT_EQ(a.survivors[i].command, b.survivors[i].command);
    EXPECT_EQ(a.survivors[i].wait_channel, b.survivors[i].wait_channel);
  }
  ASSERT_EQ(a.signals.size(), b.signals.size());
  for (size_t i = 0; i < a.signals.size(); ++i) {
    EXPECT_EQ(a.signals[i].signal, b.signals[i].signal);
    EXPECT_EQ(a.signals[i].requested_by, b.signals[i].requested_by);
    EXPECT_EQ(a.signals[i].time, b.signals[i].time);
  }
}

inline void ExpectSame(const ProcessEntry& a, const ProcessEntry& b) {
  ExpectSameIdentity(a, b);
  ExpectSameEvents(a, b);
  ExpectSameRest(a, b);
}

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_UNIT_STORE_FULL_ENTRY_H_
