// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/sae_tensors.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/io/json_limits.h"
#include "core/io/mapped_file.h"
#include "core/io/npz.h"
#include "core/io/safetensors.h"
#include "core/io/tensor_entry.h"
#include "core/io/weight_files.h"
#include "core/tensor/convert.h"

#include <algorithm>

namespace tamis::io
{
namespace
{
constexpr std::size_t kBlock = 1u << 20; // elements decoded between two looks at the stop token
constexpr std::int64_t kTile = 64;       // of a transposition, elements a side

std::string subjectOf(const std::string& file, std::string_view name)
{
    return tensorSubject(file, {.name = std::string(name)});
}
} // namespace

void transpose(const float* source, std::int64_t rows, std::int64_t cols, float* target, const RunContext& context)
{
    for (std::int64_t i0 = 0; i0 < rows; i0 += kTile) {
        context.throwIfStopped();
        for (std::int64_t j0 = 0; j0 < cols; j0 += kTile)
            for (std::int64_t i = i0; i < std::min(rows, i0 + kTile); ++i)
                for (std::int64_t j = j0; j < std::min(cols, j0 + kTile); ++j)
                    target[j * rows + i] = source[i * cols + j];
    }
}

SaeTensors::SaeTensors(std::string file, const RunContext& context) : m_file(std::move(file)), m_context(&context) {}

SaeTensors SaeTensors::ofSafetensors(const std::filesystem::path& path, const RunContext& context)
{
    const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
    SaeTensors tensors(path.string(), context);
    for (const TensorEntry& entry : readSafetensorsHeader(*file, context).tensors) {
        const auto read = [file, &context, dtype = entry.dtype, offset = entry.offset,
                           subject = tensorSubject(path, entry)](std::span<float> target) {
            const std::size_t size = tensor::dtypeSize(dtype);
            std::vector<std::byte> bytes(std::min<std::size_t>(target.size(), kBlock) * size);
            for (std::size_t at = 0; at < target.size(); at += kBlock) {
                context.throwIfStopped();
                const std::span<float> part = target.subspan(at, std::min(kBlock, target.size() - at));
                const std::span<std::byte> stored = std::span(bytes).first(part.size() * size);
                file->copy(offset + at * size, stored, subject);
                tensor::decode(dtype, stored, part);
            }
        };
        tensors.m_entries.emplace(entry.name, Entry{entry.dtype, entry.shape, read});
    }
    return tensors;
}

SaeTensors SaeTensors::ofNpz(const std::filesystem::path& path, const RunContext& context)
{
    const std::shared_ptr<const NpzArchive> archive = NpzArchive::open(path);
    SaeTensors tensors(path.string(), context);
    for (const NpzMember& member : archive->members()) {
        const auto read = [archive, &context, &member](std::span<float> target) {
            context.throwIfStopped();
            const NpyArray array = archive->read(member);
            tensor::decode(array.dtype, array.bytes, target);
        };
        tensors.m_entries.emplace(member.name, Entry{member.header.dtype, member.header.shape, read});
    }
    return tensors;
}

SaeTensors SaeTensors::ofTorch(const std::filesystem::path& path, std::shared_ptr<const TorchFile> torch,
                               const PickleValue& dictionary, const RunContext& context)
{
    SaeTensors tensors(path.string(), context);
    const Pickle& pickle = torch->pickle();
    for (std::size_t i = 0; i + 1 < dictionary.items.size(); i += 2) {
        const PickleValue &key = pickle.values[dictionary.items[i]], &value = pickle.values[dictionary.items[i + 1]];
        if (key.kind != PickleKind::Text || value.kind != PickleKind::Tensor)
            continue;
        const PickleTensor& view = pickle.tensors[value.tensor];
        const auto read = [torch, &context, &view, subject = subjectOf(path.string(), key.text)](
                              std::span<float> target) { torch->read(view, target, subject, context); };
        tensors.m_entries.emplace(key.text, Entry{view.dtype, view.shape, read});
    }
    return tensors;
}

std::vector<std::string> SaeTensors::unread() const
{
    std::vector<std::string> names;
    for (const auto& [name, entry] : m_entries)
        if (!entry.wasRead)
            names.push_back(name);
    return names;
}

const SaeTensors::Entry& SaeTensors::find(std::string_view name) const
{
    const auto found = m_entries.find(name);
    if (found == m_entries.end())
        throw Error(ErrorCode::MalformedFile, "lacks the tensor \"" + std::string(name) + '"', m_file);
    return found->second;
}

const std::vector<std::int64_t>& SaeTensors::shape(std::string_view name) const
{
    return find(name).shape;
}

std::string SaeTensors::subject(std::string_view name) const
{
    return subjectOf(m_file, name);
}

void SaeTensors::requireShape(std::string_view name, const std::vector<std::int64_t>& expected) const
{
    const Entry& entry = find(name);
    if (entry.shape != expected)
        throw Error(ErrorCode::MalformedFile,
                    "has the shape " + shapeText(entry.shape) + ", expected " + shapeText(expected), subject(name));
    if (!tensor::isFloating(entry.dtype))
        throw Error(ErrorCode::UnsupportedFeature,
                    "holds " + std::string(tensor::dtypeName(entry.dtype)) + ", expected a floating-point type",
                    subject(name));
}

void SaeTensors::read(std::string_view name, std::span<float> target) const
{
    const Entry& entry = find(name);
    entry.read(target);
    entry.wasRead = true;
    for (std::size_t at = 0; at < target.size(); at += kBlock) {
        m_context->throwIfStopped();
        const std::span<const float> part = target.subspan(at, std::min(kBlock, target.size() - at));
        if (tensor::countNonFinite(part).total() > 0)
            throw Error(ErrorCode::NonFinite, "holds NaN or infinity, expected finite numbers", subject(name));
    }
}

std::vector<float> SaeTensors::vectorOf(std::string_view name, std::int64_t size) const
{
    requireShape(name, {size});
    std::vector<float> values(static_cast<std::size_t>(size));
    read(name, values);
    return values;
}

tensor::Matrix<float> SaeTensors::matrix(std::string_view name, std::int64_t rows, std::int64_t cols,
                                         bool transposed) const
{
    requireShape(name, transposed ? std::vector{cols, rows} : std::vector{rows, cols});
    const std::uint64_t bytes = static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(cols) * sizeof(float);
    if (bytes > kBlock)
        requireMemory(transposed ? 2 * bytes : bytes, subject(name));
    tensor::Matrix<float> matrix(rows, cols);
    if (!transposed) {
        read(name, matrix.values());
        return matrix;
    }
    std::vector<float> stored(matrix.size());
    read(name, stored);
    transpose(stored.data(), cols, rows, matrix.data(), *m_context);
    return matrix;
}

double SaeTensors::scalar(std::string_view name) const
{
    const Entry& entry = find(name);
    if (std::any_of(entry.shape.begin(), entry.shape.end(), [](std::int64_t size) { return size != 1; }))
        throw Error(ErrorCode::MalformedFile, "has the shape " + shapeText(entry.shape) + ", expected one number",
                    subject(name));
    float value = 0;
    read(name, {&value, 1});
    return static_cast<double>(value);
}

} // namespace tamis::io
