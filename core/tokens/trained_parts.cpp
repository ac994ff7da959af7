// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/trained_parts.h"

#include "core/base/error.h"
#include "core/io/printable_name.h"

#include <algorithm>
#include <utility>

namespace tamis::tokens {
namespace {
const io::TrainedFileKind kKind{.format = "tamis.trained-tokens/1", .noun = "trained parts of a token method"};
} // namespace

const TrainedTensor& TrainedParts::floats(std::string_view name, const std::vector<std::int64_t>& shape) const
{
    return io::trainedFloats(tensors, name, shape, "method", method);
}

void TrainedParts::requireFor(const std::string& wanted, const std::string& modelSha256) const
{
    if (method != wanted)
        throw Error(ErrorCode::InvalidParameter, "found parts trained by " + io::printableName(method) + ", expected those of " + wanted, "trained parts");
    if (model != modelSha256)
        throw Error(ErrorCode::InvalidParameter, "found parts trained for the model with SHA-256 " + io::printableName(model).substr(0, 12) + "..., expected " + modelSha256.substr(0, 12) + "..., that of this one",
                    "trained parts");
}

void writeTrainedParts(const std::filesystem::path& file, const TrainedParts& parts, const RunContext& context)
{
    for (const TrainedTensor& tensor : parts.tensors)
        if (!tensor.integers.empty())
            throw Error(ErrorCode::InvalidParameter, "holds integers, expected floats alone", tensor.name);
    io::writeTrainedFile(file, kKind, parts.method, parts.parameters, {{"model", parts.model}}, parts.tensors, context);
}

TrainedParts readTrainedParts(const std::filesystem::path& file, const RunContext& context)
{
    io::TrainedFile read = io::readTrainedFile(file, kKind, context);
    TrainedParts parts;
    parts.model = read.digest("model", kKind, file.string());
    const auto odd = std::ranges::find_if(read.tensors, [](const TrainedTensor& tensor) { return !tensor.integers.empty(); });
    if (odd != read.tensors.end())
        throw Error(ErrorCode::MalformedFile, "is of type I32, expected F32", file.string() + ": " + io::printableName(odd->name));
    parts.method = std::move(read.method);
    parts.parameters = std::move(read.parameters);
    parts.tensors = std::move(read.tensors);
    return parts;
}

} // namespace tamis::tokens
