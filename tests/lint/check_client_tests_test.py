#!/usr/bin/env python3
"""Shows that check_client_tests.py finds what it is to find."""

import unittest

from check_client_tests import check, literals

PS = '''
  CLI::App* command = AddCommand(parser, "ps", "List processes", "  shoal ps");
  command->add_flag("-a,--all", arguments->all, "Ended ones, too");
  std::fprintf(stderr, "shoal: %s: connected again, rank %d of it\\n", name, rank);
'''
SHARED = 'command\n    ->add_option(\n        "--grace", options->grace,\n        "Until it is killed");\n'
LIBRARY = 'return absl::NotFoundError(absl::StrCat("no host has a ", what));\n'
TEST = '''
  Shoal("ps -a"); RunCommand({"ps", "--all"});
  Shoal("run --grace=5s");
  EXPECT_EQ(err, "shoal: ant: connected "  // where it was
                 "again, rank 3 of it\\n");
'''
PAGE = "$ shoal ps --help\nList processes\n  shoal ps\n  -a,--all  Ended ones, too\n  --grace  Until it is killed\n"


def complaints(unreachable=None, **changed):
    files = {"ps": ("client/cli/ps.cc", PS), "shared": ("client/cli/job_options.cc", SHARED),
             "library": ("client/shoal/placement.cc", LIBRARY),
             "cli_test": ("tests/unit/cli/ps_test.cc", TEST), "page": ("tests/unit/cli/help.txt", PAGE),
             "library_test": ("tests/unit/client/placement_test.cc", 'EXPECT_EQ(text, "no host has a slot");')}
    return check({path: changed.get(key, text) for key, (path, text) in files.items()}, unreachable or {})[0]


class CheckClientTests(unittest.TestCase):
    def test_what_has_its_tests_passes(self):
        self.assertEqual(complaints(), [])

    def test_an_option_without_a_test_is_found_by_each_of_its_names(self):
        self.assertEqual(complaints(cli_test=TEST.replace("ps -a", "ps")),
                         ["client/cli/ps.cc: no test of ps has the option -a"])
        self.assertEqual(complaints(cli_test=TEST.replace("--grace=5s", "--graceful")),
                         ["client/cli/job_options.cc: no test of any command has the option --grace"])

    def test_an_option_of_another_command_does_not_count(self):
        self.assertEqual(complaints(cli_test=TEST.replace('{"ps", "--all"}', '{"why", "--all"}')),
                         ["client/cli/ps.cc: no test of ps has the option --all"])

    def test_an_option_in_a_comment_does_not_count(self):
        self.assertEqual(complaints(cli_test=TEST.replace('Shoal("ps -a");', '// Shoal("ps -a");\n')),
                         ["client/cli/ps.cc: no test of ps has the option -a"])

    def test_text_that_no_test_reads_is_found_between_the_directives_of_printf(self):
        self.assertEqual(complaints(cli_test=TEST.replace("again, rank", "again; rank")),
                         ["client/cli/ps.cc: no test reads: ': connected again, rank '"])
        self.assertEqual(complaints(page=PAGE.replace("Ended ones, too", "")),
                         ["client/cli/ps.cc: no test reads: 'Ended ones, too'"])

    def test_text_of_the_library_may_be_read_through_the_command_line_but_not_the_other_way_round(self):
        self.assertEqual(complaints(library_test="", cli_test=TEST + '"no host has a core"'), [])
        self.assertEqual(complaints(shared=SHARED + LIBRARY),
                         ["client/cli/job_options.cc: no test reads: 'no host has a '"])

    def test_what_is_unreachable_is_still_said(self):
        self.assertEqual(complaints(unreachable={"no host has a ": "why"}, library_test=""), [])
        self.assertEqual(complaints(unreachable={"no host had a ": "why"}),
                         ["is said nowhere any more: 'no host had a '"])

    def test_literals_are_read_as_a_compiler_reads_them(self):
        self.assertEqual(literals('f("a\\n" /* "b" */\n  "c\\"\\x41", \'"\', R"x(d"\\n)x"); // "e"'), ['a\nc"A', 'd"\\n'])


if __name__ == "__main__":
    unittest.main()
