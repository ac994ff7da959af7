// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/embed_table.h"

#include "core/base/error.h"
#include "core/io/mapped_file.h"
#include "core/io/npy.h"
#include "core/io/safetensors.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tamis::addressing {
namespace {
constexpr std::string_view kTensor = "deep_embed", kPrefix = "blocks.", kSuffix = ".ffn.enn.weight";
constexpr float kLargestHalf = 65504;

[[noreturn]] void malformed(const std::filesystem::path& file, const std::string& sentence) { throw Error(ErrorCode::MalformedFile, sentence, file.string()); }

bool isTableType(tensor::DType type) { return type == tensor::DType::F32 || type == tensor::DType::F16 || type == tensor::DType::BF16; }

void requireShape(const TableShape& shape, const std::string& subject)
{
    if (!isTableType(shape.type))
        throw Error(ErrorCode::UnsupportedFeature, "found a table of " + std::string(tensor::dtypeName(shape.type)) + ", expected F32, F16 or BF16", subject);
    if (shape.layers < 1 || shape.tokens < 1 || shape.width < 1)
        throw Error(ErrorCode::MalformedFile, "found a table of " + io::shapeText({shape.layers, shape.tokens, shape.width}) + " (layers, tokens, width), expected at least one of each", subject);
    if (shape.layers > kMaximumTableLayers || shape.tokens > kMaximumTableTokens || shape.width > kMaximumTableWidth)
        throw Error(ErrorCode::LimitExceeded, "found a table of " + io::shapeText({shape.layers, shape.tokens, shape.width}) + " (layers, tokens, width), expected at most "
                                                  + io::shapeText({kMaximumTableLayers, kMaximumTableTokens, kMaximumTableWidth}), subject);
}

TableShape shapeFrom(const std::vector<std::int64_t>& dimensions, tensor::DType type, TableLayout layout, const std::filesystem::path& file)
{
    if (dimensions.size() != 3)
        malformed(file, "found a table of shape " + io::shapeText(dimensions) + ", expected three dimensions");
    TableShape shape{dimensions[0], dimensions[1], dimensions[2], type, layout};
    if (layout == TableLayout::TokenMajor)
        std::swap(shape.layers, shape.tokens);
    requireShape(shape, file.string());
    return shape;
}

/// The layer of "blocks.<i>.ffn.enn.weight", -1: another name.
std::int64_t layerOf(std::string_view name)
{
    if (name.size() <= kPrefix.size() + kSuffix.size() || !name.starts_with(kPrefix) || !name.ends_with(kSuffix))
        return -1;
    const std::string_view digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
    std::int64_t layer = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), layer);
    const bool plain = error == std::errc() && end == digits.data() + digits.size() && layer >= 0 && layer < kMaximumTableLayers;
    return plain && (digits == "0" || digits.front() != '0') ? layer : -1;
}

struct Found {
    TableShape shape;
    std::vector<std::uint64_t> starts;
};

Found fromLayers(const std::vector<io::TensorEntry>& tensors, const std::filesystem::path& file)
{
    Found found;
    std::vector<const io::TensorEntry*> layers;
    for (const io::TensorEntry& entry : tensors) {
        const std::int64_t layer = layerOf(entry.name);
        if (layer < 0)
            continue;
        layers.resize(std::max(layers.size(), static_cast<std::size_t>(layer) + 1));
        layers[static_cast<std::size_t>(layer)] = &entry;
    }
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
        const io::TensorEntry* const entry = layers[layer];
        if (!entry)
            malformed(file, "has no tensor \"" + std::string(kPrefix) + std::to_string(layer) + std::string(kSuffix) + "\", expected one for each of " + std::to_string(layers.size()) + " layers");
        if (entry->shape.size() != 2 || entry->shape != layers.front()->shape || entry->dtype != layers.front()->dtype)
            malformed(file, "tensor \"" + entry->name + "\" has the shape " + io::shapeText(entry->shape) + " of " + std::string(tensor::dtypeName(entry->dtype))
                                + ", expected [tokens, width], the same in all layers");
        found.starts.push_back(entry->offset);
    }
    if (layers.empty())
        malformed(file, "has no table, expected a tensor \"deep_embed\" or tensors \"blocks.0.ffn.enn.weight\" and on");
    found.shape = {static_cast<std::int64_t>(layers.size()), layers.front()->shape[0], layers.front()->shape[1], layers.front()->dtype, TableLayout::LayerMajor};
    requireShape(found.shape, file.string());
    return found;
}

std::vector<std::uint64_t> startsOf(const TableShape& shape, std::uint64_t offset)
{
    std::vector<std::uint64_t> starts{offset};
    if (shape.layout == TableLayout::LayerMajor)
        for (std::int64_t layer = 1; layer < shape.layers; ++layer)
            starts.push_back(offset + shape.offset(layer, 0));
    return starts;
}

Found fromSafetensors(const std::filesystem::path& file)
{
    const auto header = io::readSafetensorsHeader(*io::MappedFile::open(file));
    const auto entry = std::ranges::find(header.tensors, kTensor, &io::TensorEntry::name);
    if (entry == header.tensors.end())
        return fromLayers(header.tensors, file);
    const auto layout = header.metadata.find("layout");
    if (layout == header.metadata.end() || (layout->second != layoutName(TableLayout::LayerMajor) && layout->second != layoutName(TableLayout::TokenMajor)))
        malformed(file, "its metadata names " + (layout == header.metadata.end() ? std::string("no layout") : "the layout \"" + layout->second.substr(0, 40) + "\"") + ", expected layer-major or token-major");
    Found found;
    found.shape = shapeFrom(entry->shape, entry->dtype, layoutNamed(layout->second), file);
    found.starts = startsOf(found.shape, entry->offset);
    return found;
}

Found fromArray(const std::filesystem::path& file, std::optional<TableLayout> layout)
{
    const io::NpyHeader header = io::readNpyHeader(file);
    if (!layout)
        throw Error(ErrorCode::InvalidParameter, "does not say which of its dimensions are layers, expected a layout beside it", file.string());
    if (header.bigEndian || header.fortranOrder)
        throw Error(ErrorCode::UnsupportedFeature, "is stored with its first index or its highest byte first, expected a little-endian array in row-major order", file.string());
    Found found;
    found.shape = shapeFrom(header.shape, header.dtype, *layout, file);
    found.starts = startsOf(found.shape, header.dataOffset);
    return found;
}

/// A padding of the metadata that puts the data at a page boundary: the header is a multiple of 8 bytes.
std::map<std::string, std::string> metadataOf(const TableShape& shape, const std::filesystem::path& file, const io::TensorDeclaration& declaration)
{
    std::map<std::string, std::string> metadata{{"layout", std::string(layoutName(shape.layout))}, {"padding", ""}};
    const std::uint64_t start = io::SafetensorsWriter(file, {declaration}, metadata).fileSize() - shape.bytes();
    metadata["padding"] = std::string(static_cast<std::size_t>((kPageBytes - start % kPageBytes) % kPageBytes), ' ');
    return metadata;
}
} // namespace

std::string_view layoutName(TableLayout layout) noexcept { return layout == TableLayout::LayerMajor ? "layer-major" : "token-major"; }

TableLayout layoutNamed(std::string_view name)
{
    for (const TableLayout layout : {TableLayout::LayerMajor, TableLayout::TokenMajor})
        if (name == layoutName(layout))
            return layout;
    throw Error(ErrorCode::InvalidParameter, "found \"" + std::string(name) + "\", expected layer-major or token-major", "layout");
}

std::uint64_t TableShape::offset(std::int64_t layer, std::int64_t token) const noexcept
{
    const std::int64_t row = layout == TableLayout::LayerMajor ? layer * tokens + token : token * layers + layer;
    return static_cast<std::uint64_t>(row) * rowBytes();
}

EmbedTable::EmbedTable(const TableShape& shape, std::uint64_t offset) : m_shape(shape)
{
    requireShape(shape, "table");
    m_layerStart = startsOf(shape, offset);
}

EmbedTable EmbedTable::open(const std::filesystem::path& file, std::optional<TableLayout> layoutOfArray)
{
    Found found = file.extension() == ".npy" ? fromArray(file, layoutOfArray) : fromSafetensors(file);
    EmbedTable table(found.shape);
    table.m_path = file;
    table.m_layerStart = std::move(found.starts);
    return table;
}

ByteRange EmbedTable::row(std::int64_t layer, std::int64_t token) const noexcept
{
    if (m_shape.layout == TableLayout::TokenMajor)
        return {m_layerStart.front() + m_shape.offset(layer, token), m_shape.rowBytes()};
    return {m_layerStart[static_cast<std::size_t>(layer)] + static_cast<std::uint64_t>(token) * m_shape.rowBytes(), m_shape.rowBytes()};
}

void EmbedTable::appendRanges(std::int64_t token, std::vector<ByteRange>& ranges) const
{
    if (m_shape.layout == TableLayout::TokenMajor) {
        ranges.push_back({row(0, token).offset, m_shape.tokenBytes()});
        return;
    }
    for (std::int64_t layer = 0; layer < m_shape.layers; ++layer)
        ranges.push_back(row(layer, token));
}

void writeEmbedTable(const std::filesystem::path& file, const TableShape& shape, const RowValues& values, const RunContext& context)
{
    if (shape.layers < 1 || shape.tokens < 1 || shape.width < 1)
        throw Error(ErrorCode::InvalidParameter, "found a table of " + io::shapeText({shape.layers, shape.tokens, shape.width}) + ", expected at least one layer, token and feature", file.string());
    requireShape(shape, file.string());
    const bool byLayer = shape.layout == TableLayout::LayerMajor;
    const std::int64_t outer = byLayer ? shape.layers : shape.tokens, inner = byLayer ? shape.tokens : shape.layers;
    const io::TensorDeclaration declaration{std::string(kTensor), shape.type, {outer, inner, shape.width}};
    io::SafetensorsWriter writer(file, {declaration}, metadataOf(shape, file, declaration));
    std::vector<float> piece;
    for (std::int64_t i = 0; i < outer; ++i) {
        context.throwIfStopped();
        context.setFraction(static_cast<double>(i) / static_cast<double>(outer));
        piece.clear();
        for (std::int64_t j = 0; j < inner; ++j) {
            const std::span<const float> row = byLayer ? values(i, j) : values(j, i);
            if (static_cast<std::int64_t>(row.size()) != shape.width)
                throw Error(ErrorCode::InvalidParameter, "found a row of " + std::to_string(row.size()) + " values, expected " + std::to_string(shape.width), file.string());
            for (const float value : row)
                if (!std::isfinite(value) || (shape.type == tensor::DType::F16 && std::abs(value) > kLargestHalf))
                    throw Error(ErrorCode::NonFinite, "the value " + std::to_string(value) + " has no place in a table of " + std::string(tensor::dtypeName(shape.type)), file.string());
            piece.insert(piece.end(), row.begin(), row.end());
        }
        writer.appendValues(kTensor, std::span<const float>(piece));
    }
    writer.commit();
    context.finish();
}

} // namespace tamis::addressing
