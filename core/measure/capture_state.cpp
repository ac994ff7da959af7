// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/capture_state.h"

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/sha256.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace tamis::measure {
namespace {
static_assert(std::endian::native == std::endian::little);
constexpr std::string_view kMagic = "TAMISCAP";
constexpr std::uint64_t kVersion = 1;
constexpr std::uint64_t kHashBytes = 64; // hexadecimal
constexpr std::uint64_t kMaximumRecords = 200'000;
constexpr std::uint64_t kMaximumFeatures = 1 << 20;

class Record {
public:
    void number(std::uint64_t value) { append(&value, sizeof value); }
    void text(const std::string& value)
    {
        number(value.size());
        append(value.data(), value.size());
    }
    template <class T> void values(std::span<const T> values)
    {
        number(values.size());
        append(values.data(), values.size_bytes());
    }
    void writeTo(AtomicFile& file) const
    {
        const std::uint64_t length = m_bytes.size();
        file.write(std::as_bytes(std::span(&length, 1)));
        file.write(m_bytes);
        file.write(sha256(m_bytes));
    }

private:
    void append(const void* from, std::size_t size)
    {
        const std::size_t at = m_bytes.size();
        m_bytes.resize(at + size);
        if (size > 0)
            std::memcpy(m_bytes.data() + at, from, size);
    }
    std::vector<std::byte> m_bytes;
};

class RecordReader {
public:
    RecordReader(std::vector<std::byte> bytes, std::string subject) : m_bytes(std::move(bytes)), m_subject(std::move(subject)) {}
    std::uint64_t number()
    {
        std::uint64_t value = 0;
        take(&value, sizeof value);
        return value;
    }
    std::string text()
    {
        std::string value(length(1), '\0');
        take(value.data(), value.size());
        return value;
    }
    template <class T> std::vector<T> values()
    {
        std::vector<T> values(length(sizeof(T)));
        take(values.data(), values.size() * sizeof(T));
        return values;
    }
    void requireEnd() const
    {
        if (m_at != m_bytes.size())
            fail("a record goes on after its end");
    }
    [[noreturn]] void fail(const std::string& message) const
    {
        throw Error(ErrorCode::MalformedFile, "the state of an interrupted capture is damaged: " + message, m_subject);
    }

private:
    std::size_t length(std::size_t size)
    {
        const std::uint64_t count = number();
        if (count > (m_bytes.size() - m_at) / size)
            fail("a length of " + std::to_string(count) + " goes beyond its record");
        return static_cast<std::size_t>(count);
    }
    void take(void* to, std::size_t size)
    {
        if (size > m_bytes.size() - m_at)
            fail("a record ends early");
        if (size > 0)
            std::memcpy(to, m_bytes.data() + m_at, size);
        m_at += size;
    }
    std::vector<std::byte> m_bytes;
    std::string m_subject;
    std::size_t m_at = 0;
};

/// Walks over the file; nothing is allocated before the file is seen to be long enough.
class StateFile {
public:
    explicit StateFile(const std::filesystem::path& file) : m_subject(file.string()), m_stream(file, std::ios::binary)
    {
        std::error_code error;
        m_remaining = std::filesystem::file_size(file, error);
        if (error || !m_stream)
            throw Error(ErrorCode::IoFailure, "cannot be opened: " + (error ? error.message() : std::string(std::strerror(errno))), m_subject);
        std::array<char, kMagic.size()> magic{};
        read(magic.data(), magic.size());
        if (std::string_view(magic.data(), magic.size()) != kMagic)
            throw Error(ErrorCode::MalformedFile, "is not the state of an interrupted capture", m_subject);
        if (const auto version = number(); version != kVersion)
            throw Error(ErrorCode::UnsupportedFeature, "found version " + std::to_string(version) + " of a capture's state, expected "
                                                           + std::to_string(kVersion), m_subject);
        m_records = number();
        if (m_records == 0 || m_records > kMaximumRecords)
            fail("it claims " + std::to_string(m_records) + " records");
    }
    std::uint64_t records() const { return m_records; }
    RecordReader next()
    {
        const std::uint64_t length = number();
        if (m_remaining < kHashBytes || length > m_remaining - kHashBytes)
            fail("a record of " + std::to_string(length) + " bytes goes beyond the file");
        requireMemory(length, m_subject);
        std::vector<std::byte> bytes(static_cast<std::size_t>(length));
        read(reinterpret_cast<char*>(bytes.data()), bytes.size());
        std::string hash(kHashBytes, '\0');
        read(hash.data(), hash.size());
        if (sha256(bytes) != hash)
            fail("a record does not have its checksum");
        return {std::move(bytes), m_subject};
    }
    void requireEnd() const
    {
        if (m_remaining != 0)
            fail("there are " + std::to_string(m_remaining) + " bytes after the last record");
    }

private:
    [[noreturn]] void fail(const std::string& message) const
    {
        throw Error(ErrorCode::MalformedFile, "the state of an interrupted capture is damaged: " + message, m_subject);
    }
    std::uint64_t number()
    {
        std::uint64_t value = 0;
        read(reinterpret_cast<char*>(&value), sizeof value);
        return value;
    }
    void read(char* to, std::size_t size)
    {
        if (size > m_remaining)
            fail("it ends early");
        if (!m_stream.read(to, static_cast<std::streamsize>(size)))
            throw Error(ErrorCode::IoFailure, "reading failed", m_subject);
        m_remaining -= size;
    }
    std::string m_subject;
    std::ifstream m_stream;
    std::uint64_t m_remaining = 0, m_records = 0;
};

Record headRecord(const CaptureState& state)
{
    Record head;
    for (const std::string* text : {&state.key.modelSha256, &state.key.inputsSha256, &state.key.settings})
        head.text(*text);
    head.number(state.nextSample);
    head.number(state.tokens);
    head.number(state.links.size());
    for (const auto& link : state.links) {
        head.text(link.name);
        head.text(link.target);
    }
    head.number(state.gradients.size());
    for (const auto& gradient : state.gradients) {
        head.text(gradient.name);
        head.number(gradient.count);
        head.values(std::span<const double>(gradient.squares));
    }
    return head;
}

CaptureState readHead(RecordReader record)
{
    CaptureState state;
    for (std::string* text : {&state.key.modelSha256, &state.key.inputsSha256, &state.key.settings})
        *text = record.text();
    state.nextSample = record.number();
    state.tokens = record.number();
    for (std::uint64_t links = record.number(); links > 0; --links) {
        const std::string name = record.text();
        state.links.push_back({name, record.text(), {}});
    }
    for (std::uint64_t gradients = record.number(); gradients > 0; --gradients) {
        GradientSum gradient;
        gradient.name = record.text();
        gradient.count = record.number();
        gradient.squares = record.values<double>();
        state.gradients.push_back(std::move(gradient));
    }
    record.requireEnd();
    return state;
}

GramAccumulator readSums(RecordReader record)
{
    const std::string name = record.text();
    GramAccumulator::State sums;
    sums.count = record.number();
    sums.sum = record.values<double>();
    const auto gram = record.values<double>();
    sums.samples = record.values<float>();
    sums.heldOut = record.values<float>();
    record.requireEnd();
    const std::uint64_t n = sums.sum.size();
    if (n == 0 || n > kMaximumFeatures || gram.size() != n * n)
        record.fail("the sums of '" + name + "' have " + std::to_string(n) + " features and " + std::to_string(gram.size()) + " products");
    sums.gram = tensor::Matrix<double>(static_cast<std::int64_t>(n), static_cast<std::int64_t>(n));
    std::ranges::copy(gram, sums.gram.data());
    GramAccumulator accumulator(name, static_cast<std::int64_t>(n));
    accumulator.restore(std::move(sums));
    return accumulator;
}

} // namespace

void writeCaptureState(const std::filesystem::path& path, const CaptureState& state, const RunContext& context)
{
    AtomicFile file(path);
    file.write(kMagic);
    const std::array<std::uint64_t, 2> counts{kVersion, state.sums.size() + 1};
    file.write(std::as_bytes(std::span(counts)));
    headRecord(state).writeTo(file);
    for (const GramAccumulator& accumulator : state.sums) {
        context.throwIfStopped();
        const auto sums = accumulator.state();
        Record record;
        record.text(accumulator.name());
        record.number(sums.count);
        record.values(std::span<const double>(sums.sum));
        record.values(std::span<const double>(sums.gram.values()));
        record.values(std::span<const float>(sums.samples));
        record.values(std::span<const float>(sums.heldOut));
        record.writeTo(file);
    }
    context.throwIfStopped();
    file.commit();
}

CaptureState readCaptureState(const std::filesystem::path& path, const RunContext& context)
{
    StateFile file(path);
    CaptureState state = readHead(file.next());
    for (std::uint64_t record = 1; record < file.records(); ++record) {
        context.throwIfStopped();
        state.sums.push_back(readSums(file.next()));
    }
    file.requireEnd();
    return state;
}

} // namespace tamis::measure
