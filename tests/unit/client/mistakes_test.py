#!/usr/bin/env python3
"""mistakes_test.py INCLUDES FLAGS COMPILER…: each of the commonest mistakes with a Process is one error of the
compiler, with a sentence that says what to do. What is right compiles."""

import os
import re
import subprocess
import sys
import tempfile

HEAD = """
#include <memory>
#include <string>
#include "shoal/shoal.h"
absl::StatusOr<std::string> Greet(const std::string& name) { return name; }
absl::StatusOr<std::string> Read(absl::string_view name) { return std::string(name); }
absl::Status Note(std::string) { return absl::OkStatus(); }
absl::Status Idle() { return absl::OkStatus(); }
absl::Status Number(int) { return absl::OkStatus(); }
absl::Status Two(const std::string&, const std::string&) { return absl::OkStatus(); }
void Nothing() {}
int Count(const std::string&) { return 1; }
struct Object { absl::Status Work(); };
class Own : public shoal::Process { public: using Process::Process; };
class Unmade : public shoal::Process {};
shoal::ProcessOptions options;
const std::string name = "x";
int captured = 0;
"""

RIGHT = """
void Right() {
  shoal::Process a(Greet, "x"), b(Idle), c(Idle, {.name = "x"}), d(Greet, "x", {.name = "y"}), e(Greet, name, options);
  shoal::Process f(Idle, options), g(options), h({.command = {"x"}}), i, j(&Read, absl::string_view("x"));
  Own k, l(options), m({.name = "x"});
  auto n = std::make_unique<shoal::Process>(Greet, name, std::move(options));
}
"""

FUNCTION = "a process runs a function that is registered with SHOAL_REGISTER_FUNCTION, or Run()"
# What is wrong, and the sentence about it. No two cases may instantiate the same, of which there is one error.
CASES = [
    ("shoal::Process process([&] { return captured == 0 ? absl::OkStatus() : absl::UnknownError(\"\"); });", FUNCTION),
    ("shoal::Process process([](const std::string&) { return absl::OkStatus(); }, \"x\", options);", FUNCTION),
    ("shoal::Process process(&Object::Work);", FUNCTION),
    ("shoal::Process process(Greet, {.name = \"x\"});", "the function of this process takes an argument"),
    ("shoal::Process process(Note);", "the function of this process takes an argument"),
    ("shoal::Process process(Idle, \"x\");", "the function of this process takes no argument"),
    ("shoal::Process process(Greet, 12);", "the argument is not what the function takes"),
    ("shoal::Process process(Read, \"x\", \"y\");", "takes one argument at most, and options"),
    ("shoal::Process process(Two, \"x\", \"y\");", "has one parameter at most"),
    ("shoal::Process process(Number, 12);", "the parameter of the function of a process is bytes"),
    ("shoal::Process process(Nothing);", "the function of a process returns absl::Status"),
    ("shoal::Process process(Count, \"x\");", "the function of a process returns absl::Status"),
]
REGISTERED = [
    ("auto lambda = [] { return absl::OkStatus(); }; SHOAL_REGISTER_FUNCTION(lambda);",
     "SHOAL_REGISTER_FUNCTION is for a function: a lambda or another object cannot be found by another process"),
    ("SHOAL_REGISTER_FUNCTION(Two);", "has one parameter at most"),
    ("SHOAL_REGISTER_PROCESS(Object);", "is for a subclass of shoal::Process"),
    ("SHOAL_REGISTER_PROCESS(Unmade);", "the subclass needs a constructor from ProcessOptions"),
]


def errors_of(command, text, directory):
    source = os.path.join(directory, "mistakes.cc")
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    output = subprocess.run(command + [source], stderr=subprocess.PIPE, text=True, check=False).stderr
    # GCC's "required from here" and clang's note come after the error, or before.
    return [line for line in output.splitlines() if re.search(r"\berror: ", line)]


def main():
    includes, *compiler = sys.argv[1:]
    command = compiler + ["-std=c++20", "-fsyntax-only", *("-I" + path for path in includes.split(":"))]
    text = HEAD + RIGHT
    wanted = []
    for number, (line, sentence) in enumerate(CASES):
        text += f"void Wrong{number}() {{ {line} }}\n"
        wanted.append(sentence)
    for line, sentence in REGISTERED:
        text += line + "\n"
        wanted.append(sentence)
    with tempfile.TemporaryDirectory() as directory:
        right = errors_of(command, HEAD + RIGHT, directory)
        errors = errors_of(command, text, directory)
    complaints = right[:]
    left = errors[:]
    for sentence in wanted:
        found = next((error for error in left if sentence in error), None)
        if found is None:
            complaints.append(f"no error says: {sentence}")
        else:
            left.remove(found)
    complaints += [f"besides: {error}" for error in left]
    print("\n".join(complaints) if complaints else f"{len(wanted)} mistakes have a sentence each")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
