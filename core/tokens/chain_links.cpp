// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/chain_links.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/tokens/method.h"

#include <algorithm>
#include <charconv>

namespace tamis::tokens {
namespace {
constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kPlainEnds = " \t\r\n+@\"";

bool isNameCharacter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

class Reader {
public:
    explicit Reader(std::string_view text) : m_text(text) {}
    std::vector<Link> links()
    {
        std::vector<Link> found;
        do {
            if (found.size() == kMostLinks)
                throw Error(ErrorCode::LimitExceeded, "found more than " + std::to_string(kMostLinks) + " methods in a chain", "steps", m_at);
            skipBlanks();
            found.push_back(link());
            skipBlanks();
        } while (take('+'));
        if (m_at < m_text.size())
            refuse("found " + here() + ", expected a setting as keep=0.7, '@' with blocks, or '+' with another method");
        return found;
    }

private:
    [[noreturn]] void refuse(const std::string& message, std::size_t position) const { throw Error(ErrorCode::InvalidParameter, message, "steps", position); }
    [[noreturn]] void refuse(const std::string& message) const { refuse(message, m_at); }
    bool atEnd() const { return m_at >= m_text.size(); }
    std::string here() const { return atEnd() ? "the end" : io::quotedName(m_text.substr(m_at, 1)); }
    void skipBlanks()
    {
        while (!atEnd() && kBlanks.find(m_text[m_at]) != std::string_view::npos)
            ++m_at;
    }
    bool take(char c)
    {
        if (atEnd() || m_text[m_at] != c)
            return false;
        ++m_at;
        return true;
    }
    std::string_view name()
    {
        const std::size_t begin = m_at;
        while (!atEnd() && isNameCharacter(m_text[m_at]))
            ++m_at;
        return m_text.substr(begin, m_at - begin);
    }
    Link link()
    {
        Link link;
        link.position = m_at;
        link.method = name();
        if (link.method.empty())
            refuse("found " + here() + ", expected the name of a method");
        const Method& method = methodOf(link);
        for (skipBlanks(); !atEnd() && m_text[m_at] != '+' && m_text[m_at] != '@'; skipBlanks())
            setting(link, method.declaration.schema);
        if (take('@')) {
            skipBlanks();
            link.wherePosition = m_at;
            places(link);
        }
        return link;
    }
    const Method& methodOf(const Link& link) const
    {
        if (const Method* method = findMethod("tokens." + link.method))
            return *method;
        std::string known;
        for (const Method& method : methods())
            known += (known.empty() ? "" : ", ") + method.declaration.id.substr(method.declaration.lab.size() + 1);
        refuse("found no method " + io::quotedName(link.method) + ", expected one of " + known, link.position);
    }
    void setting(Link& link, const ParameterSchema& schema)
    {
        const std::size_t begin = m_at;
        const std::string key(name());
        if (key.empty())
            refuse("found " + here() + ", expected a setting as keep=0.7, '@' with blocks, or '+' with another method");
        if (!take('='))
            refuse("found " + here() + " behind " + io::quotedName(key) + ", expected '=' and a value");
        if (link.settings.contains(key))
            refuse("found " + io::quotedName(key) + " twice in one link", begin);
        const std::size_t valueAt = m_at;
        const std::string text = value();
        try {
            link.settings.set(key, schema.parse(key, text));
        } catch (const Error& error) {
            refuse(link.method + ": " + error.what(), schema.find(key) ? valueAt : begin);
        }
    }
    std::string value()
    {
        if (!take('"')) {
            const std::size_t begin = m_at, end = std::min(m_text.find_first_of(kPlainEnds, begin), m_text.size());
            m_at = end;
            if (begin == end)
                refuse("found " + here() + ", expected a value; one with blanks, or none, stands in double quotes");
            return std::string(m_text.substr(begin, end - begin));
        }
        const std::size_t quote = m_at - 1;
        std::string text;
        while (!take('"')) {
            if (atEnd())
                refuse("found a double quote that does not end", quote);
            if (take('\\') && (atEnd() || (m_text[m_at] != '"' && m_text[m_at] != '\\')))
                refuse("found " + here() + " behind a backslash, expected a double quote or another backslash");
            text += m_text[m_at++];
        }
        return text;
    }
    void places(Link& link)
    {
        if (const std::size_t begin = m_at; !atEnd() && m_text[m_at] >= 'a' && m_text[m_at] <= 'z') {
            const std::string_view word = name();
            if (word != "all" && word != "rest")
                refuse("found " + io::quotedName(word) + ", expected blocks as 3,6 or 2-5, all, or rest", begin);
            link.where = word == "all" ? Where::All : Where::Rest;
            return;
        }
        link.where = Where::Listed;
        do {
            const std::size_t begin = m_at;
            BlockRange range;
            range.first = range.last = block();
            if (take('-'))
                range.last = block();
            if (range.last < range.first)
                refuse("found blocks " + std::to_string(range.first) + " to " + std::to_string(range.last) + ", expected the smaller one first", begin);
            if (!link.blocks.empty() && range.first <= link.blocks.back().last)
                refuse("found block " + std::to_string(range.first) + " behind block " + std::to_string(link.blocks.back().last) + ", expected ascending blocks", begin);
            link.blocks.push_back(range);
        } while (take(','));
    }
    int block()
    {
        const char* begin = m_text.data() + m_at;
        int number = 0;
        const bool digit = !atEnd() && *begin >= '0' && *begin <= '9';
        const auto [end, status] = std::from_chars(begin, m_text.data() + m_text.size(), number);
        if (!digit)
            refuse("found " + here() + ", expected the number of a block");
        if (status != std::errc() || number > kLastBlock)
            refuse("found a block beyond " + std::to_string(kLastBlock) + ", expected one of the model");
        m_at += static_cast<std::size_t>(end - begin);
        return number;
    }
    std::string_view m_text;
    std::size_t m_at = 0;
};

std::string printedValue(const ParameterValue& value)
{
    std::string text = toText(value);
    if (!text.empty() && text.find_first_of(kPlainEnds) == std::string::npos)
        return text;
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}
} // namespace

std::vector<Link> parseLinks(std::string_view text)
{
    if (text.size() > kLongestChainText)
        throw Error(ErrorCode::LimitExceeded, "found a text of " + std::to_string(text.size()) + " bytes, expected " + std::to_string(kLongestChainText) + " at most", "steps");
    return Reader(text).links();
}

std::string printLinks(const std::vector<Link>& links)
{
    std::string text;
    for (const Link& link : links) {
        text += (text.empty() ? "" : " + ") + link.method;
        for (const auto& [name, value] : link.settings.all())
            text += " " + name + "=" + printedValue(value);
        if (link.where == Where::Own)
            continue;
        text += link.where == Where::All ? " @all" : link.where == Where::Rest ? " @rest" : " @";
        for (const BlockRange& range : link.blocks) {
            text += (&range == &link.blocks.front() ? "" : ",") + std::to_string(range.first);
            if (range.last > range.first)
                text += "-" + std::to_string(range.last);
        }
    }
    return text;
}

} // namespace tamis::tokens
