#include "common/man_page.h"

#include <cstdint>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "common/help_page.h"

namespace shoal {
namespace {

// The code point that begins at `*at`, which is moved behind it; of what is no UTF-8 a byte.
uint32_t TakeCodePoint(absl::string_view text, size_t* at) {
  const auto first = static_cast<unsigned char>(text[*at]);
  ++*at;
  if (first < 0xC0) return first;
  uint32_t code = first < 0xE0 ? first & 0x1Fu : first < 0xF0 ? first & 0x0Fu : first & 0x07u;
  while (*at < text.size() && (static_cast<unsigned char>(text[*at]) & 0xC0) == 0x80) {
    code = code << 6 | (static_cast<unsigned char>(text[*at]) & 0x3Fu);
    ++*at;
  }
  return code;
}

// Text that roff prints as it is, whatever stands in it, in one line.
std::string Plain(absl::string_view text) {
  std::string plain = "\\&";
  for (size_t at = 0; at < text.size();) {
    const uint32_t code = TakeCodePoint(text, &at);
    switch (code) {
      case '\\':
        plain += "\\e";
        break;
      case '-':
        plain += "\\-";
        break;
      case '\'':
        plain += "\\(aq";
        break;
      case '`':
        plain += "\\(ga";
        break;
      case '^':
        plain += "\\(ha";
        break;
      case '~':
        plain += "\\(ti";
        break;
      case '"':
        plain += "\\(dq";
        break;
      default:
        if (code < 0x80) {
          plain += static_cast<char>(code);
        } else {
          absl::StrAppendFormat(&plain, "\\[u%04X]", code);
        }
    }
  }
  return plain;
}

void Heading(absl::string_view title, std::string* page) {
  absl::StrAppend(page, ".SH ", Plain(absl::AsciiStrToUpper(title)).substr(2), "\n");
}

// A paragraph behind a bold or otherwise marked `tag`.
void Tagged(absl::string_view tag, absl::string_view text, std::string* page) {
  absl::StrAppend(page, ".TP\n", tag, "\n", Plain(text), "\n");
}

std::string OptionTag(const CLI::Option& option) {
  if (option.get_positional()) {
    const bool many = option.get_expected_max() >= CLI::detail::expected_max_vector_size;
    return absl::StrCat("\\fI", Plain(absl::StrCat(Placeholder(option), many ? "…" : "")), "\\fR");
  }
  const std::string names = absl::StrReplaceAll(option.get_name(false, true), {{",", ", "}});
  std::string tag = absl::StrCat("\\fB", Plain(names), "\\fR");
  const std::string value = Placeholder(option);
  if (!value.empty()) absl::StrAppend(&tag, " \\fI", Plain(value), "\\fR");
  return tag;
}

void Options(const CLI::App& command, bool are_positional, absl::string_view title,
             std::string* page) {
  const std::vector<const CLI::Option*> options =
      command.get_options([&](const CLI::Option* option) {
        return option->get_positional() == are_positional &&
               (are_positional || !option->get_group().empty());
      });
  if (options.empty()) return;
  if (!title.empty()) Heading(title, page);
  for (const CLI::Option* option : options) {
    Tagged(OptionTag(*option), OptionText(*option), page);
  }
}

void Synopsis(const CLI::App& command, absl::string_view typed, std::string* page) {
  absl::StrAppend(page, "\\fB", Plain(typed), "\\fR ", Plain(UsageWords(command)), "\n");
}

// Commands with pages of their own are named, those of a page like that of `shoal agent` told whole.
void Commands(const CLI::App& command, const ManPageHead& head, std::string* page) {
  const std::vector<const CLI::App*> commands = ListedCommands(command);
  if (commands.empty()) return;
  Heading("Commands", page);
  for (const CLI::App* sub : commands) {
    if (command.get_parent() == nullptr) {
      Tagged(absl::StrCat("\\fB", Plain(absl::StrCat(head.name, "-", sub->get_name())), "\\fR(1)"),
             sub->get_description(), page);
      continue;
    }
    const std::string typed = absl::StrCat(head.command, " ", sub->get_name());
    absl::StrAppend(page, ".SS ", Plain(typed).substr(2), "\n");
    Synopsis(*sub, typed, page);
    absl::StrAppend(page, ".PP\n", Plain(sub->get_description()), "\n");
    Options(*sub, /*are_positional=*/true, "", page);
    Options(*sub, /*are_positional=*/false, "", page);
  }
}

void Footer(const CLI::App& command, std::string* page) {
  for (const HelpSection& section : FooterSections(command)) {
    Heading(section.title, page);
    std::string text = section.text;
    if (!text.empty()) {
      text[0] = absl::ascii_toupper(static_cast<unsigned char>(text[0]));  // no title in front
      absl::StrAppend(page, Plain(text), "\n");
    }
    if (section.lines.empty()) continue;
    if (!section.text.empty()) absl::StrAppend(page, ".PP\n");
    absl::StrAppend(page, ".nf\n");
    for (const std::string& line : section.lines) absl::StrAppend(page, Plain(line), "\n");
    absl::StrAppend(page, ".fi\n");
  }
}

}  // namespace

std::string ManPage(const CLI::App& command, const ManPageHead& head) {
  std::string page = absl::StrCat(".TH ", Plain(absl::AsciiStrToUpper(head.name)).substr(2), " ",
                                  head.section, " ", head.date, " \"", head.version, "\" Shoal\n");
  Heading("Name", &page);
  absl::StrAppend(&page, Plain(head.name).substr(2), " \\- ", Plain(command.get_description()),
                  "\n");
  Heading("Synopsis", &page);
  Synopsis(command, head.command, &page);
  Options(command, /*are_positional=*/true, "Arguments", &page);
  Options(command, /*are_positional=*/false, "Options", &page);
  Commands(command, head, &page);
  Footer(command, &page);
  if (!head.see_also.empty()) {
    Heading("See also", &page);
    absl::StrAppend(&page, Plain(absl::StrJoin(head.see_also, ", ")), "\n");
  }
  return page;
}

absl::Status WriteManPage(const CLI::App& command, const ManPageHead& head,
                          const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", head.name, ".", head.section);
  std::ofstream file(path);
  file << ManPage(command, head) << std::flush;
  return file ? absl::OkStatus() : absl::UnknownError(absl::StrCat("cannot write ", path));
}

}  // namespace shoal
