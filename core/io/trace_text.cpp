// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/trace_text.h"

#include "core/base/error.h"
#include "core/io/byte_stream.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

namespace tamis::io {
namespace {
constexpr std::size_t kLongestLine = 65536;

std::string_view trimmed(std::string_view text) noexcept
{
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
        text.remove_prefix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
        text.remove_suffix(1);
    return text;
}

template <class Number> std::optional<Number> numberFrom(std::string_view text) noexcept
{
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// FNV-1a, 64 bits: keys that are no numbers.
std::uint64_t hashed(std::string_view key) noexcept
{
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char c : key)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    return hash;
}

/// Lines of a stream, numbered from 1.
class Lines {
public:
    explicit Lines(const std::filesystem::path& path) : m_name(path.string()), m_bytes(ByteStream::open(path)), m_buffer(1U << 17U) {}
    /// Without its end; nullopt behind the last. Valid until the next call.
    std::optional<std::string_view> next()
    {
        m_line.clear();
        for (bool any = false;;) {
            if (m_at == m_end) {
                m_at = 0;
                m_end = m_bytes->read(std::as_writable_bytes(std::span(m_buffer)));
                if (m_end == 0) {
                    if (!any)
                        return std::nullopt;
                    break;
                }
            }
            any = true;
            const auto from = m_buffer.begin() + static_cast<std::ptrdiff_t>(m_at), to = m_buffer.begin() + static_cast<std::ptrdiff_t>(m_end);
            const auto stop = std::find(from, to, '\n');
            m_line.append(from, stop);
            if (m_line.size() > kLongestLine)
                throw Error(ErrorCode::LimitExceeded, "line " + std::to_string(m_number + 1) + ": found more than " + std::to_string(kLongestLine) + " bytes, expected a shorter line", m_name);
            m_at = static_cast<std::size_t>(stop - m_buffer.begin()) + (stop == to ? 0 : 1);
            if (stop != to)
                break;
        }
        ++m_number;
        return std::string_view(m_line);
    }
    [[noreturn]] void malformed(std::string_view found, const std::string& expected) const
    {
        throw Error(ErrorCode::MalformedFile, "line " + std::to_string(m_number) + ": found '" + std::string(found.substr(0, 60)) + "', expected " + expected, m_name);
    }
    const std::string& name() const noexcept { return m_name; }
    std::uint64_t number() const noexcept { return m_number; } ///< of the line at hand
    double progress() const noexcept { return m_bytes->fileBytes() == 0 ? 1 : static_cast<double>(m_bytes->fileOffset()) / static_cast<double>(m_bytes->fileBytes()); }

private:
    std::string m_name;
    std::unique_ptr<ByteStream> m_bytes;
    std::vector<char> m_buffer;
    std::string m_line;
    std::size_t m_at = 0, m_end = 0;
    std::uint64_t m_number = 0;
};

class TextTrace : public TraceReader {
public:
    explicit TextTrace(const std::filesystem::path& path) : m_lines(path) {}
    std::size_t read(std::span<TraceEntry> to, std::stop_token stop) final
    {
        m_stop = std::move(stop);
        std::size_t done = 0;
        while (done < to.size() && next(to[done]))
            ++done;
        return done;
    }
    bool sized() const noexcept override { return false; }
    bool timed() const noexcept override { return false; }
    double progress() const noexcept final { return m_lines.progress(); }

protected:
    virtual bool next(TraceEntry& entry) = 0; ///< false: no more
    /// The next line that is not empty, trimmed.
    std::optional<std::string_view> line()
    {
        while (const auto text = m_lines.next()) {
            if (m_lines.number() % 4096 == 0 && m_stop.stop_requested())
                throw Error(ErrorCode::Cancelled, "stopped", m_lines.name());
            if (const std::string_view own = trimmed(*text); !own.empty())
                return own;
        }
        return std::nullopt;
    }
    Lines& lines() noexcept { return m_lines; }
    const Lines& lines() const noexcept { return m_lines; }

private:
    Lines m_lines;
    std::stop_token m_stop;
};

class IdTrace final : public TextTrace {
public:
    using TextTrace::TextTrace;
    TraceFormat format() const noexcept override { return TraceFormat::Ids; }

protected:
    /// The first line decides whether ids are numbers or keys.
    bool next(TraceEntry& entry) override
    {
        const auto text = line();
        if (!text)
            return false;
        const auto number = numberFrom<std::uint64_t>(*text);
        if (!m_decided) {
            m_decided = true;
            m_keys = !number;
        }
        if (!m_keys && !number)
            lines().malformed(*text, "a number as in the first line");
        entry = {m_keys ? hashed(*text) : *number};
        return true;
    }

private:
    bool m_decided = false, m_keys = false;
};

class LirsTrace final : public TextTrace {
public:
    using TextTrace::TextTrace;
    TraceFormat format() const noexcept override { return TraceFormat::Lirs; }

protected:
    bool next(TraceEntry& entry) override
    {
        while (const auto text = line()) {
            if (text->front() == '*')
                continue;
            const auto number = numberFrom<std::uint64_t>(*text);
            if (!number)
                lines().malformed(*text, "a block number or *");
            entry = {*number};
            return true;
        }
        return false;
    }
};

/// A line stands for blocks first .. first + count - 1, one request each.
class ArcTrace final : public TextTrace {
public:
    using TextTrace::TextTrace;
    TraceFormat format() const noexcept override { return TraceFormat::Arc; }

protected:
    bool next(TraceEntry& entry) override
    {
        while (m_left == 0) {
            const auto text = line();
            if (!text)
                return false;
            const std::size_t blank = std::min(text->find_first_of(" \t"), text->size());
            const std::string_view rest = trimmed(text->substr(blank));
            const auto first = numberFrom<std::uint64_t>(text->substr(0, blank));
            const auto count = numberFrom<std::uint64_t>(rest.substr(0, std::min(rest.find_first_of(" \t"), rest.size())));
            if (!first || !count || *count > 1'000'000'000U)
                lines().malformed(*text, "the first block and how many, then two numbers");
            m_next = *first;
            m_left = *count;
        }
        --m_left;
        entry = {m_next++};
        return true;
    }

private:
    std::uint64_t m_next = 0, m_left = 0;
};

constexpr std::array<std::string_view, 9> kIdNames{"id", "key", "obj_id", "object", "object_id", "objid", "lbn", "block", "anonymized_key"};
constexpr std::array<std::string_view, 5> kTimeNames{"time", "timestamp", "ts", "clock", "real_time"};
constexpr std::array<std::string_view, 6> kSizeNames{"size", "obj_size", "object_size", "bytes", "length", "len"};
constexpr std::array<std::string_view, 5> kReadWords{"r", "read", "get", "gets", "0"};
constexpr std::array<std::string_view, 5> kWriteWords{"w", "write", "set", "put", "1"};
constexpr std::array<std::string_view, 4> kCostNames{"cost", "recompute_cost", "cost_ms", "miss_cost"};
constexpr std::array<std::string_view, 1> kUniquenessNames{"uniqueness"};
constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);

class CsvTrace final : public TextTrace {
public:
    CsvTrace(const std::filesystem::path& path, const TraceColumns& columns) : TextTrace(path)
    {
        const auto first = line();
        if (!first)
            return;
        m_separator = first->find(';') != std::string_view::npos && first->find(',') == std::string_view::npos ? ';' : ',';
        split(*first);
        const bool header = std::ranges::none_of(m_fields, [](std::string_view field) { return numberFrom<double>(field).has_value(); });
        std::vector<std::string> names;
        for (const std::string_view field : m_fields) {
            std::string name(field);
            std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
            names.push_back(header ? name : std::string());
        }
        m_id = find(columns.id, names, kIdNames, "id");
        m_time = find(columns.time, names, kTimeNames, "time");
        m_size = find(columns.size, names, kSizeNames, "size");
        m_operation = find(columns.operation, names, std::array<std::string_view, 0>{}, "operation");
        m_cost = find(columns.cost, names, kCostNames, "cost");
        m_uniqueness = find(columns.uniqueness, names, kUniquenessNames, "uniqueness");
        if (!header && columns.id.empty()) { // time, id, size; or an id alone
            m_id = names.size() > 1 ? 1 : 0;
            m_time = names.size() > 1 && columns.time.empty() ? 0 : m_time;
            m_size = names.size() > 2 && columns.size.empty() && m_cost != 2 && m_uniqueness != 2 ? 2 : m_size;
        }
        if (m_id == kAbsent)
            throw Error(ErrorCode::UnsupportedFeature, "found no column with ids (found: " + std::string(first->substr(0, 200)) + "), expected one to be named", lines().name());
        if (!header)
            m_pending = std::string(*first);
    }
    TraceFormat format() const noexcept override { return TraceFormat::Csv; }
    bool sized() const noexcept override { return m_size != kAbsent; }
    bool timed() const noexcept override { return m_time != kAbsent; }
    bool marksWrites() const noexcept override { return m_operation != kAbsent; }
    bool costed() const noexcept override { return m_cost != kAbsent; }
    bool tellsUniqueness() const noexcept override { return m_uniqueness != kAbsent; }

protected:
    bool next(TraceEntry& entry) override
    {
        std::optional<std::string_view> text;
        if (!m_pending.empty()) {
            m_kept = std::exchange(m_pending, {});
            text = m_kept;
        } else {
            text = line();
        }
        if (!text)
            return false;
        split(*text);
        entry = {};
        const std::string_view id = field(m_id, *text);
        const auto number = numberFrom<std::uint64_t>(id);
        entry.id = number ? *number : hashed(id);
        if (m_size != kAbsent) {
            const auto size = numberFrom<std::uint64_t>(field(m_size, *text));
            if (!size || *size == 0 || *size > 0xFFFFFFFFU)
                lines().malformed(field(m_size, *text), "a size of 1 to 4,294,967,295 bytes");
            entry.size = static_cast<std::uint32_t>(*size);
        }
        if (m_time != kAbsent) {
            const auto time = numberFrom<double>(field(m_time, *text));
            if (!time || !(std::abs(*time) < 9e18))
                lines().malformed(field(m_time, *text), "a time");
            entry.time = static_cast<std::int64_t>(*time);
        }
        if (m_operation != kAbsent)
            entry.write = isWrite(field(m_operation, *text));
        if (m_cost != kAbsent)
            entry.cost = weight(m_cost, *text, "a cost of 0 or more");
        if (m_uniqueness != kAbsent)
            entry.uniqueness = weight(m_uniqueness, *text, "a uniqueness of 0 or more");
        return true;
    }

private:
    float weight(std::size_t column, std::string_view text, const char* expected)
    {
        const std::string_view found = field(column, text);
        const auto number = numberFrom<double>(found);
        if (!number || !(*number >= 0 && *number < 1e30))
            lines().malformed(found, expected);
        return static_cast<float>(*number);
    }
    bool isWrite(std::string_view text) const
    {
        std::string word(text);
        std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const bool write = std::ranges::find(kWriteWords, word) != kWriteWords.end();
        if (!write && std::ranges::find(kReadWords, word) == kReadWords.end())
            lines().malformed(text, "r, read, get, gets or 0, or w, write, set, put or 1");
        return write;
    }
    void split(std::string_view text)
    {
        m_fields.clear();
        for (std::size_t at = 0; at <= text.size();) {
            const std::size_t end = std::min(text.find(m_separator, at), text.size());
            std::string_view one = trimmed(text.substr(at, end - at));
            if (one.size() >= 2 && one.front() == '"' && one.back() == '"')
                one = one.substr(1, one.size() - 2);
            m_fields.push_back(one);
            at = end + 1;
        }
    }
    std::string_view field(std::size_t column, std::string_view text)
    {
        if (column >= m_fields.size() || m_fields[column].empty())
            lines().malformed(text, "a value in column " + std::to_string(column + 1));
        return m_fields[column];
    }
    template <std::size_t N>
    std::size_t find(const std::string& given, const std::vector<std::string>& names, const std::array<std::string_view, N>& usual, const char* what)
    {
        if (given.empty()) {
            for (const std::string_view name : usual)
                if (const auto found = std::ranges::find(names, name); found != names.end())
                    return static_cast<std::size_t>(found - names.begin());
            return kAbsent;
        }
        if (const auto number = numberFrom<std::size_t>(given); number && *number >= 1 && *number <= names.size())
            return *number - 1;
        std::string wanted = given;
        std::ranges::transform(wanted, wanted.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (const auto found = std::ranges::find(names, wanted); found != names.end())
            return static_cast<std::size_t>(found - names.begin());
        throw Error(ErrorCode::UnsupportedFeature, "found " + std::to_string(names.size()) + " columns and none called '" + given + "' for the " + what + ", expected a name of the first line or a number from 1", lines().name());
    }
    char m_separator = ',';
    std::vector<std::string_view> m_fields;
    std::size_t m_id = kAbsent, m_time = kAbsent, m_size = kAbsent, m_operation = kAbsent, m_cost = kAbsent, m_uniqueness = kAbsent;
    std::string m_pending, m_kept; ///< a first line that is no header
};
} // namespace

TraceIds traceIds(std::string_view text) noexcept { return {numberFrom<std::uint64_t>(text), hashed(text)}; }

std::unique_ptr<TraceReader> textTrace(const std::filesystem::path& path, TraceFormat format, const TraceColumns& columns)
{
    switch (format) {
    case TraceFormat::Csv:
        return std::make_unique<CsvTrace>(path, columns);
    case TraceFormat::Lirs:
        return std::make_unique<LirsTrace>(path);
    case TraceFormat::Arc:
        return std::make_unique<ArcTrace>(path);
    default:
        return std::make_unique<IdTrace>(path);
    }
}

} // namespace tamis::io
