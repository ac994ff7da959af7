// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A table of rows by layer and token in a file: what DeepEmbed reads. Three forms are read:
//   .safetensors with one tensor "deep_embed" of rank 3 and the layout in its metadata ("layout": "layer-major" or "token-major"),
//   .safetensors with a tensor "blocks.<i>.ffn.enn.weight" [tokens, width] a layer, as RWKV v8's first demonstration stores it,
//   .npy of rank 3, whose layout the caller names.
#include "core/addressing/row_reader.h"
#include "core/base/run_context.h"
#include "core/tensor/dtype.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::addressing {

enum class TableLayout {
    LayerMajor, ///< [layer][token][width]: a token's rows lie apart
    TokenMajor  ///< [token][layer][width]: they are one piece
};
std::string_view layoutName(TableLayout layout) noexcept; ///< "layer-major", "token-major"
/// Throws Error{InvalidParameter} for another word.
TableLayout layoutNamed(std::string_view name);

struct TableShape {
    std::int64_t layers = 0, tokens = 0, width = 0;
    tensor::DType type = tensor::DType::F32; ///< F32, F16 or BF16
    TableLayout layout = TableLayout::LayerMajor;
    std::uint64_t rowBytes() const noexcept { return static_cast<std::uint64_t>(width) * tensor::dtypeSize(type); }
    std::uint64_t tokenBytes() const noexcept { return static_cast<std::uint64_t>(layers) * rowBytes(); } ///< all layers of one token
    std::uint64_t bytes() const noexcept { return static_cast<std::uint64_t>(tokens) * tokenBytes(); }
    /// Of a row from the table's first byte.
    std::uint64_t offset(std::int64_t layer, std::int64_t token) const noexcept;
    bool operator==(const TableShape&) const = default;
};

inline constexpr std::int64_t kMaximumTableLayers = 4096, kMaximumTableTokens = std::int64_t{1} << 28, kMaximumTableWidth = 1 << 20;

/// Where the rows of a table lie. Holds no row. Immutable.
class EmbedTable {
public:
    /// Reads the header. `layoutOfArray`: of a .npy; not used otherwise. Throws Error{MalformedFile, UnsupportedFeature, LimitExceeded, IoFailure},
    /// Error{InvalidParameter} for a .npy without a layout.
    static EmbedTable open(const std::filesystem::path& file, std::optional<TableLayout> layoutOfArray = {});
    /// A table without a file, its first byte at `offset`: for counting.
    explicit EmbedTable(const TableShape& shape, std::uint64_t offset = 0);

    const TableShape& shape() const noexcept { return m_shape; }
    const std::filesystem::path& path() const noexcept { return m_path; }
    ByteRange row(std::int64_t layer, std::int64_t token) const noexcept;
    /// What a token's rows of all layers are read by: one range a layer, or one in all where they are one piece. Appends.
    void appendRanges(std::int64_t token, std::vector<ByteRange>& ranges) const;

private:
    std::filesystem::path m_path;
    TableShape m_shape;
    std::vector<std::uint64_t> m_layerStart; ///< layer-major: of row 0 of each layer; token-major: one, of the table
};

/// Values of the row, [width]; asked for once each, in the order in which they lie in the file.
using RowValues = std::function<std::span<const float>(std::int64_t layer, std::int64_t token)>;

/// Writes the first form, rounded to nearest even, the table's first byte at a page boundary. Throws Error{InvalidParameter (a shape that cannot be, a
/// row of another width), NonFinite (a value that is no finite number of the type), IoFailure, Cancelled}.
void writeEmbedTable(const std::filesystem::path& file, const TableShape& shape, const RowValues& values, const RunContext& context = {});

} // namespace tamis::addressing
