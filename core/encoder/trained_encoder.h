// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What training leaves of an encoder, in a form that a file holds and the same method reads back.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/io/trained_file.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::encoder {

class Dictionary;

using io::TrainedTensor;

struct TrainedEncoder {
    std::string method;          ///< id of the method that trained it
    Parameters parameters;       ///< complete
    std::int64_t width = 0, latents = 0, k = 0;
    std::string dictionary;      ///< fingerprintOf() the dictionary it was trained for
    std::vector<TrainedTensor> tensors;

    /// Throws Error{MalformedFile} when there is none of that name, or it has another shape or kind than asked for.
    const TrainedTensor& floats(std::string_view name, const std::vector<std::int64_t>& shape) const;
    const TrainedTensor& indices(std::string_view name, const std::vector<std::int64_t>& shape) const;
    /// What every restore() asks first. Throws Error{InvalidParameter} unless `wanted` trained it, for this very dictionary.
    void requireFor(const std::string& wanted, const Dictionary& given, const RunContext& context = {}) const;
};

/// SHA-256, in hexadecimal digits, made from rows, bias and k as docs/formats-trained-encoder.md says: two autoencoders that score alike have
/// the same.
std::string fingerprintOf(const Dictionary& dictionary, const RunContext& context = {});

/// As safetensors, method, parameters, shape and dictionary in its metadata; docs/formats-trained-encoder.md. The file is there whole or not
/// at all. Throws what writing throws.
void writeTrainedEncoder(const std::filesystem::path& file, const TrainedEncoder& encoder, const RunContext& context = {});
/// Throws Error{MalformedFile} with what, where, found and expected; numbers are finite. The method's restore() checks names and shapes.
TrainedEncoder readTrainedEncoder(const std::filesystem::path& file, const RunContext& context = {});

} // namespace tamis::encoder
