// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/remote/transfer.h"

#include "core/base/error.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cmath>

namespace tamis::remote {
namespace {
void packRow(std::span<const float> row, std::byte* to, float& scale)
{
    float most = 0;
    for (const float value : row) {
        if (!std::isfinite(value))
            throw Error(ErrorCode::NonFinite, "found a value that is not finite, expected numbers that int8 can hold", "features");
        most = std::max(most, std::fabs(value));
    }
    scale = most / 127.0F;
    for (std::size_t i = 0; i < row.size(); ++i) {
        const long level = scale > 0 ? std::lround(row[i] / scale) : 0;
        to[i] = static_cast<std::byte>(static_cast<std::int8_t>(std::clamp(level, -127L, 127L)));
    }
}
} // namespace

std::string_view transferName(Transfer transfer) noexcept { return transfer == Transfer::F32 ? "f32" : transfer == Transfer::F16 ? "f16" : "int8"; }

std::optional<Transfer> transferNamed(std::string_view name) noexcept
{
    for (const Transfer each : {Transfer::F32, Transfer::F16, Transfer::I8})
        if (transferName(each) == name)
            return each;
    return {};
}

std::uint64_t transferBytes(Transfer transfer, std::uint64_t rows, std::uint64_t cols) noexcept
{
    return transfer == Transfer::F32 ? rows * cols * 4 : transfer == Transfer::F16 ? rows * cols * 2 : rows * cols + rows * 4;
}

FeatureForm formOf(Transfer transfer, std::int64_t rows, std::int64_t cols)
{
    const tensor::DType type = transfer == Transfer::F32 ? tensor::DType::F32 : transfer == Transfer::F16 ? tensor::DType::F16 : tensor::DType::I8;
    return {type, {rows, cols}, transfer == Transfer::I8};
}

Features pack(const tensor::Matrix<float>& features, Transfer transfer)
{
    Features packed;
    packed.shape = {features.rows(), features.cols()};
    if (transfer == Transfer::I8) {
        packed.type = tensor::DType::I8;
        packed.bytes.resize(features.size());
        packed.scales.resize(static_cast<std::size_t>(features.rows()));
        for (std::int64_t i = 0; i < features.rows(); ++i)
            packRow(features.view().row(i), packed.bytes.data() + i * features.cols(), packed.scales[static_cast<std::size_t>(i)]);
        return packed;
    }
    packed.type = transfer == Transfer::F16 ? tensor::DType::F16 : tensor::DType::F32;
    packed.bytes.resize(features.size() * tensor::dtypeSize(packed.type));
    tensor::encode(packed.type, features.values(), std::span(packed.bytes));
    return packed;
}

tensor::Matrix<float> unpack(const Features& features)
{
    const bool scaled = features.type == tensor::DType::I8 && features.shape.size() == 2 && features.scales.size() == static_cast<std::size_t>(features.shape[0]);
    const bool plain = (features.type == tensor::DType::F32 || features.type == tensor::DType::F16) && features.shape.size() == 2 && features.scales.empty();
    if (!scaled && !plain)
        throw Error(ErrorCode::MalformedFile, "found " + std::string(tensor::dtypeName(features.type)) + " of rank " + std::to_string(features.shape.size()) + ", expected rows of f32, f16 or scaled int8", "features");
    tensor::Matrix<float> rows(features.shape[0], features.shape[1]);
    if (plain) {
        tensor::decode(features.type, std::span(features.bytes), rows.values());
        return rows;
    }
    for (std::int64_t i = 0; i < rows.rows(); ++i)
        for (std::int64_t j = 0; j < rows.cols(); ++j)
            rows(i, j) = features.scales[static_cast<std::size_t>(i)] * static_cast<float>(static_cast<std::int8_t>(features.bytes[static_cast<std::size_t>(i * rows.cols() + j)]));
    return rows;
}

} // namespace tamis::remote
