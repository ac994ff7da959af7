// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What an interrupted capture left behind, so that it can go on where it was: a file beside the calibration set.
//
// "TAMISCAP", the version, the number of records, then records: length, bytes, their SHA-256. The first record says what was
// being captured and how far it came, the others hold one site each. Whole numbers and floats as this machine stores them
// (little-endian): the file is read by the program that wrote it.
#include "core/base/run_context.h"
#include "core/measure/gram_accumulator.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tamis::measure {

/// What must be the same for a capture to go on.
struct CaptureKey {
    std::string modelSha256, inputsSha256;
    std::string settings; ///< every option that the result depends on, as one line
    bool operator==(const CaptureKey&) const = default;
};

/// Squared gradients at the outputs of one linear operator, summed over tokens.
struct GradientSum {
    std::string name;          ///< of the operator
    std::uint64_t count = 0;   ///< tokens
    std::vector<double> squares; ///< [outputs]
};

struct CaptureState {
    CaptureKey key;
    std::uint64_t nextSample = 0; ///< all before it are in the sums
    std::uint64_t tokens = 0;     ///< of the calibration samples
    std::vector<GramAccumulator> sums;
    std::vector<io::CalibrationLink> links; ///< names that share another's sums; gradients stand below
    std::vector<GradientSum> gradients;
};

/// Atomically. Throws Error{IoFailure, Cancelled}.
void writeCaptureState(const std::filesystem::path& file, const CaptureState& state, const RunContext& context);
/// Throws Error{MalformedFile} when the file is damaged or none of this kind, Error{IoFailure, OutOfMemory, Cancelled}.
CaptureState readCaptureState(const std::filesystem::path& file, const RunContext& context);

} // namespace tamis::measure
