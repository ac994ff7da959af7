// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/npy.h"

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/io/mapped_file.h"
#include "core/io/printable_name.h"
#include "core/io/tensor_entry.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

namespace tamis::io {
namespace {

using tensor::DType;
static_assert(std::endian::native == std::endian::little, "elements are kept as the machine wants them");

constexpr std::string_view kMagic("\x93NUMPY", 6);

std::uint64_t product(const std::vector<std::int64_t>& shape) noexcept
{
    std::uint64_t elements = 1;
    for (const std::int64_t dimension : shape)
        elements *= static_cast<std::uint64_t>(dimension);
    return elements;
}

/// The literal that NumPy writes, {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }, and nothing else: three
/// known keys in any order, each once; strings without escapes; then spaces and the end.
class HeaderParser {
public:
    /// `text` starts `offset` bytes into the file (for messages).
    HeaderParser(std::string_view text, std::uint64_t offset, const std::string& subject)
        : m_text(text), m_offset(offset), m_subject(subject)
    {
    }

    NpyHeader parse()
    {
        NpyHeader header;
        bool descr = false, order = false, shape = false;
        expect('{');
        while (!accept('}')) {
            const std::size_t start = m_at;
            const std::string_view key = string("a key");
            expect(':');
            if (key == "descr" && !descr) {
                descr = true;
                parseDescr(header);
            } else if (key == "fortran_order" && !order) {
                order = true;
                header.fortranOrder = boolean();
            } else if (key == "shape" && !shape) {
                shape = true;
                header.shape = tuple();
            } else {
                m_at = start;
                fail("found the key '" + printableName(key) + "', expected descr, fortran_order and shape, each once");
            }
            if (!accept(',') && !at('}'))
                fail("expected ',' or '}' after a value");
        }
        skipSpace();
        if (m_at != m_text.size())
            fail("expected nothing but spaces after the closing '}'");
        if (!descr || !order || !shape)
            fail(std::string("the header lacks the key '") + (!descr ? "descr" : !order ? "fortran_order" : "shape") + "'");
        return header;
    }

private:
    [[noreturn]] void fail(const std::string& message, ErrorCode code = ErrorCode::MalformedFile) const
    {
        throw Error(code, "NumPy header: " + message, m_subject, m_offset + m_at);
    }
    void skipSpace()
    {
        while (m_at < m_text.size() && (m_text[m_at] == ' ' || m_text[m_at] == '\n'))
            ++m_at;
    }
    bool at(char c)
    {
        skipSpace();
        return m_at < m_text.size() && m_text[m_at] == c;
    }
    bool accept(char c)
    {
        const bool there = at(c);
        m_at += there;
        return there;
    }
    void expect(char c)
    {
        if (!accept(c))
            fail(std::string("expected '") + c + "'");
    }
    std::string_view string(const char* what)
    {
        const char quote = at('"') ? '"' : '\'';
        if (!accept(quote))
            fail(std::string("expected ") + what + " in quotes");
        const std::size_t end = m_text.find_first_of(quote == '"' ? "\"\\\n" : "'\\\n", m_at);
        if (end == std::string_view::npos || m_text[end] != quote)
            fail(std::string("expected ") + what + " that ends with its quote and has no escapes");
        const std::string_view value = m_text.substr(m_at, end - m_at);
        m_at = end + 1;
        return value;
    }
    bool word(std::string_view expected)
    {
        skipSpace();
        if (m_text.substr(m_at, expected.size()) != expected)
            return false;
        m_at += expected.size();
        return true;
    }
    bool boolean()
    {
        if (word("True"))
            return true;
        if (!word("False"))
            fail("fortran_order: expected True or False");
        return false;
    }
    std::int64_t dimension()
    {
        skipSpace();
        std::int64_t value = 0;
        const char* first = m_text.data() + m_at;
        const auto [end, problem] = std::from_chars(first, m_text.data() + m_text.size(), value);
        if (problem == std::errc::result_out_of_range)
            fail("a dimension of the shape overflows 64 bits");
        if (problem != std::errc())
            fail("shape: expected a whole number");
        if (value < 0)
            fail("shape: found the negative dimension " + std::to_string(value));
        m_at += static_cast<std::size_t>(end - first);
        if (m_at < m_text.size() && m_text[m_at] == 'L') // Python 2 wrote long integers so
            ++m_at;
        return value;
    }
    /// "()", "(3,)", "(3, 4)". Without a comma, "(3)" is not a tuple in Python.
    std::vector<std::int64_t> tuple()
    {
        std::vector<std::int64_t> shape;
        if (!accept('('))
            fail("shape: expected a tuple");
        bool comma = true;
        while (!accept(')')) {
            if (!comma)
                fail("shape: expected ',' or ')'");
            if (shape.size() == kMaximumRank)
                fail("shape: found more than " + std::to_string(kMaximumRank) + " dimensions", ErrorCode::LimitExceeded);
            shape.push_back(dimension());
            comma = accept(',');
        }
        if (shape.size() == 1 && !comma)
            fail("shape: expected a tuple, found a number in parentheses");
        return shape;
    }
    void parseDescr(NpyHeader& header)
    {
        if (at('[') || at('('))
            fail("found a structured dtype, expected plain elements", ErrorCode::UnsupportedFeature);
        const std::string_view name = string("a dtype");
        struct Known {
            std::string_view name;
            DType type;
        };
        static constexpr std::array<Known, 9> kKnown{{{"f8", DType::F64}, {"f4", DType::F32}, {"f2", DType::F16},
            {"i8", DType::I64}, {"i4", DType::I32}, {"i2", DType::I16}, {"i1", DType::I8}, {"u1", DType::U8}, {"b1", DType::Bool}}};
        const std::string shown = "'" + printableName(name) + "'";
        const char order = name.empty() ? '\0' : name.front();
        const std::string_view base = name.substr(std::min<std::size_t>(1, name.size()));
        if (order == '<' || order == '>' || order == '|' || order == '=')
            for (const Known& known : kKnown)
                if (base == known.name && (order != '|' || tensor::dtypeSize(known.type) == 1)) {
                    header.dtype = known.type;
                    header.bigEndian = order == '>' && tensor::dtypeSize(known.type) > 1;
                    return;
                }
        if (name.find('O') != std::string_view::npos)
            fail("found the dtype " + shown + ": object arrays are Python pickles, which are never opened", ErrorCode::UnsupportedFeature);
        fail("found the dtype " + shown + ", expected one of f8 f4 f2 i8 i4 i2 i1 u1 b1 with its byte order", ErrorCode::UnsupportedFeature);
    }

    std::string_view m_text;
    std::uint64_t m_offset;
    const std::string& m_subject;
    std::size_t m_at = 0;
};

/// Copies `data`, whose FIRST index varies fastest, so that the last one does.
template <std::size_t Size>
void transposeElements(const std::byte* data, const std::vector<std::int64_t>& shape, std::byte* result)
{
    const std::size_t rank = shape.size();
    std::vector<std::size_t> strides(rank, 1); // in elements, of the Fortran order
    for (std::size_t axis = 1; axis < rank; ++axis)
        strides[axis] = strides[axis - 1] * static_cast<std::size_t>(shape[axis - 1]);
    std::vector<std::int64_t> index(rank, 0);
    const std::size_t elements = product(shape);
    std::size_t source = 0;
    for (std::size_t i = 0; i < elements; ++i) {
        std::memcpy(result + i * Size, data + source * Size, Size);
        for (std::size_t axis = rank; axis-- > 0;) {
            source += strides[axis];
            if (++index[axis] < shape[axis])
                break;
            source -= strides[axis] * static_cast<std::size_t>(shape[axis]);
            index[axis] = 0;
        }
    }
}

std::vector<std::byte> transposed(const NpyHeader& header, const std::vector<std::byte>& data)
{
    std::vector<std::byte> result(data.size());
    switch (tensor::dtypeSize(header.dtype)) {
    case 1: transposeElements<1>(data.data(), header.shape, result.data()); break;
    case 2: transposeElements<2>(data.data(), header.shape, result.data()); break;
    case 4: transposeElements<4>(data.data(), header.shape, result.data()); break;
    default: transposeElements<8>(data.data(), header.shape, result.data()); break;
    }
    return result;
}

template <class T> tensor::Matrix<T> asMatrix(const NpyArray& array)
{
    std::int64_t rows = 1;
    const std::uint64_t elements = array.elements();
    if (array.shape.size() >= 2)
        rows = array.shape.front();
    std::int64_t cols = rows == 0 ? 0 : static_cast<std::int64_t>(elements) / rows;
    if (rows == 0 && array.shape.size() == 2)
        cols = array.shape[1];
    tensor::Matrix<T> matrix(rows, cols);
    tensor::decode(array.dtype, array.bytes, matrix.values());
    return matrix;
}

template <class T> std::string formatArray(std::span<const T> values, const std::vector<std::int64_t>& shape, const char* descr)
{
    std::uint64_t elements = 1;
    std::string header = std::string("{'descr': '") + descr + "', 'fortran_order': False, 'shape': (";
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] < 0 || __builtin_mul_overflow(elements, static_cast<std::uint64_t>(shape[axis]), &elements))
            throw Error(ErrorCode::InvalidParameter, "a NumPy array cannot have the shape " + shapeText(shape));
        header += std::to_string(shape[axis]) + (axis + 1 < shape.size() ? ", " : shape.size() == 1 ? "," : "");
    }
    header += "), }";
    if (elements != values.size())
        throw Error(ErrorCode::InvalidParameter, "a NumPy array of shape " + shapeText(shape) + " needs " + std::to_string(elements)
                                                     + " values, found " + std::to_string(values.size()));
    // Data start at a multiple of 64, as NumPy does: magic 6, version 2, length 2, header, '\n'.
    const std::size_t unpadded = 10 + header.size() + 1;
    header.append((64 - unpadded % 64) % 64, ' ');
    header += '\n';
    std::string bytes(kMagic);
    bytes += {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
    bytes += header;
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    return bytes;
}

} // namespace

std::uint64_t NpyHeader::elements() const noexcept { return product(shape); }
std::uint64_t NpyArray::elements() const noexcept { return product(shape); }

std::uint64_t npyHeaderBytes(std::span<const std::byte> start, const std::string& subject)
{
    const auto byte = [&](std::size_t i) { return std::to_integer<std::uint64_t>(start[i]); };
    if (start.size() < 10 || std::memcmp(start.data(), kMagic.data(), kMagic.size()) != 0)
        throw Error(ErrorCode::MalformedFile, "is not a NumPy array: expected it to start with \\x93NUMPY, a version and a length", subject, 0);
    const std::uint64_t major = byte(6), minor = byte(7);
    if (major < 1 || major > 3 || minor != 0)
        throw Error(ErrorCode::UnsupportedFeature, "found NumPy format version " + std::to_string(major) + "." + std::to_string(minor)
                                                       + ", expected 1.0, 2.0 or 3.0", subject, 6);
    if (major > 1 && start.size() < 12)
        throw Error(ErrorCode::MalformedFile, "the file ends inside the NumPy header", subject, start.size());
    std::uint64_t length = byte(8) | byte(9) << 8;
    if (major > 1)
        length |= byte(10) << 16 | byte(11) << 24;
    if (length > kMaximumNpyHeader)
        throw Error(ErrorCode::LimitExceeded, "found a NumPy header of " + std::to_string(length) + " bytes, expected at most "
                                                  + std::to_string(kMaximumNpyHeader), subject, 8);
    return (major > 1 ? 12 : 10) + length;
}

NpyHeader parseNpyHeader(std::span<const std::byte> bytes, std::uint64_t size, const std::string& subject)
{
    const std::uint64_t end = npyHeaderBytes(bytes.first(std::min<std::size_t>(bytes.size(), 12)), subject);
    if (end > bytes.size() || end > size)
        throw Error(ErrorCode::MalformedFile, "the file ends inside the NumPy header, which needs " + std::to_string(end) + " bytes", subject,
                    std::min<std::uint64_t>(bytes.size(), size));
    const std::uint64_t textStart = std::to_integer<int>(bytes[6]) > 1 ? 12 : 10;
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + textStart, end - textStart);
    NpyHeader header = HeaderParser(text, textStart, subject).parse();
    header.dataOffset = end;
    header.dataBytes = checkedTensorBytes(header.dtype, header.shape, subject);
    if (header.dataBytes != size - end)
        throw Error(ErrorCode::MalformedFile, "found " + std::to_string(size - end) + " bytes of data, expected "
                                                  + std::to_string(header.dataBytes) + " for the shape " + shapeText(header.shape), subject, end);
    return header;
}

std::vector<std::byte> normaliseNpyElements(const NpyHeader& header, std::vector<std::byte> data)
{
    const std::size_t size = tensor::dtypeSize(header.dtype);
    if (header.bigEndian)
        for (std::size_t at = 0; at + size <= data.size(); at += size)
            std::reverse(data.data() + at, data.data() + at + size);
    const auto longAxes = std::count_if(header.shape.begin(), header.shape.end(), [](std::int64_t n) { return n > 1; });
    return header.fortranOrder && longAxes > 1 && !data.empty() ? transposed(header, data) : std::move(data);
}

NpyArray parseNpy(std::span<const std::byte> bytes, const std::string& subject)
{
    const NpyHeader header = parseNpyHeader(bytes, bytes.size(), subject);
    const auto data = bytes.subspan(header.dataOffset);
    return {header.dtype, header.shape, normaliseNpyElements(header, {data.begin(), data.end()})};
}

namespace {
NpyHeader readHeader(const MappedFile& file)
{
    const std::string subject = file.path().string();
    std::vector<std::byte> bytes(std::min<std::uint64_t>(file.size(), 12));
    file.copy(0, bytes, subject);
    bytes.resize(std::min(file.size(), npyHeaderBytes(bytes, subject)));
    file.copy(0, bytes, subject);
    return parseNpyHeader(bytes, file.size(), subject);
}
} // namespace

NpyHeader readNpyHeader(const std::filesystem::path& file) { return readHeader(*MappedFile::open(file)); }

NpyArray readNpy(const std::filesystem::path& path)
{
    const auto file = MappedFile::open(path);
    const NpyHeader header = readHeader(*file);
    requireMemory(header.dataBytes * (header.fortranOrder ? 2 : 1), path.string());
    std::vector<std::byte> data(header.dataBytes);
    file->copy(header.dataOffset, data, path.string());
    return {header.dtype, header.shape, normaliseNpyElements(header, std::move(data))};
}

std::vector<float> NpyArray::toFloats() const
{
    std::vector<float> values(elements());
    tensor::decode(dtype, bytes, std::span(values));
    return values;
}

std::vector<double> NpyArray::toDoubles() const
{
    std::vector<double> values(elements());
    tensor::decode(dtype, bytes, std::span(values));
    return values;
}

tensor::Matrix<float> NpyArray::toFloatMatrix() const { return asMatrix<float>(*this); }
tensor::Matrix<double> NpyArray::toDoubleMatrix() const { return asMatrix<double>(*this); }

std::string formatNpy(std::span<const float> values, const std::vector<std::int64_t>& shape) { return formatArray(values, shape, "<f4"); }
std::string formatNpy(std::span<const double> values, const std::vector<std::int64_t>& shape) { return formatArray(values, shape, "<f8"); }
std::string formatNpy(std::span<const std::int64_t> values, const std::vector<std::int64_t>& shape) { return formatArray(values, shape, "<i8"); }

void writeNpy(const std::filesystem::path& file, std::span<const float> values, const std::vector<std::int64_t>& shape)
{
    writeFileAtomically(file, formatNpy(values, shape));
}
void writeNpy(const std::filesystem::path& file, std::span<const double> values, const std::vector<std::int64_t>& shape)
{
    writeFileAtomically(file, formatNpy(values, shape));
}
void writeNpy(const std::filesystem::path& file, std::span<const std::int64_t> values, const std::vector<std::int64_t>& shape)
{
    writeFileAtomically(file, formatNpy(values, shape));
}

} // namespace tamis::io
