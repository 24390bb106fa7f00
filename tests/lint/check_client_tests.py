#!/usr/bin/env python3
"""Checks that what a user of the client types and reads has a test: check_client_tests.py ROOT.

Each name of each option of `shoal` stands in one literal, or one list of literals, with the name of its command. Each
piece of text of command line and library that has two words or more stands in a literal, or on the page of help texts,
whatever its lines.
Only tests below the level of processes count, and those in which a template of the fork protocol is played."""

import pathlib
import re
import sys

from sources import source_files

CLI, LIBRARY = "client/cli/", "client/shoal/"
TESTS = {CLI: ("tests/unit/cli/", "tests/rpc/cli/"),
         LIBRARY: ("tests/unit/client/", "tests/rpc/client/", "tests/unit/cli/", "tests/shim/fork/")}
# Text that no such test can bring about, and why.
UNREACHABLE = {
    "cannot tell the keeper of the leases": "wants a keeper that ends at once",
    "cannot start a keeper of the leases": "wants a program without descriptors or processes",
    "this command cannot be stopped here; its processes go on.": "wants a process group without a shell",
    "cannot open the lock ": "the directory was just found to be ours",
    "cannot lock ": "flock fails for want of kernel memory only",
    "cannot open ": "the directory was just found to be ours",
    "pipe2 for the agent's readiness": "wants a program without descriptors",
    "the agent that was started does not get ready; its log is ": "takes 20 s",
    "cannot signal the agent with PID ": "wants a process of another user",
    "interrupted before it was started": "wants an interrupt between the starts of two hosts",
    "no answer": "stands in a place that every answer overwrites",
    "the program has ended its processes: see EndProgram()": "ends the program of the tests, too",
    " could not be ended, such as ": "ends the program of the tests, too",
    "read of ": "a disk that fails",
    "stat of ": "of an open descriptor",
    "socket for the agent": "wants a program without descriptors",
    "fstat of the payload": "of an open descriptor",
    "reading the payload": "of a file that the agent has just written",
    " became shorter while it was sent": "wants a file that is cut at the right moment",
    "it cannot count its threads without /proc": "wants a machine without /proc",
    "eventfd for a sentinel": "wants a program without descriptors",
    "poll of the sentinels of its processes": "fails for want of kernel memory only",
    "bytes or a protobuf message": "said by the compiler",
    "a protobuf message; bytes are Result()": "said by the compiler",
    "shoal: ended at once; processes of this program that have not ended yet will be when its sessions lapse":
        "ends the program of the tests, too",
    "the name does not resolve: it has no address": "what the resolver finds has one",
    "the name does not resolve: no thread: ": "wants a program without threads",
    "thread for the signals of this program": "wants a program without threads",
    "cannot tell the working directory": "wants one that is gone",
    "; nothing more is passed on": "may come behind the end of the process; tests/system/terminal_test.cc reads it",
    " leaves it": "wants a terminal in raw mode; tests/system/terminal_test.cc reads it",
    "cannot read the terminal's modes": "of a descriptor that was found to be a terminal",
    "cannot set the terminal's modes": "of a terminal whose modes were just read",
    # As tests/unit/client/mistakes_test.py sees.
    "a process runs a function that is registered with SHOAL_REGISTER_FUNCTION, or Run() of a registered subclass: a lambda, another callable object or a member function cannot be found by another process, nor what it captures or belongs to":
        "said by the compiler",
    "the function of this process takes no argument":
        "said by the compiler",
    "the function of this process takes an argument: Process(function, argument, options)":
        "said by the compiler",
    "the function of a process takes one argument at most, and options: several values are put into one protobuf message":
        "said by the compiler",
    "the function of a process returns absl::Status, or absl::StatusOr of std::string or of a protobuf message":
        "said by the compiler",
    "the function of a process has one parameter at most: several values are put into one protobuf message":
        "said by the compiler",
    "the parameter of the function of a process is bytes (std::string, absl::string_view) or a protobuf message":
        "said by the compiler",
    "the argument is not what the function takes: bytes, or that protobuf message":
        "said by the compiler",
    "SHOAL_REGISTER_PROCESS is for a subclass of shoal::Process":
        "said by the compiler",
    "the subclass needs a constructor from ProcessOptions, since another process makes it anew: using Process::Process;":
        "said by the compiler",
    "SHOAL_REGISTER_FUNCTION is for a function: a lambda or another object cannot be found by another process":
        "said by the compiler",
}

TOKEN = re.compile(r'''
    (?P<comment> //[^\n]* | /\*.*?\*/ )
  | (?P<directive> \#\s*include[^\n]* )
  | (?P<character> '(?:\\.|[^'\\\n])+' )
  | R"(?P<mark>\w*)\((?P<raw>.*?)\)(?P=mark)"
  | "(?P<text>(?:\\.|[^"\\\n])*)"
  | (?P<space>\s+)
  | (?P<other>.)''', re.VERBOSE | re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
SENTENCE = re.compile(r"[A-Za-z]{2,}[,.:;)\"]* [(\"]?[A-Za-z]{2,}")
PRINTF = re.compile(r"%[sd]")
ASSEMBLER = re.compile(r"\s*\.[a-z]")
OPTION = re.compile(r'add_(?:option|flag)\(\s*"((?:--?[\w-]+,?)+)"')
COMMAND = re.compile(r'Add(?:Command|Verb)\(\s*[\w.]+,\s*(?:[\w.]+,\s*)?"(\w+)"')


def unescape(text):
    def meant(match):
        code = match.group(1)
        return chr(int(code[1:], 16)) if code[0] == "x" else ESCAPES.get(code, code)
    return re.sub(r"\\(x[0-9A-Fa-f]{1,2}|.)", meant, text, flags=re.DOTALL)


def literals(source):
    """The string literals of C++ text as they read when compiled: adjacent ones are one."""
    found, is_open = [], False
    for match in TOKEN.finditer(source):
        if match.group("raw") is not None or match.group("text") is not None:
            text = match.group("raw") if match.group("raw") is not None else unescape(match.group("text"))
            if is_open:
                found[-1] += text
            else:
                found.append(text)
            is_open = True
        elif not match.group("comment") and not match.group("space"):
            is_open = False
    return found


def command_lines(source):
    """What may be a command line in C++ text: a literal, and literals with commas between them as one line."""
    listed = re.sub(r'"\s*,\s*"', " ", source)
    return literals(source) + (literals(listed) if listed != source else [])


def options(sources):
    """(file, command or None for every command, name) of each option that is declared."""
    for name, text in sorted(sources.items()):
        commands = COMMAND.findall(text) or [None]
        for names in OPTION.findall(text):
            for option in names.split(","):
                yield name, commands, option


def has_option(line, commands, option):
    words = line.split()
    has = lambda word: any(w == word or (word.startswith("--") and w.startswith(word + "=")) for w in words)
    return has(option) and any(command is None or has(command) for command in commands)


def pieces(text):
    """Of each literal what stands between the directives of printf, if it is a sentence or a part of one."""
    for literal in literals(text):
        for piece in PRINTF.split(literal):
            if SENTENCE.search(piece) and not ASSEMBLER.match(piece):
                yield piece.strip("\n")


def unfolded(text):
    """A page of help in one line, as its texts are in the sources."""
    return re.sub(r"\s+", " ", text).strip()


def check(files, unreachable=UNREACHABLE):
    """Complaints about {path: text}, and how many options and pieces there are."""
    cli = {name: text for name, text in files.items() if name.startswith(CLI) and name.endswith((".h", ".cc"))}
    tests = {room: {name: text for name, text in files.items() if name.startswith(where)} for room, where in TESTS.items()}
    read = {room: "\0".join("\0".join([unfolded(text)] if name.endswith(".txt") else literals(text)) for name, text in there.items())
            for room, there in tests.items()}
    lines = [line for name, text in tests[CLI].items() if name.endswith(".cc") for line in command_lines(text)]
    found, count, said = [], 0, set()
    for name, commands, option in options(cli):
        count += 1
        if not any(has_option(line, commands, option) for line in lines):
            found.append(f"{name}: no test of {' or '.join(c or 'any command' for c in commands)} has the option {option}")
    for name, text in sorted(files.items()):
        if not name.startswith((CLI, LIBRARY)) or not name.endswith((".h", ".cc")):
            continue
        for piece in pieces(text):
            count += 1
            said.add(piece)
            texts = read[CLI if name.startswith(CLI) else LIBRARY]
            if piece not in texts and unfolded(piece) not in texts and piece not in unreachable:
                found.append(f"{name}: no test reads: {piece!r}")
    found += [f"is said nowhere any more: {piece!r}" for piece in unreachable if piece not in said]
    return found, count


def main():
    root = pathlib.Path(sys.argv[1])
    wanted = (CLI, LIBRARY, *{where for rooms in TESTS.values() for where in rooms})
    files = {name: (root / name).read_text(encoding="utf-8") for name in source_files(root, [".h", ".cc", "help.txt"])
             if name.startswith(wanted)}
    found, count = check(files)
    print("\n".join(found) if found else f"{count} options and pieces of text, each with a test")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
