// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/json_fields.h"
#include "core/inputs/text_pattern.h"
#include "core/inputs/text_split.h"
#include "core/inputs/tokenizer_parts.h"
#include "core/inputs/unicode.h"
#include "core/inputs/utf8.h"

#include <optional>
#include <utility>

namespace tamis::inputs {
namespace {

using nlohmann::json;

/// Where the text that a delimiter matched goes.
enum class Delimiter { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };

/// Collects neighbouring matches and rests of a text and emits the pieces of a Delimiter rule.
class PieceBuilder {
public:
    PieceBuilder(std::string_view text, bool first, Delimiter rule, const PreTokenizer::Emit& emit)
        : m_text(text), m_first(first), m_rule(rule), m_emit(emit)
    {
    }
    /// The next `bytes` bytes; ranges follow one another.
    void add(std::size_t bytes, bool isMatch)
    {
        if (bytes == 0)
            return;
        const bool joins = m_any && ((m_rule == Delimiter::Contiguous && isMatch == m_lastMatch) ||
                                     (m_rule == Delimiter::MergedWithPrevious && isMatch && !m_lastMatch) ||
                                     (m_rule == Delimiter::MergedWithNext && !isMatch && m_lastMatch));
        if (!joins)
            flush();
        if (m_rule == Delimiter::Removed && isMatch)
            m_start = m_end + bytes;
        m_end += bytes;
        m_any = true;
        m_lastMatch = isMatch;
    }
    void flush()
    {
        if (m_end > m_start)
            m_emit(m_text.substr(m_start, m_end - m_start), m_first && m_start == 0);
        m_start = m_end;
    }

private:
    std::string_view m_text;
    bool m_first;
    Delimiter m_rule;
    const PreTokenizer::Emit& m_emit;
    std::size_t m_start = 0, m_end = 0;
    bool m_any = false, m_lastMatch = false;
};

/// Splits at single characters of a class.
class CharacterSplit final : public PreTokenizer {
public:
    using Belongs = bool (Characters::*)(char32_t) const noexcept;
    CharacterSplit(Belongs belongs, Delimiter rule) : m_belongs(belongs), m_rule(rule) {}
    void cut(std::string_view text, bool first, const Emit& emit) const override
    {
        PieceBuilder pieces(text, first, m_rule, emit);
        std::size_t rest = 0; // bytes outside the class that wait
        for (std::size_t at = 0; at < text.size();) {
            const CodePoint point = codePointAt(text, at);
            at += point.bytes;
            if (!(m_characters.*m_belongs)(point.value)) {
                rest += point.bytes;
                continue;
            }
            pieces.add(std::exchange(rest, 0), false);
            pieces.add(point.bytes, true);
        }
        pieces.add(rest, false);
        pieces.flush();
    }

private:
    Belongs m_belongs;
    Delimiter m_rule;
    Characters m_characters;
};

/// Splits at the occurrences of a text.
class StringSplit final : public PreTokenizer {
public:
    StringSplit(std::string pattern, Delimiter rule, bool invert) : m_pattern(std::move(pattern)), m_rule(rule), m_invert(invert) {}
    void cut(std::string_view text, bool first, const Emit& emit) const override
    {
        PieceBuilder pieces(text, first, m_rule, emit);
        std::size_t at = 0;
        for (std::size_t found; (found = text.find(m_pattern, at)) != std::string_view::npos; at = found + m_pattern.size()) {
            pieces.add(found - at, m_invert);
            pieces.add(m_pattern.size(), !m_invert);
        }
        pieces.add(text.size() - at, m_invert);
        pieces.flush();
    }

private:
    std::string m_pattern;
    Delimiter m_rule;
    bool m_invert;
};

/// Every match is a piece; the patterns leave nothing between matches.
class PatternSplit final : public PreTokenizer {
public:
    explicit PatternSplit(SplitPattern pattern) : m_splitter(pattern) {}
    void cut(std::string_view text, bool first, const Emit& emit) const override
    {
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = m_splitter.matchEnd(text, at);
            emit(text.substr(at, end - at), first && at == 0);
            at = end;
        }
    }

private:
    TextSplitter m_splitter;
};

class ByteLevelSplit final : public PreTokenizer {
public:
    ByteLevelSplit(bool addPrefixSpace, bool split) : m_addPrefixSpace(addPrefixSpace), m_split(split) {}
    void cut(std::string_view text, bool first, const Emit& emit) const override
    {
        if (text.empty())
            return;
        if (m_addPrefixSpace && text.front() != ' ')
            return cutPrefixed(' ' + std::string(text), first, emit);
        cutPrefixed(text, first, emit);
    }

private:
    void cutPrefixed(std::string_view text, bool first, const Emit& emit) const
    {
        if (m_split)
            m_words.cut(text, first, emit);
        else
            emit(text, first);
    }
    bool m_addPrefixSpace, m_split;
    PatternSplit m_words{SplitPattern::Gpt2};
};

/// Spaces become the replacement (U+2581), one may be put in front, and pieces may begin at each.
class MetaspaceSplit final : public PreTokenizer {
public:
    enum class Prepend { Never, First, Always };
    MetaspaceSplit(std::string replacement, Prepend prepend, bool split) : m_replacement(std::move(replacement)), m_prepend(prepend), m_split(split) {}
    void cut(std::string_view text, bool first, const Emit& emit) const override
    {
        if (text.empty())
            return;
        std::string replaced = replacedAll(text, " ", m_replacement);
        if ((m_prepend == Prepend::Always || (m_prepend == Prepend::First && first)) && !replaced.starts_with(m_replacement))
            replaced.insert(0, m_replacement);
        if (m_split)
            StringSplit(m_replacement, Delimiter::MergedWithNext, false).cut(replaced, first, emit);
        else
            emit(replaced, first);
    }

private:
    std::string m_replacement;
    Prepend m_prepend;
    bool m_split;
};

class PreTokenizerSequence final : public PreTokenizer {
public:
    explicit PreTokenizerSequence(std::vector<std::unique_ptr<const PreTokenizer>> parts) : m_parts(std::move(parts)) {}
    void cut(std::string_view text, bool first, const Emit& emit) const override { cutFrom(0, text, first, emit); }

private:
    void cutFrom(std::size_t part, std::string_view text, bool first, const Emit& emit) const
    {
        if (part == m_parts.size())
            return emit(text, first);
        if (part + 1 == m_parts.size())
            return m_parts[part]->cut(text, first, emit);
        m_parts[part]->cut(text, first, [&](std::string_view piece, bool isFirst) { cutFrom(part + 1, piece, isFirst, emit); });
    }
    std::vector<std::unique_ptr<const PreTokenizer>> m_parts;
};

Delimiter readDelimiter(const JsonFields& fields, const std::string& absent)
{
    constexpr std::pair<const char*, Delimiter> kRules[]{{"Removed", Delimiter::Removed}, {"Isolated", Delimiter::Isolated},
                                                         {"MergedWithPrevious", Delimiter::MergedWithPrevious},
                                                         {"MergedWithNext", Delimiter::MergedWithNext}, {"Contiguous", Delimiter::Contiguous}};
    const std::string name = fields.word("behavior", absent);
    for (const auto& [known, rule] : kRules)
        if (name == known)
            return rule;
    fields.refuse("behavior", name, "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

std::unique_ptr<const PreTokenizer> readSplit(const JsonFields& fields)
{
    const Delimiter rule = readDelimiter(fields, "");
    const bool invert = fields.flag("invert", false);
    const json* pattern = fields.find("pattern");
    if (pattern == nullptr || !pattern->is_object() || !pattern->contains("Regex"))
        return std::make_unique<StringSplit>(stringPattern(fields, "pre_tokenizer Split"), rule, invert);
    const auto known = recogniseSplitPattern(JsonFields(*pattern, fields.subject()).word("Regex", ""));
    if (!known)
        fields.refuse("pre_tokenizer Split pattern", *pattern, "the regular expression of GPT-2, LLaMA-3 or Qwen2", ErrorCode::UnsupportedFeature);
    // The expressions match everything: to keep matches isolated and to remove what is no match are the same.
    if (!(rule == Delimiter::Isolated || (rule == Delimiter::Removed && invert)))
        fields.refuse("behavior", *fields.find("behavior"), "Isolated, or Removed with invert", ErrorCode::UnsupportedFeature);
    return std::make_unique<PatternSplit>(*known);
}

std::unique_ptr<const PreTokenizer> readMetaspace(const JsonFields& fields)
{
    using Prepend = MetaspaceSplit::Prepend;
    const std::string replacement = fields.word("replacement", "\xE2\x96\x81");
    if (replacement.empty() || codePointAt(replacement, 0).bytes != replacement.size())
        fields.refuse("replacement", replacement, "one character");
    const std::string scheme = fields.word("prepend_scheme", fields.flag("add_prefix_space", true) ? "always" : "never");
    if (scheme != "always" && scheme != "first" && scheme != "never")
        fields.refuse("prepend_scheme", scheme, "always, first or never");
    const Prepend prepend = scheme == "always" ? Prepend::Always : scheme == "first" ? Prepend::First : Prepend::Never;
    return std::make_unique<MetaspaceSplit>(replacement, prepend, fields.flag("split", true));
}

std::unique_ptr<const PreTokenizer> readSequence(const JsonFields& fields, bool& byteLevel)
{
    const json* list = fields.find("pretokenizers");
    if (list == nullptr || !list->is_array())
        fields.refuse("pretokenizers", list != nullptr ? *list : json(), "a list");
    std::vector<std::unique_ptr<const PreTokenizer>> parts;
    for (const json& each : *list) {
        if (byteLevel)
            fields.refuse("pretokenizers", *list, "ByteLevel as the last one", ErrorCode::UnsupportedFeature);
        if (auto part = readPreTokenizer(each, fields.subject(), byteLevel))
            parts.push_back(std::move(part));
    }
    return std::make_unique<PreTokenizerSequence>(std::move(parts));
}

std::unique_ptr<const PreTokenizer> bertSplit()
{
    std::vector<std::unique_ptr<const PreTokenizer>> parts;
    parts.push_back(std::make_unique<CharacterSplit>(&Characters::isSpace, Delimiter::Removed));
    parts.push_back(std::make_unique<CharacterSplit>(&Characters::isPunctuation, Delimiter::Isolated));
    return std::make_unique<PreTokenizerSequence>(std::move(parts));
}

} // namespace

std::unique_ptr<const PreTokenizer> readPreTokenizer(const json& value, const std::string& subject, bool& byteLevel)
{
    if (value.is_null())
        return nullptr;
    const JsonFields fields(value, subject);
    if (!value.is_object())
        fields.refuse("pre_tokenizer", value, "an object");
    const std::string type = fields.word("type", "");
    if (type == "Sequence")
        return readSequence(fields, byteLevel);
    if (type == "ByteLevel") {
        byteLevel = true;
        return std::make_unique<ByteLevelSplit>(fields.flag("add_prefix_space", true), fields.flag("use_regex", true));
    }
    if (type == "Split")
        return readSplit(fields);
    if (type == "Metaspace")
        return readMetaspace(fields);
    if (type == "BertPreTokenizer")
        return bertSplit();
    if (type == "WhitespaceSplit")
        return std::make_unique<CharacterSplit>(&Characters::isSpace, Delimiter::Removed);
    if (type == "Punctuation")
        return std::make_unique<CharacterSplit>(&Characters::isPunctuation, readDelimiter(fields, "Isolated"));
    if (type == "Digits")
        return std::make_unique<CharacterSplit>(&Characters::isNumber, fields.flag("individual_digits", false) ? Delimiter::Isolated : Delimiter::Contiguous);
    fields.refuse("the pre_tokenizer", type, "one of BertPreTokenizer, ByteLevel, Digits, Metaspace, Punctuation, Sequence, Split, WhitespaceSplit",
                  ErrorCode::UnsupportedFeature);
}

} // namespace tamis::inputs
