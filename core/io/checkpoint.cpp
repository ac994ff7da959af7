// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/checkpoint.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/io/weight_files.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <fstream>
#include <mutex>

namespace tamis::io {
namespace {
constexpr std::uint64_t kSmallRead = 16u << 20; // below this the free memory is not asked for
constexpr std::int64_t kTile = 64;              // of a transposition, elements a side

void requireRoom(std::uint64_t bytes, const std::string& subject)
{
    if (bytes > kSmallRead)
        requireMemory(bytes, subject);
}

template <class T> void transpose(const T* source, std::int64_t rows, std::int64_t cols, T* target)
{
    for (std::int64_t i0 = 0; i0 < rows; i0 += kTile)
        for (std::int64_t j0 = 0; j0 < cols; j0 += kTile)
            for (std::int64_t i = i0; i < std::min(rows, i0 + kTile); ++i)
                for (std::int64_t j = j0; j < std::min(cols, j0 + kTile); ++j)
                    target[j * rows + i] = source[i * cols + j];
}

bool hasMagic(const std::filesystem::path& file, std::string_view magic)
{
    std::array<char, 16> start = {};
    std::ifstream stream;
    if (std::filesystem::is_regular_file(file)) // opening a FIFO would wait for its writer
        stream.open(file, std::ios::binary);
    return stream.read(start.data(), static_cast<std::streamsize>(magic.size())) && std::string_view(start.data(), magic.size()) == magic;
}

// 8 bytes of a length that fits the file, then an opening brace.
bool looksLikeSafetensors(const std::filesystem::path& file)
{
    if (!std::filesystem::is_regular_file(file))
        return false;
    const std::uint64_t size = std::filesystem::file_size(file);
    std::array<char, 9> start = {};
    std::ifstream stream(file, std::ios::binary);
    if (!stream.read(start.data(), start.size()))
        return false;
    std::uint64_t length = 0;
    std::memcpy(&length, start.data(), sizeof(length));
    return start[8] == '{' && length <= size - sizeof(length);
}
} // namespace

struct Checkpoint::Content {
    std::filesystem::path path;
    std::vector<std::filesystem::path> files;
    WeightFiles weights; // tensors sorted by name
    ModelConfig config;
    ModelLayout layout;
    std::uint64_t parameters = 0, bytes = 0;
    std::timed_mutex digestLock;
    std::string digest; // "" until computed

    std::string subject(const TensorEntry& entry) const
    {
        if (entry.file >= files.size())
            throw Error(ErrorCode::InvalidParameter, "is not a tensor of this checkpoint", entry.name);
        return tensorSubject(files[entry.file], entry);
    }

    // use(bytes) under the rules of MappedFile::visit.
    template <class Use> void visit(const TensorEntry& entry, Use&& use) const
    {
        const std::string about = subject(entry);
        if (!weights.decode) {
            weights.files[entry.file]->visit(entry.offset, entry.bytes, about, use);
            return;
        }
        const std::vector<std::byte> decoded = weights.decode(entry);
        if (decoded.size() != entry.bytes)
            throw Error(ErrorCode::IoFailure, "changed after it was opened: found " + std::to_string(decoded.size()) + " bytes, expected " +
                                                  std::to_string(entry.bytes), about);
        use(std::span<const std::byte>(decoded));
    }
    template <class T> void decodeInto(const TensorEntry& entry, std::span<T> destination) const
    {
        // The sizes are made to agree here, so that decode() cannot throw while the file is being visited.
        if (entry.elements() != destination.size() || entry.bytes != destination.size() * tensor::dtypeSize(entry.dtype))
            throw Error(ErrorCode::InvalidParameter, "is not a tensor of this checkpoint", subject(entry));
        visit(entry, [&](std::span<const std::byte> stored) { tensor::decode(entry.dtype, stored, destination); });
    }
    template <class T> tensor::Matrix<T> readMatrix(const Checkpoint& self, const MatrixRef& matrix) const;
};

template <class T> tensor::Matrix<T> Checkpoint::Content::readMatrix(const Checkpoint& self, const MatrixRef& matrix) const
{
    const TensorEntry* entry = self.find(matrix.tensor);
    if (entry == nullptr)
        throw Error(ErrorCode::InvalidParameter, "has no tensor " + matrix.tensor, path.string());
    const std::uint64_t elements = entry->elements();
    const bool agrees = matrix.rows > 0 && matrix.cols > 0 && elements % static_cast<std::uint64_t>(matrix.rows) == 0 &&
                        elements / static_cast<std::uint64_t>(matrix.rows) == static_cast<std::uint64_t>(matrix.cols);
    if (!agrees)
        throw Error(ErrorCode::InvalidParameter,
                    "was asked for as " + std::to_string(matrix.rows) + " x " + std::to_string(matrix.cols) + ", found " + shapeText(entry->shape),
                    subject(*entry));
    requireRoom(elements * sizeof(T) * (matrix.transposed ? 2 : 1), subject(*entry));
    tensor::Matrix<T> result(matrix.rows, matrix.cols);
    if (!matrix.transposed) {
        decodeInto(*entry, result.values());
        return result;
    }
    std::vector<T> stored(elements);
    decodeInto<T>(*entry, stored);
    transpose(stored.data(), matrix.cols, matrix.rows, result.data());
    return result;
}

Checkpoint::Checkpoint(std::unique_ptr<Content> content) : m_content(std::move(content)) {}
Checkpoint::~Checkpoint() = default;

std::shared_ptr<const Checkpoint> Checkpoint::open(const std::filesystem::path& path, const RunContext& context)
{
    const WeightLocation location = locateWeights(path);
    auto content = std::make_unique<Content>();
    content->path = path;
    content->weights = openWeights(location, context);
    std::vector<TensorEntry>& tensors = content->weights.tensors;
    if (tensors.empty())
        throw Error(ErrorCode::UnsupportedFeature, "holds no tensors", location.file.string());
    for (const auto& file : content->weights.files)
        content->files.push_back(file->path());
    std::sort(tensors.begin(), tensors.end(), [](const TensorEntry& a, const TensorEntry& b) { return naturalLess(a.name, b.name); });
    for (const TensorEntry& entry : tensors) {
        content->parameters += entry.elements();
        content->bytes += entry.bytes;
    }
    context.throwIfStopped();
    if (location.config)
        content->config = readModelConfig(*location.config);
    content->layout = recogniseLayout(tensors, content->config);
    context.finish();
    return std::shared_ptr<const Checkpoint>(new Checkpoint(std::move(content)));
}

const std::filesystem::path& Checkpoint::path() const noexcept
{
    return m_content->path;
}

const std::vector<std::filesystem::path>& Checkpoint::files() const noexcept
{
    return m_content->files;
}

const std::string& Checkpoint::format() const noexcept
{
    return m_content->weights.format;
}

const ModelConfig& Checkpoint::config() const noexcept
{
    return m_content->config;
}

const ModelLayout& Checkpoint::layout() const noexcept
{
    return m_content->layout;
}

const std::vector<TensorEntry>& Checkpoint::tensors() const noexcept
{
    return m_content->weights.tensors;
}

const TensorEntry* Checkpoint::find(std::string_view name) const noexcept
{
    const std::vector<TensorEntry>& all = tensors();
    const auto place = std::lower_bound(all.begin(), all.end(), name,
                                        [](const TensorEntry& entry, std::string_view wanted) { return naturalLess(entry.name, wanted); });
    return place != all.end() && place->name == name ? &*place : nullptr;
}

std::uint64_t Checkpoint::parameters() const noexcept
{
    return m_content->parameters;
}

std::uint64_t Checkpoint::bytes() const noexcept
{
    return m_content->bytes;
}

std::vector<float> Checkpoint::readFloats(const TensorEntry& entry) const
{
    requireRoom(entry.elements() * sizeof(float), m_content->subject(entry));
    std::vector<float> values(entry.elements());
    m_content->decodeInto<float>(entry, values);
    return values;
}

tensor::Matrix<float> Checkpoint::readMatrix(const MatrixRef& matrix) const
{
    return m_content->readMatrix<float>(*this, matrix);
}

tensor::Matrix<double> Checkpoint::readMatrixDouble(const MatrixRef& matrix) const
{
    return m_content->readMatrix<double>(*this, matrix);
}

std::vector<std::byte> Checkpoint::readBytes(const TensorEntry& entry) const
{
    requireRoom(entry.bytes, m_content->subject(entry));
    std::vector<std::byte> bytes(entry.bytes);
    m_content->visit(entry, [&](std::span<const std::byte> stored) {
        if (!stored.empty())
            std::memcpy(bytes.data(), stored.data(), stored.size());
    });
    return bytes;
}

std::string Checkpoint::sha256(const RunContext& context) const
{
    // Of the mapped files, not of what their names may stand for by now. Whoever comes second waits for the first.
    std::unique_lock lock(m_content->digestLock, std::defer_lock);
    while (!lock.try_lock_for(std::chrono::milliseconds(10)))
        context.throwIfStopped();
    if (!m_content->digest.empty())
        return m_content->digest;
    std::uint64_t total = 0, done = 0;
    for (const auto& file : m_content->weights.files)
        total += file->size();
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
    std::vector<std::byte> block(1u << 20);
    for (const auto& file : m_content->weights.files) {
        for (std::uint64_t offset = 0; offset < file->size(); offset += block.size()) {
            context.throwIfStopped();
            const std::span part = std::span(block).first(std::min<std::uint64_t>(block.size(), file->size() - offset));
            file->copy(offset, part, file->path().string());
            EVP_DigestUpdate(digest.get(), part.data(), part.size());
            done += part.size();
            context.setFraction(static_cast<double>(done) / static_cast<double>(total));
        }
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw = {};
    unsigned size = 0;
    EVP_DigestFinal_ex(digest.get(), raw.data(), &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
        text += "0123456789abcdef"[raw[i] >> 4];
        text += "0123456789abcdef"[raw[i] & 15];
    }
    m_content->digest = text;
    return text;
}

bool looksLikeCheckpoint(const std::filesystem::path& path)
{
    try {
        const WeightLocation location = locateWeights(path);
        switch (location.kind) {
        case WeightLocation::Kind::Safetensors: return looksLikeSafetensors(location.file);
        case WeightLocation::Kind::ShardIndex: return std::filesystem::is_regular_file(location.file);
        case WeightLocation::Kind::Npy: return hasMagic(location.file, "\x93NUMPY");
        case WeightLocation::Kind::Npz: return hasMagic(location.file, "PK\x03\x04");
        }
    } catch (const std::exception&) { // unreadable: no
    }
    return false;
}

} // namespace tamis::io
