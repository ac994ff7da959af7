// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What training leaves of a method, whatever the lab: named tensors, the method's parameters and a few words, in one safetensors file.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io {

/// Either values or integers.
struct TrainedTensor {
    std::string name;
    std::vector<std::int64_t> shape;
    std::vector<float> values{};          ///< row by row
    std::vector<std::int32_t> integers{}; ///< places, tiles, experts
};

/// What a kind of file calls itself.
struct TrainedFileKind {
    std::string format; ///< "tamis.trained-encoder/1"
    std::string noun;   ///< "a trained encoder": in refusals
};

struct TrainedFile {
    std::string method;    ///< id of the method that was trained
    Parameters parameters; ///< complete
    std::map<std::string, std::string> fields; ///< of the metadata: whatever the kind of file adds to format, method and parameters
    std::vector<TrainedTensor> tensors;

    /// A field. Throws Error{MalformedFile} for one that is missing or empty, with `kind` and the file that `subject` names.
    const std::string& text(const std::string& name, const TrainedFileKind& kind, const std::string& subject) const;
    /// A field of 1 to 2^31 - 1. Throws as text().
    std::int64_t count(const std::string& name, const TrainedFileKind& kind, const std::string& subject) const;
    /// A field of 64 hexadecimal digits. Throws as text().
    const std::string& digest(const std::string& name, const TrainedFileKind& kind, const std::string& subject) const;
};

/// The file is there whole or not at all. Throws Error{InvalidParameter} for tensors that are no tensors, and what writing throws.
void writeTrainedFile(const std::filesystem::path& file, const TrainedFileKind& kind, const std::string& method, const Parameters& parameters,
                      const std::map<std::string, std::string>& fields, const std::vector<TrainedTensor>& tensors, const RunContext& context = {});
/// Of F32 and I32, every number finite, no tensor empty. `fields` has all of the metadata. Throws Error{MalformedFile, UnsupportedFeature (another
/// format), OutOfMemory, IoFailure, Cancelled} with what, where, found and expected.
TrainedFile readTrainedFile(const std::filesystem::path& file, const TrainedFileKind& kind, const RunContext& context = {});

/// The tensor of that name, shape and kind. Throws Error{MalformedFile}; `noun` ("encoder") and `method` name what lacks it.
const TrainedTensor& trainedFloats(const std::vector<TrainedTensor>& tensors, std::string_view name, const std::vector<std::int64_t>& shape, const std::string& noun, const std::string& method);
const TrainedTensor& trainedIndices(const std::vector<TrainedTensor>& tensors, std::string_view name, const std::vector<std::int64_t>& shape, const std::string& noun, const std::string& method);

} // namespace tamis::io
