// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/options.h"

#include "app/cli/usage_error.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <sstream>

namespace tamis::cli {
namespace {
constexpr const char* kIntroduction =
    "tamis-cli: make neural encoders cheaper to run without ruining them.\n"
    "Opens checkpoints and calibration sets, computes what a lower rank saves and loses, writes plans and exports.";
constexpr const char* kExitStatus =
    "Exit status: 0 done, 1 failed (one line on standard error), 2 wrong usage, 130 cancelled.\n"
    "tamis-cli VERB --help tells more of a verb. The JSON that --json writes is described in docs/command-line.md.";

/// In (least, most], or in [least, most] with `itself`.
double parseReal(const std::string& text, const std::string& what, double least, bool itself, double most)
{
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, failure] = std::from_chars(text.data(), end, number);
    if (failure != std::errc() || stopped != end || !((number > least || (itself && number == least)) && number <= most)) {
        std::ostringstream sentence;
        sentence.imbue(std::locale::classic());
        sentence << what << ": found '" << text << "', expected a number ";
        if (itself)
            sentence << "from " << least << " to " << most;
        else
            sentence << "above " << least << " and at most " << most;
        throw UsageError(sentence.str());
    }
    return number;
}
} // namespace

std::int64_t parseInteger(const std::string& text, const std::string& what, std::int64_t least, std::int64_t most)
{
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, failure] = std::from_chars(text.data(), end, number);
    if (failure != std::errc() || stopped != end || number < least || number > most)
        throw UsageError(what + ": found '" + text + "', expected a whole number from " + std::to_string(least) + " to " +
                         std::to_string(most));
    return number;
}

std::pair<std::string, std::string> splitAssignment(const std::string& text, const std::string& flag)
{
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        throw UsageError(flag + ": found '" + text + "', expected name=value");
    return {text.substr(0, equals), text.substr(equals + 1)};
}

struct OptionSet::Parser {
    CLI::App& app;
    /// Conversions of what was given, run after the parse so that their errors are ours.
    std::vector<std::function<void()>> conversions;
    std::vector<std::unique_ptr<std::string>> typed;

    std::string* keepText(CLI::Option*& option, const std::string& flag, const std::string& value, const std::string& help)
    {
        typed.push_back(std::make_unique<std::string>());
        option = app.add_option(flag, *typed.back(), help)->type_name(value);
        return typed.back().get();
    }
};

void OptionSet::positional(const std::string& name, std::string& target, const std::string& help, bool required)
{
    m_parser.app.add_option(name, target, help)->type_name("")->required(required);
}

void OptionSet::text(const std::string& flag, std::string& target, const std::string& value, const std::string& help, bool required)
{
    m_parser.app.add_option(flag, target, help)->type_name(value)->required(required);
}

void OptionSet::texts(const std::string& flag, std::vector<std::string>& target, const std::string& value, const std::string& help)
{
    m_parser.app.add_option(flag, target, help)->type_name(value)->allow_extra_args(false);
}

void OptionSet::choice(const std::string& flag, std::string& target, const std::vector<std::string>& choices,
                       const std::string& help)
{
    std::string spelled;
    for (const auto& choice : choices)
        spelled += (spelled.empty() ? "" : "|") + choice;
    m_parser.app.add_option(flag, target, help)->type_name(spelled);
    m_parser.conversions.push_back([flag, &target, choices, spelled] {
        if (std::ranges::find(choices, target) == choices.end())
            throw UsageError(flag + ": found '" + target + "', expected one of " + spelled);
    });
}

void OptionSet::integer(const std::string& flag, std::int64_t& target, std::int64_t least, std::int64_t most, const std::string& help)
{
    CLI::Option* option = nullptr;
    const auto* typed = m_parser.keepText(option, flag, "N", help);
    m_parser.conversions.push_back([=, &target] {
        if (option->count() > 0)
            target = parseInteger(*typed, flag, least, most);
    });
}

void OptionSet::real(const std::string& flag, double& target, double above, double most, const std::string& help) { keepReal(flag, target, above, false, most, help); }
void OptionSet::realFrom(const std::string& flag, double& target, double least, double most, const std::string& help) { keepReal(flag, target, least, true, most, help); }

void OptionSet::keepReal(const std::string& flag, double& target, double least, bool itself, double most, const std::string& help)
{
    CLI::Option* option = nullptr;
    const auto* typed = m_parser.keepText(option, flag, "X", help);
    m_parser.conversions.push_back([=, &target] {
        if (option->count() > 0)
            target = parseReal(*typed, flag, least, itself, most);
    });
}

void OptionSet::flag(const std::string& flags, bool& target, const std::string& help)
{
    m_parser.app.add_flag(flags, target, help);
}

/// Builds the parser of the whole program.
class CommandLine {
public:
    explicit CommandLine(const std::vector<Verb>& verbs) : m_app(kIntroduction, "tamis-cli")
    {
        m_app.footer(kExitStatus);
        m_app.set_help_flag("-h,--help", "What this program does, and how to ask for it");
        m_app.set_version_flag("--version", "tamis-cli " TAMIS_VERSION, "The program's version");
        m_app.require_subcommand(0, 1);
        m_parsers.reserve(verbs.size());
        for (const auto& verb : verbs)
            declare(verb);
    }

    Request parse(int argc, const char* const* argv)
    {
        Request request;
        try {
            m_app.parse(argc, argv);
        } catch (const CLI::CallForHelp&) {
            request.text = m_app.help();
            return request;
        } catch (const CLI::CallForVersion&) {
            request.text = "tamis-cli " TAMIS_VERSION "\n";
            return request;
        } catch (const CLI::ParseError& error) {
            throw UsageError(std::string(error.what()) + hint());
        }
        for (std::size_t i = 0; i < m_subcommands.size(); ++i)
            if (m_subcommands[i]->parsed()) {
                for (const auto& convert : m_parsers[i]->conversions)
                    convert();
                request.verb = m_verbs[i];
                request.common = m_common;
            }
        if (!request.verb)
            throw UsageError("found no verb, expected one of " + verbNames() + " (tamis-cli --help)");
        return request;
    }

private:
    void declare(const Verb& verb)
    {
        CLI::App* sub = m_app.add_subcommand(verb.name, verb.summary);
        sub->footer("Examples:\n" + verb.examples);
        sub->set_help_flag("-h,--help", "What this verb does, with examples");
        sub->set_version_flag("--version", "tamis-cli " TAMIS_VERSION, "The program's version");
        m_parsers.push_back(std::make_unique<OptionSet::Parser>(OptionSet::Parser{*sub, {}, {}}));
        m_subcommands.push_back(sub);
        m_verbs.push_back(&verb);
        OptionSet options(*m_parsers.back());
        verb.declare(options);
        options.text("--json", m_common.json, "FILE|-", "Write the result as JSON into FILE, or - for standard output");
        options.integer("--threads", m_common.threads, 0, 4096, "Threads to use; 0: every core (results do not depend on it)");
        CLI::Option* option = nullptr;
        const auto* typed = m_parsers.back()->keepText(option, "--seed", "N", "Seed of random steps, for methods that have any");
        m_parsers.back()->conversions.push_back([this, option, typed] {
            if (option->count() > 0)
                m_common.seed = parseInteger(*typed, "--seed", 0, std::numeric_limits<std::int32_t>::max());
        });
        options.flag("--quiet", m_common.quiet, "No tables and no progress");
    }
    std::string hint() const
    {
        const auto chosen = m_app.get_subcommands();
        return " (tamis-cli " + (chosen.empty() ? std::string() : chosen.front()->get_name() + " ") + "--help)";
    }
    std::string verbNames() const
    {
        std::string names;
        for (const auto* verb : m_verbs)
            names += (names.empty() ? "" : ", ") + verb->name;
        return names;
    }

    CLI::App m_app;
    CommonOptions m_common;
    std::vector<std::unique_ptr<OptionSet::Parser>> m_parsers;
    std::vector<CLI::App*> m_subcommands;
    std::vector<const Verb*> m_verbs;
};

Request parseCommandLine(int argc, const char* const* argv, const std::vector<Verb>& verbs)
{
    return CommandLine(verbs).parse(argc, argv);
}

} // namespace tamis::cli
