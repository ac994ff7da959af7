// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Activations that encoders are measured on, a few rows at a time: a file of them may be larger than memory.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace tamis::encoder {

/// Rows as the model has them (not prepared). Immutable and safe to use from several threads.
class ActivationRows {
public:
    virtual ~ActivationRows() = default;
    virtual std::int64_t rows() const noexcept = 0; ///< at least 1
    virtual std::int64_t width() const noexcept = 0;
    virtual const std::string& subject() const noexcept = 0; ///< names the file in errors
    virtual bool heldOut() const noexcept { return false; }  ///< of a site of a calibration set, the rows that it keeps apart
    /// Rows [first, first + destination.rows), contiguous in memory, on all threads. Throws Error{NonFinite} naming the first row of these, by
    /// its number in the file, that holds a value that is no finite number, Error{IoFailure, MalformedFile}, Error{Cancelled}.
    void read(std::int64_t first, tensor::MatrixView<float> destination, const RunContext& context = {}) const;

private:
    /// Some rows as they are stored; from several threads at once.
    virtual void load(std::int64_t first, tensor::MatrixView<float> destination) const = 0;
    virtual bool inPieces() const noexcept { return true; } ///< several small loads cost what one large one does
};

using RowsPointer = std::shared_ptr<const ActivationRows>;

/// The rows of a .npy [rows, width]. Throws Error{InvalidParameter} for another shape or no row, and what io::NpyRows::open throws; the subject
/// is the file.
RowsPointer openActivations(const std::filesystem::path& file, std::int64_t width);
/// The held-out rows of one site of a calibration set, its sample rows where there are none. Throws as openActivations(), and what io::SampleRows::open throws.
RowsPointer openSiteActivations(const std::filesystem::path& file, const std::string& site, std::int64_t width);
/// Rows that are in memory.
RowsPointer activationsOf(tensor::Matrix<float> rows, std::string subject);

/// Rows [first, end), or where these are more than `most`, as many of them, evenly spread: row i of n is first + floor(i (end - first) / n).
tensor::Matrix<float> evenRows(const ActivationRows& rows, std::int64_t first, std::int64_t end, std::int64_t most, const RunContext& context = {});

/// All rows of a .npy, in memory. Throws as openActivations() and ActivationRows::read(), and Error{OutOfMemory}.
tensor::Matrix<float> readActivations(const std::filesystem::path& file, std::int64_t width, const RunContext& context = {});

} // namespace tamis::encoder
