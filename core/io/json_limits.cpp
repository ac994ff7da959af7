// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/json_limits.h"

#include "core/base/error.h"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tamis::io {
namespace {
using nlohmann::json;

// Receives the parser's events and builds the document, refusing before anything is stored.
class BoundedBuilder final : public nlohmann::json_sax<json>
{
public:
    BoundedBuilder(const JsonLimits& limits, const std::string& subject) : m_limits(limits), m_subject(subject) {}
    json take() { return std::move(m_root); }

    bool null() override { return add(nullptr); }
    bool boolean(bool value) override { return add(value); }
    bool number_integer(number_integer_t value) override { return add(value); }
    bool number_unsigned(number_unsigned_t value) override { return add(value); }
    bool number_float(number_float_t value, const string_t&) override { return add(value); }
    bool string(string_t& value) override { return add(std::move(value)); }
    bool binary(binary_t&) override { return false; }
    bool start_object(std::size_t) override { return open(json::object()); }
    bool start_array(std::size_t) override { return open(json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(string_t& name) override
    {
        const auto [place, isNew] = m_open.back()->get_ref<json::object_t&>().try_emplace(std::move(name));
        if (!isNew)
            throw Error(ErrorCode::MalformedFile, "the key " + quotedName(place->first) + " occurs twice in one object", m_subject);
        m_member = &place->second;
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const json::exception& error) override
    {
        throw Error(ErrorCode::MalformedFile, "is not valid JSON: " + jsonErrorText(error.what()), m_subject, position);
    }

private:
    template <class T> json* place(T&& value)
    {
        if (++m_values > m_limits.values)
            throw Error(ErrorCode::LimitExceeded, "holds more than " + std::to_string(m_limits.values) + " JSON values", m_subject);
        if (m_open.empty()) {
            m_root = std::forward<T>(value);
            return &m_root;
        }
        if (m_open.back()->is_array()) {
            json::array_t& array = m_open.back()->get_ref<json::array_t&>();
            array.emplace_back(std::forward<T>(value));
            return &array.back();
        }
        *m_member = std::forward<T>(value);
        return m_member;
    }
    template <class T> bool add(T&& value)
    {
        place(std::forward<T>(value));
        return true;
    }
    bool open(json empty)
    {
        if (m_open.size() >= m_limits.depth)
            throw Error(ErrorCode::LimitExceeded, "JSON is nested deeper than " + std::to_string(m_limits.depth) + " levels", m_subject);
        m_open.push_back(place(std::move(empty)));
        return true;
    }
    bool close()
    {
        m_open.pop_back();
        return true;
    }

    const JsonLimits& m_limits;
    const std::string& m_subject;
    json m_root;
    std::vector<json*> m_open; ///< containers not yet closed; stable, as only the innermost one grows
    json* m_member = nullptr;
    std::size_t m_values = 0;
};
} // namespace

std::string quotedName(std::string_view name)
{
    constexpr std::size_t kShown = 120;
    std::size_t cut = std::min(name.size(), kShown);
    while (cut > 0 && cut < name.size() && (static_cast<unsigned char>(name[cut]) & 0xc0u) == 0x80u)
        --cut; // not in the middle of a UTF-8 sequence
    std::string text = "\"";
    for (const char c : name.substr(0, cut))
        text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    return text + (cut < name.size() ? "...\"" : "\"");
}

std::string jsonErrorText(std::string_view what)
{
    constexpr std::size_t kShown = 160;
    if (const std::size_t prefix = what.find("] "); what.starts_with('[') && prefix != std::string_view::npos)
        what.remove_prefix(prefix + 2);
    std::string text(what.substr(0, kShown));
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e)
            c = '?';
    return what.size() > kShown ? text + "..." : text;
}

nlohmann::json parseJson(std::string_view text, const JsonLimits& limits, const std::string& subject)
{
    if (text.size() > limits.bytes)
        throw Error(ErrorCode::LimitExceeded,
                    "holds " + std::to_string(text.size()) + " bytes of JSON, at most " + std::to_string(limits.bytes) + " are read", subject);
    if (const auto nul = text.find('\0'); nul != std::string_view::npos) // to the parser it is the end of the text
        throw Error(ErrorCode::MalformedFile, "is not valid JSON: found a NUL character", subject, nul);
    BoundedBuilder builder(limits, subject);
    json::sax_parse(text.begin(), text.end(), &builder);
    return builder.take();
}

nlohmann::json readJson(const std::filesystem::path& file, const JsonLimits& limits)
{
    return parseJson(readSmallFile(file, limits.bytes), limits, file.string());
}

std::string readSmallFile(const std::filesystem::path& file, std::size_t limit)
{
    const std::string subject = file.string();
    const auto fail = [&](const std::string& message) { throw Error(ErrorCode::IoFailure, message, subject); };
    struct Descriptor {
        int number;
        ~Descriptor()
        {
            if (number >= 0)
                ::close(number);
        }
    } descriptor{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)}; // a FIFO must not block the open
    if (descriptor.number < 0)
        fail(std::string("cannot be opened: ") + std::strerror(errno));
    struct stat status = {};
    if (::fstat(descriptor.number, &status) != 0)
        fail(std::string("cannot be read: ") + std::strerror(errno));
    if (S_ISDIR(status.st_mode))
        fail("is a directory, expected a file");
    if (!S_ISREG(status.st_mode))
        fail("is not a regular file");
    if (static_cast<std::uint64_t>(status.st_size) > limit)
        throw Error(ErrorCode::LimitExceeded, "has " + std::to_string(status.st_size) + " bytes, at most " + std::to_string(limit) + " are read",
                    subject);
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t got = ::read(descriptor.number, text.data() + done, text.size() - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            fail(std::string("cannot be read: ") + std::strerror(errno));
        if (got == 0)
            fail("shrank while it was read: found " + std::to_string(done) + " bytes, expected " + std::to_string(text.size()));
        done += static_cast<std::size_t>(got);
    }
    return text;
}

} // namespace tamis::io
