// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hierarchy/feature_types.h"

#include "core/base/error.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace tamis::hierarchy {

std::string_view storedTypeName(StoredType type) noexcept { return type == StoredType::F32 ? "f32" : type == StoredType::F16 ? "f16" : "int8"; }

StoredType storedTypeNamed(std::string_view name)
{
    for (const StoredType type : {StoredType::F32, StoredType::F16, StoredType::Int8})
        if (storedTypeName(type) == name)
            return type;
    throw Error(ErrorCode::InvalidParameter, "found '" + std::string(name) + "', expected f32, f16 or int8", "type");
}

std::uint64_t storedBytes(StoredType type, std::int64_t width) noexcept
{
    const auto values = static_cast<std::uint64_t>(width);
    return type == StoredType::F32 ? 4 * values : type == StoredType::F16 ? 2 * values : values + sizeof(float);
}

void roundTrip(StoredType type, std::span<float> row)
{
    if (type == StoredType::F16) {
        std::vector<std::byte> bytes(2 * row.size());
        tensor::encode(tensor::DType::F16, row, bytes);
        tensor::decode(tensor::DType::F16, bytes, row);
    } else if (type == StoredType::Int8) {
        float most = 0;
        for (const float value : row)
            most = std::max(most, std::abs(value));
        const float scale = most / 127.0F;
        for (float& value : row)
            value = scale > 0 ? scale * std::nearbyint(value / scale) : 0.0F;
    }
}

} // namespace tamis::hierarchy
