// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Calibration sets, HDF5, schema tamis.calibration/1: see docs/formats.md.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis::io {

/// Statistics of one linear input with n features.
struct CalibrationSite {
    std::string name;
    std::uint64_t count = 0;          ///< tokens summed in gram
    tensor::Matrix<double> gram;      ///< [n, n], sum of x x^T, uncentred
    std::vector<double> mean;         ///< [n]
    tensor::Matrix<float> samples;    ///< [t, n] calibration rows, may be empty
    tensor::Matrix<float> heldOut;    ///< [t', n] rows not in gram, may be empty
    std::vector<double> outputGradSq; ///< [m] or empty
};

/// Opening reads names and shapes; sites are read on demand. Safe to share between threads (one lock around HDF5).
class CalibrationSet {
public:
    /// Throws Error{MalformedFile, UnsupportedFeature, LimitExceeded, IoFailure}.
    static std::shared_ptr<const CalibrationSet> open(const std::filesystem::path& file, const RunContext& context = {});
    ~CalibrationSet();

    const std::filesystem::path& path() const noexcept;
    const std::string& modelSha256() const noexcept;
    const std::string& inputs() const noexcept; ///< what the tokens are, in words
    const std::string& inputsSha256() const noexcept; ///< of the samples; empty in files that do not say
    std::uint64_t tokens() const noexcept;
    const std::vector<std::string>& siteNames() const noexcept; ///< natural order
    /// Features of a site, or nullopt when there is none of that name.
    std::optional<std::int64_t> features(const std::string& site) const;
    /// Throws Error{InvalidParameter} for an unknown name, Error{MalformedFile, NonFinite}: gram must be square, finite and
    /// symmetric to 1e-8 relative, shapes must agree.
    CalibrationSite read(const std::string& site) const;
    std::string sha256(const RunContext& context = {}) const; ///< of the file, computed once

private:
    struct Content;
    explicit CalibrationSet(std::unique_ptr<Content> content);
    std::unique_ptr<Content> m_content;
};

/// A site whose input is that of another one that is written: an HDF5 hard link to its group; with gradients of its own, a
/// group of links to its datasets.
struct CalibrationLink {
    std::string name, target;
    std::vector<double> outputGradSq; ///< [m] or empty
};

struct CalibrationHeader {
    std::string modelSha256, inputs;
    std::string inputsSha256; ///< empty: not written
    std::uint64_t tokens = 0;
};

/// Writes a calibration file atomically. Throws Error{InvalidParameter} for what a reader would refuse, Error{IoFailure}.
void writeCalibration(const std::filesystem::path& file, const CalibrationHeader& header, const std::vector<CalibrationSite>& sites,
                      const std::vector<CalibrationLink>& links = {});
void writeCalibration(const std::filesystem::path& file, const std::string& modelSha256, const std::string& inputs,
                      std::uint64_t tokens, const std::vector<CalibrationSite>& sites);

} // namespace tamis::io
