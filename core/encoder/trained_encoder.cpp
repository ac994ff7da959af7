// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/trained_encoder.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/base/sha256.h"
#include "core/encoder/dictionary.h"
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

namespace tamis::encoder {
namespace {
static_assert(std::endian::native == std::endian::little);
using tensor::DType;
constexpr const char* kFormat = "tamis.trained-encoder/1";
constexpr io::JsonLimits kParameterLimits{.bytes = 1 << 16, .depth = 1, .values = 1000};
constexpr std::int64_t kRowsAPiece = 1024;            // of the fingerprint
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
    const nlohmann::json json = io::parseJson(text, kParameterLimits, subject);
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
            throw Error(ErrorCode::MalformedFile, "parameter " + io::quotedName(name) + " is " + value.type_name() + ", expected a boolean, a number or text", subject);
    }
    return parameters;
}

/// Fields of the metadata.
class Fields {
public:
    Fields(const std::map<std::string, std::string>& metadata, std::string subject) : m_metadata(metadata), m_subject(std::move(subject)) {}
    const std::string& text(const std::string& name) const
    {
        const auto found = m_metadata.find(name);
        if (found == m_metadata.end() || found->second.empty())
            throw Error(ErrorCode::MalformedFile, "its metadata has no '" + name + "', expected that of a trained encoder", m_subject);
        return found->second;
    }
    std::int64_t count(const std::string& name) const
    {
        const std::string& written = text(name);
        std::int64_t value = 0;
        const auto end = written.data() + written.size();
        const auto [stop, error] = std::from_chars(written.data(), end, value);
        if (error != std::errc() || stop != end || value < 1 || value > std::numeric_limits<std::int32_t>::max())
            throw Error(ErrorCode::MalformedFile, "its metadata says " + name + " = " + io::quotedName(written) + ", expected a number of 1 to " + std::to_string(std::numeric_limits<std::int32_t>::max()), m_subject);
        return value;
    }

private:
    const std::map<std::string, std::string>& m_metadata;
    std::string m_subject;
};

template <class T> std::vector<T> readValues(const io::MappedFile& file, const io::TensorEntry& entry, const std::string& subject, const RunContext& context)
{
    std::vector<T> values(static_cast<std::size_t>(entry.elements()));
    for (std::size_t first = 0; first < values.size(); first += kPieceElements) {
        context.throwIfStopped();
        const auto piece = std::span(values).subspan(first, std::min(kPieceElements, values.size() - first));
        file.copy(entry.offset + first * sizeof(T), std::as_writable_bytes(piece), subject);
    }
    return values;
}

TrainedTensor readTensor(const io::MappedFile& file, const io::TensorEntry& entry, const RunContext& context)
{
    const std::string subject = file.path().string() + ": " + io::printableName(entry.name);
    if (entry.elements() == 0)
        throw Error(ErrorCode::MalformedFile, "is a tensor of shape " + io::shapeText(entry.shape) + ", expected at least one element", subject);
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

const TrainedTensor& named(const TrainedEncoder& encoder, std::string_view name, const std::vector<std::int64_t>& shape, bool floats)
{
    const auto found = std::ranges::find(encoder.tensors, name, &TrainedTensor::name);
    const char* kind = floats ? "float" : "integer";
    if (found == encoder.tensors.end())
        throw Error(ErrorCode::MalformedFile, "the trained encoder has no tensor '" + std::string(name) + "', expected " + kind + "s of shape " + io::shapeText(shape), encoder.method);
    if (found->shape != shape || found->values.empty() == floats)
        throw Error(ErrorCode::MalformedFile, std::string("found ") + (found->values.empty() ? "integers" : "floats") + " of shape " + io::shapeText(found->shape) + ", expected " + kind + "s of shape " +
                                                  io::shapeText(shape), encoder.method + ": " + std::string(name));
    return *found;
}

std::vector<io::TensorDeclaration> declarations(const TrainedEncoder& encoder)
{
    std::vector<io::TensorDeclaration> declared;
    for (const TrainedTensor& tensor : encoder.tensors) {
        std::size_t elements = 1;
        for (const std::int64_t side : tensor.shape)
            elements *= static_cast<std::size_t>(side);
        if (tensor.values.empty() == tensor.integers.empty() || elements != tensor.values.size() + tensor.integers.size())
            throw Error(ErrorCode::InvalidParameter, "holds " + std::to_string(tensor.values.size()) + " floats and " + std::to_string(tensor.integers.size()) + " integers, expected one kind for the shape " +
                                                         io::shapeText(tensor.shape), tensor.name);
        declared.push_back({tensor.name, tensor.values.empty() ? DType::I32 : DType::F32, tensor.shape});
    }
    return declared;
}
} // namespace

const TrainedTensor& TrainedEncoder::floats(std::string_view name, const std::vector<std::int64_t>& shape) const
{
    return named(*this, name, shape, true);
}

const TrainedTensor& TrainedEncoder::indices(std::string_view name, const std::vector<std::int64_t>& shape) const
{
    return named(*this, name, shape, false);
}

void TrainedEncoder::requireFor(const std::string& wanted, const Dictionary& given, const RunContext& context) const
{
    if (method != wanted)
        throw Error(ErrorCode::InvalidParameter, "found an encoder trained by " + io::printableName(method) + ", expected one by " + wanted, "trained encoder");
    if (width != given.width() || latents != given.latents() || k != given.k())
        throw Error(ErrorCode::InvalidParameter, "found an encoder trained for " + std::to_string(latents) + " latents of width " + std::to_string(width) + ", k = " + std::to_string(k) + ", expected " +
                                                     std::to_string(given.latents()) + " of width " + std::to_string(given.width()) + ", k = " + std::to_string(given.k()), "trained encoder");
    if (const std::string own = fingerprintOf(given, context); dictionary != own)
        throw Error(ErrorCode::InvalidParameter, "found an encoder trained on the autoencoder with fingerprint " + io::printableName(dictionary).substr(0, 12) + "..., expected " + own.substr(0, 12) + "..., that of this one",
                    "trained encoder");
}

std::string fingerprintOf(const Dictionary& dictionary, const RunContext& context)
{
    const auto rows = dictionary.rows();
    std::vector<std::string> pieces(static_cast<std::size_t>((rows.rows + kRowsAPiece - 1) / kRowsAPiece));
    parallelFor(context, pieces.size(), [&](std::size_t piece) {
        const std::int64_t first = static_cast<std::int64_t>(piece) * kRowsAPiece, count = std::min(kRowsAPiece, rows.rows - first);
        pieces[piece] = sha256(std::as_bytes(std::span(rows.data + first * rows.stride, static_cast<std::size_t>(count * rows.cols))));
    });
    std::string text;
    for (const std::string& piece : pieces)
        text += piece + "\n";
    text += sha256(std::as_bytes(std::span(dictionary.bias()))) + "\n" + std::to_string(dictionary.latents()) + " " + std::to_string(dictionary.width()) + " " + std::to_string(dictionary.k()) + "\n";
    return sha256(std::as_bytes(std::span(text)));
}

void writeTrainedEncoder(const std::filesystem::path& file, const TrainedEncoder& encoder, const RunContext& context)
{
    io::SafetensorsWriter writer(file, declarations(encoder),
                                 {{"format", kFormat},
                                  {"method", encoder.method},
                                  {"parameters", parametersText(encoder.parameters)},
                                  {"width", std::to_string(encoder.width)},
                                  {"latents", std::to_string(encoder.latents)},
                                  {"k", std::to_string(encoder.k)},
                                  {"dictionary", encoder.dictionary}});
    for (const TrainedTensor& tensor : encoder.tensors) {
        const auto bytes = tensor.values.empty() ? std::as_bytes(std::span(tensor.integers)) : std::as_bytes(std::span(tensor.values));
        for (std::size_t first = 0; first < bytes.size(); first += 4 * kPieceElements) {
            context.throwIfStopped();
            writer.append(tensor.name, bytes.subspan(first, std::min(4 * kPieceElements, bytes.size() - first)));
        }
    }
    context.throwIfStopped();
    writer.commit();
}

TrainedEncoder readTrainedEncoder(const std::filesystem::path& file, const RunContext& context)
{
    const auto mapped = io::MappedFile::open(file);
    const io::SafetensorsHeader header = io::readSafetensorsHeader(*mapped, context);
    const std::string subject = file.string();
    const Fields fields(header.metadata, subject);
    if (fields.text("format") != kFormat)
        throw Error(ErrorCode::UnsupportedFeature, "its metadata says format " + io::quotedName(fields.text("format")) + ", expected \"" + kFormat + "\"", subject);
    TrainedEncoder encoder;
    encoder.method = fields.text("method");
    encoder.parameters = parametersFrom(fields.text("parameters"), subject + ": parameters");
    encoder.width = fields.count("width");
    encoder.latents = fields.count("latents");
    encoder.k = fields.count("k");
    encoder.dictionary = fields.text("dictionary");
    if (encoder.k > encoder.latents)
        throw Error(ErrorCode::MalformedFile, "its metadata says k = " + std::to_string(encoder.k) + " of " + std::to_string(encoder.latents) + " latents", subject);
    if (encoder.dictionary.size() != 64 || encoder.dictionary.find_first_not_of("0123456789abcdef") != std::string::npos)
        throw Error(ErrorCode::MalformedFile, "its metadata says dictionary = " + io::quotedName(encoder.dictionary) + ", expected 64 hexadecimal digits", subject);
    requireMemory(mapped->size(), subject);
    for (const io::TensorEntry& entry : header.tensors)
        encoder.tensors.push_back(readTensor(*mapped, entry, context));
    return encoder;
}

} // namespace tamis::encoder
