// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/trained_file.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/io/json_limits.h"
#include "core/io/mapped_file.h"
#include "core/io/printable_name.h"
#include "core/io/safetensors.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

namespace tamis::io {
namespace {
static_assert(std::endian::native == std::endian::little);
using tensor::DType;
constexpr JsonLimits kParameterLimits{.bytes = 1 << 16, .depth = 1, .values = 1000};
constexpr std::size_t kPieceElements = std::size_t{1} << 20; // read or written between two looks at the stop token

std::string parametersText(const Parameters& parameters)
{
    nlohmann::json json = nlohmann::json::object();
    for (const auto& [name, value] : parameters.all())
        std::visit([&, key = name](const auto& each) { json[key] = each; }, value);
    return json.dump();
}

Parameters parametersFrom(const std::string& text, const std::string& subject)
{
    const nlohmann::json json = parseJson(text, kParameterLimits, subject);
    if (!json.is_object())
        throw Error(ErrorCode::MalformedFile, "holds parameters that are no JSON object", subject);
    Parameters parameters;
    for (const auto& [name, value] : json.items()) {
        if (value.is_boolean())
            parameters.set(name, value.get<bool>());
        else if (value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()))
            parameters.set(name, value.get<std::int64_t>());
        else if (value.is_number_float())
            parameters.set(name, value.get<double>());
        else if (value.is_string())
            parameters.set(name, value.get<std::string>());
        else
            throw Error(ErrorCode::MalformedFile, "parameter " + quotedName(name) + " is " + value.type_name() + ", expected a boolean, a number or text", subject);
    }
    return parameters;
}

template <class T> std::vector<T> readValues(const MappedFile& file, const TensorEntry& entry, const std::string& subject, const RunContext& context)
{
    std::vector<T> values(static_cast<std::size_t>(entry.elements()));
    for (std::size_t first = 0; first < values.size(); first += kPieceElements) {
        context.throwIfStopped();
        const auto piece = std::span(values).subspan(first, std::min(kPieceElements, values.size() - first));
        file.copy(entry.offset + first * sizeof(T), std::as_writable_bytes(piece), subject);
    }
    return values;
}

TrainedTensor readTensor(const MappedFile& file, const TensorEntry& entry, const RunContext& context)
{
    const std::string subject = file.path().string() + ": " + printableName(entry.name);
    if (entry.elements() == 0)
        throw Error(ErrorCode::MalformedFile, "is a tensor of shape " + shapeText(entry.shape) + ", expected at least one element", subject);
    TrainedTensor tensor{entry.name, entry.shape, {}, {}};
    if (entry.dtype == DType::F32)
        tensor.values = readValues<float>(file, entry, subject, context);
    else if (entry.dtype == DType::I32)
        tensor.integers = readValues<std::int32_t>(file, entry, subject, context);
    else
        throw Error(ErrorCode::MalformedFile, "is of type " + std::string(tensor::dtypeName(entry.dtype)) + ", expected F32 or I32", subject);
    for (std::size_t i = 0; i < tensor.values.size(); ++i)
        if (!std::isfinite(tensor.values[i]))
            throw Error(ErrorCode::MalformedFile, "element " + std::to_string(i) + " is no finite number", subject);
    return tensor;
}

std::vector<TensorDeclaration> declarations(const std::vector<TrainedTensor>& tensors)
{
    std::vector<TensorDeclaration> declared;
    for (const TrainedTensor& tensor : tensors) {
        std::size_t elements = 1;
        for (const std::int64_t side : tensor.shape)
            elements *= static_cast<std::size_t>(side);
        if (tensor.values.empty() == tensor.integers.empty() || elements != tensor.values.size() + tensor.integers.size())
            throw Error(ErrorCode::InvalidParameter, "holds " + std::to_string(tensor.values.size()) + " floats and " + std::to_string(tensor.integers.size()) + " integers, expected one kind for the shape " +
                                                         shapeText(tensor.shape), tensor.name);
        declared.push_back({tensor.name, tensor.values.empty() ? DType::I32 : DType::F32, tensor.shape});
    }
    return declared;
}

const TrainedTensor& named(const std::vector<TrainedTensor>& tensors, std::string_view name, const std::vector<std::int64_t>& shape, bool floats, const std::string& noun, const std::string& method)
{
    const auto found = std::ranges::find(tensors, name, &TrainedTensor::name);
    const char* kind = floats ? "float" : "integer";
    if (found == tensors.end())
        throw Error(ErrorCode::MalformedFile, "the trained " + noun + " has no tensor '" + std::string(name) + "', expected " + kind + "s of shape " + shapeText(shape), method);
    if (found->shape != shape || found->values.empty() == floats)
        throw Error(ErrorCode::MalformedFile, std::string("found ") + (found->values.empty() ? "integers" : "floats") + " of shape " + shapeText(found->shape) + ", expected " + kind + "s of shape " +
                                                  shapeText(shape), method + ": " + std::string(name));
    return *found;
}
} // namespace

const std::string& TrainedFile::text(const std::string& name, const TrainedFileKind& kind, const std::string& subject) const
{
    const auto found = fields.find(name);
    if (found == fields.end() || found->second.empty())
        throw Error(ErrorCode::MalformedFile, "its metadata has no '" + name + "', expected that of " + kind.noun, subject);
    return found->second;
}

std::int64_t TrainedFile::count(const std::string& name, const TrainedFileKind& kind, const std::string& subject) const
{
    const std::string& written = text(name, kind, subject);
    std::int64_t value = 0;
    const auto end = written.data() + written.size();
    const auto [stop, error] = std::from_chars(written.data(), end, value);
    if (error != std::errc() || stop != end || value < 1 || value > std::numeric_limits<std::int32_t>::max())
        throw Error(ErrorCode::MalformedFile, "its metadata says " + name + " = " + quotedName(written) + ", expected a number of 1 to " + std::to_string(std::numeric_limits<std::int32_t>::max()), subject);
    return value;
}

const std::string& TrainedFile::digest(const std::string& name, const TrainedFileKind& kind, const std::string& subject) const
{
    const std::string& written = text(name, kind, subject);
    if (written.size() != 64 || written.find_first_not_of("0123456789abcdef") != std::string::npos)
        throw Error(ErrorCode::MalformedFile, "its metadata says " + name + " = " + quotedName(written) + ", expected 64 hexadecimal digits", subject);
    return written;
}

void writeTrainedFile(const std::filesystem::path& file, const TrainedFileKind& kind, const std::string& method, const Parameters& parameters,
                      const std::map<std::string, std::string>& fields, const std::vector<TrainedTensor>& tensors, const RunContext& context)
{
    std::map<std::string, std::string> metadata = fields;
    metadata["format"] = kind.format;
    metadata["method"] = method;
    metadata["parameters"] = parametersText(parameters);
    SafetensorsWriter writer(file, declarations(tensors), metadata);
    for (const TrainedTensor& tensor : tensors) {
        const auto bytes = tensor.values.empty() ? std::as_bytes(std::span(tensor.integers)) : std::as_bytes(std::span(tensor.values));
        for (std::size_t first = 0; first < bytes.size(); first += 4 * kPieceElements) {
            context.throwIfStopped();
            writer.append(tensor.name, bytes.subspan(first, std::min(4 * kPieceElements, bytes.size() - first)));
        }
    }
    context.throwIfStopped();
    writer.commit();
}

TrainedFile readTrainedFile(const std::filesystem::path& file, const TrainedFileKind& kind, const RunContext& context)
{
    const auto mapped = MappedFile::open(file);
    const SafetensorsHeader header = readSafetensorsHeader(*mapped, context);
    const std::string subject = file.string();
    TrainedFile read;
    read.fields = header.metadata;
    if (const std::string& format = read.text("format", kind, subject); format != kind.format)
        throw Error(ErrorCode::UnsupportedFeature, "its metadata says format " + quotedName(format) + ", expected \"" + kind.format + "\"", subject);
    read.method = read.text("method", kind, subject);
    read.parameters = parametersFrom(read.text("parameters", kind, subject), subject + ": parameters");
    requireMemory(mapped->size(), subject);
    for (const TensorEntry& entry : header.tensors)
        read.tensors.push_back(readTensor(*mapped, entry, context));
    return read;
}

const TrainedTensor& trainedFloats(const std::vector<TrainedTensor>& tensors, std::string_view name, const std::vector<std::int64_t>& shape, const std::string& noun, const std::string& method)
{
    return named(tensors, name, shape, true, noun, method);
}

const TrainedTensor& trainedIndices(const std::vector<TrainedTensor>& tensors, std::string_view name, const std::vector<std::int64_t>& shape, const std::string& noun, const std::string& method)
{
    return named(tensors, name, shape, false, noun, method);
}

} // namespace tamis::io
