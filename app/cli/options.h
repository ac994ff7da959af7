// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Options as values: verbs declare them here, and only options.cpp knows the parser behind it.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis::cli {

class Console;

/// What every verb takes.
struct CommonOptions {
    std::string json; ///< file, "-" for standard output, empty: none
    std::int64_t threads = 0; ///< 0: all cores
    std::optional<std::int64_t> seed;
    bool quiet = false;
};

/// Declares the options of one verb. Targets must outlive the parse; they keep their value when the option is not given.
/// Numbers are read without regard to the locale; one out of its range is a usage error that says so.
class OptionSet {
public:
    void positional(const std::string& name, std::string& target, const std::string& help, bool required = true);
    void text(const std::string& flag, std::string& target, const std::string& value, const std::string& help,
              bool required = false);
    void texts(const std::string& flag, std::vector<std::string>& target, const std::string& value,
               const std::string& help); ///< may be given more than once
    void choice(const std::string& flag, std::string& target, const std::vector<std::string>& choices, const std::string& help);
    void integer(const std::string& flag, std::int64_t& target, std::int64_t least, std::int64_t most, const std::string& help);
    void real(const std::string& flag, double& target, double above, double most, const std::string& help); ///< (above, most]
    void realFrom(const std::string& flag, double& target, double least, double most, const std::string& help); ///< [least, most]
    void flag(const std::string& flags, bool& target, const std::string& help); ///< "--dense,!--no-dense": the second clears it

private:
    friend class CommandLine;
    void keepReal(const std::string& flag, double& target, double least, bool itself, double most, const std::string& help);
    struct Parser;
    explicit OptionSet(Parser& parser) : m_parser(parser) {}
    Parser& m_parser;
};

/// One verb of the program: its words, its options, what it does.
struct Verb {
    std::string name;
    std::string summary;  ///< one line
    std::string examples; ///< what --help ends with
    std::function<void(OptionSet&)> declare;
    std::function<void(Console&)> run;
};

/// What the arguments ask for.
struct Request {
    std::string text;           ///< help or version to print; empty when a verb is to be run
    const Verb* verb = nullptr; ///< among those given
    CommonOptions common;
};

/// Parses argv, writing to the targets that the verbs declared. Throws UsageError.
Request parseCommandLine(int argc, const char* const* argv, const std::vector<Verb>& verbs);

/// "name=value" of --set and --rank. Throws UsageError naming `flag` when there is no '=' or no name.
std::pair<std::string, std::string> splitAssignment(const std::string& text, const std::string& flag);
/// A whole number, all of `text`. Throws UsageError naming `what`, what was found and the range.
std::int64_t parseInteger(const std::string& text, const std::string& what, std::int64_t least, std::int64_t most);

} // namespace tamis::cli
