// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/activation_rows.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/io/npy_rows.h"
#include "core/io/sample_rows.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::encoder {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
constexpr std::int64_t kBlockValues = std::int64_t{1} << 16; // that one task reads: 256 KB

class FileRows final : public ActivationRows {
public:
    FileRows(std::shared_ptr<const io::NpyRows> rows) : m_rows(std::move(rows)), m_subject(m_rows->path().string()) {}
    std::int64_t rows() const noexcept override { return m_rows->rows(); }
    std::int64_t width() const noexcept override { return m_rows->cols(); }
    const std::string& subject() const noexcept override { return m_subject; }

private:
    void load(std::int64_t first, MatrixView<float> destination) const override { m_rows->read(first, destination); }
    std::shared_ptr<const io::NpyRows> m_rows;
    std::string m_subject;
};

class SiteRows final : public ActivationRows {
public:
    SiteRows(std::shared_ptr<const io::SampleRows> rows) : m_rows(std::move(rows)) {}
    std::int64_t rows() const noexcept override { return m_rows->rows(); }
    std::int64_t width() const noexcept override { return m_rows->cols(); }
    const std::string& subject() const noexcept override { return m_rows->subject(); }
    bool heldOut() const noexcept override { return m_rows->heldOut(); }

private:
    void load(std::int64_t first, MatrixView<float> destination) const override { m_rows->read(first, destination); }
    bool inPieces() const noexcept override { return false; } // each inflates its chunk again
    std::shared_ptr<const io::SampleRows> m_rows;
};

class KeptRows final : public ActivationRows {
public:
    KeptRows(Matrix<float> rows, std::string subject) : m_rows(std::move(rows)), m_subject(std::move(subject)) {}
    std::int64_t rows() const noexcept override { return m_rows.rows(); }
    std::int64_t width() const noexcept override { return m_rows.cols(); }
    const std::string& subject() const noexcept override { return m_subject; }

private:
    void load(std::int64_t first, MatrixView<float> destination) const override
    {
        for (std::int64_t i = 0; i < destination.rows; ++i)
            std::ranges::copy(m_rows.view().row(first + i), destination.row(i).begin());
    }
    Matrix<float> m_rows;
    std::string m_subject;
};

RowsPointer checked(RowsPointer rows, std::int64_t width)
{
    if (rows->width() != width || rows->rows() < 1)
        throw Error(ErrorCode::InvalidParameter,
                    "found an array of shape [" + std::to_string(rows->rows()) + ", " + std::to_string(rows->width()) + "], expected [rows, " + std::to_string(width) +
                        "], one row a token as wide as the autoencoder",
                    rows->subject());
    return rows;
}
} // namespace

void ActivationRows::read(std::int64_t first, MatrixView<float> destination, const RunContext& context) const
{
    if (first < 0 || destination.rows > rows() - first || destination.cols != width() || destination.stride != destination.cols)
        throw Error(ErrorCode::InvalidParameter, "asked for " + std::to_string(destination.rows) + " rows of width " + std::to_string(destination.cols) + " from row " + std::to_string(first) +
                                                     " on, found " + std::to_string(rows()) + " of width " + std::to_string(width()), subject());
    const std::int64_t block = std::max<std::int64_t>(inPieces() ? kBlockValues / std::max<std::int64_t>(width(), 1) : destination.rows, 1);
    const auto blocks = static_cast<std::size_t>((destination.rows + block - 1) / block);
    std::vector<std::int64_t> bad(blocks, -1); // of each block the first row with such a value
    parallelFor(context, blocks, [&](std::size_t index) {
        const std::int64_t begin = static_cast<std::int64_t>(index) * block, count = std::min(block, destination.rows - begin);
        const MatrixView<float> part{destination.data + begin * destination.stride, count, destination.cols, destination.stride};
        load(first + begin, part);
        if (tensor::countNonFinite({part.data, static_cast<std::size_t>(count * part.cols)}).total() == 0)
            return;
        while (tensor::countNonFinite(part.row(bad[index] + 1)).total() == 0)
            ++bad[index];
        bad[index] += begin + 1;
    });
    for (const std::int64_t row : bad)
        if (row >= 0)
            throw Error(ErrorCode::NonFinite, "row " + std::to_string(first + row) + " holds a value that is no finite number, expected finite activations", subject());
}

RowsPointer openActivations(const std::filesystem::path& file, std::int64_t width)
{
    const io::NpyHeader header = io::readNpyHeader(file);
    if (header.shape.size() != 2) // with the width that was expected, which NpyRows does not know
        throw Error(ErrorCode::InvalidParameter,
                    "found an array of shape " + io::shapeText(header.shape) + ", expected [rows, " + std::to_string(width) + "], one row a token as wide as the autoencoder", file.string());
    return checked(std::make_shared<FileRows>(io::NpyRows::open(file)), width);
}

RowsPointer openSiteActivations(const std::filesystem::path& file, const std::string& site, std::int64_t width)
{
    return checked(std::make_shared<SiteRows>(io::SampleRows::open(file, site, io::SampleRows::Rows::HeldOutFirst)), width);
}

RowsPointer activationsOf(Matrix<float> rows, std::string subject)
{
    const std::int64_t width = rows.cols();
    return checked(std::make_shared<KeptRows>(std::move(rows), std::move(subject)), width);
}

Matrix<float> evenRows(const ActivationRows& rows, std::int64_t first, std::int64_t end, std::int64_t most, const RunContext& context)
{
    const std::int64_t count = std::min(end - first, most);
    requireMemory(static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(rows.width()) * sizeof(float), rows.subject());
    Matrix<float> result(count, rows.width());
    if (count == end - first) {
        rows.read(first, result.view(), context);
        return result;
    }
    for (std::int64_t i = 0; i < count; ++i) {
        context.throwIfStopped();
        rows.read(first + i * (end - first) / count, {result.data() + i * result.cols(), 1, result.cols(), result.cols()});
    }
    return result;
}

Matrix<float> readActivations(const std::filesystem::path& file, std::int64_t width, const RunContext& context)
{
    const RowsPointer rows = openActivations(file, width);
    Matrix<float> all = evenRows(*rows, 0, rows->rows(), rows->rows(), context);
    context.finish();
    return all;
}

} // namespace tamis::encoder
