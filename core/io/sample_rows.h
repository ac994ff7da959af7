// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The sample rows, or the held-out ones, of one site of a calibration set, a few at a time.
#include "core/tensor/matrix.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace tamis::io {

/// Immutable and safe to share between threads (one lock around HDF5).
class SampleRows {
public:
    enum class Rows {
        Samples,
        HeldOutFirst, ///< the held-out rows, or the samples where there are none
    };
    /// Throws Error{InvalidParameter} for a site that the set has not or that has no sample rows, and what opening a calibration set throws.
    static std::shared_ptr<const SampleRows> open(const std::filesystem::path& file, const std::string& site, Rows rows = Rows::Samples);
    ~SampleRows();

    const std::string& subject() const noexcept; ///< names file and site
    bool heldOut() const noexcept; ///< whether these are the held-out rows
    std::int64_t rows() const noexcept;
    std::int64_t cols() const noexcept;
    /// Rows [first, first + destination.rows), contiguous in memory; only the chunks that hold them are read. Nothing is said of values that
    /// are no numbers. Throws Error{InvalidParameter} for rows that there are not, Error{MalformedFile}.
    void read(std::int64_t first, tensor::MatrixView<float> destination) const;

private:
    struct Content;
    explicit SampleRows(std::unique_ptr<Content> content);
    std::unique_ptr<Content> m_content;
};

} // namespace tamis::io
