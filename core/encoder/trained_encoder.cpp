// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/trained_encoder.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/base/sha256.h"
#include "core/encoder/dictionary.h"
#include "core/io/printable_name.h"

#include <algorithm>
#include <span>

namespace tamis::encoder {
namespace {
const io::TrainedFileKind kKind{.format = "tamis.trained-encoder/1", .noun = "a trained encoder"};
constexpr std::int64_t kRowsAPiece = 1024; // of the fingerprint
} // namespace

const TrainedTensor& TrainedEncoder::floats(std::string_view name, const std::vector<std::int64_t>& shape) const
{
    return io::trainedFloats(tensors, name, shape, "encoder", method);
}

const TrainedTensor& TrainedEncoder::indices(std::string_view name, const std::vector<std::int64_t>& shape) const
{
    return io::trainedIndices(tensors, name, shape, "encoder", method);
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
    io::writeTrainedFile(file, kKind, encoder.method, encoder.parameters,
                         {{"width", std::to_string(encoder.width)}, {"latents", std::to_string(encoder.latents)}, {"k", std::to_string(encoder.k)}, {"dictionary", encoder.dictionary}},
                         encoder.tensors, context);
}

TrainedEncoder readTrainedEncoder(const std::filesystem::path& file, const RunContext& context)
{
    const std::string subject = file.string();
    io::TrainedFile read = io::readTrainedFile(file, kKind, context);
    TrainedEncoder encoder;
    encoder.width = read.count("width", kKind, subject);
    encoder.latents = read.count("latents", kKind, subject);
    encoder.k = read.count("k", kKind, subject);
    encoder.dictionary = read.digest("dictionary", kKind, subject);
    if (encoder.k > encoder.latents)
        throw Error(ErrorCode::MalformedFile, "its metadata says k = " + std::to_string(encoder.k) + " of " + std::to_string(encoder.latents) + " latents", subject);
    encoder.method = std::move(read.method);
    encoder.parameters = std::move(read.parameters);
    encoder.tensors = std::move(read.tensors);
    return encoder;
}

} // namespace tamis::encoder
