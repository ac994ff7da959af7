// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Checkpoints and calibration sets made for a test, in a temporary directory; and the losses by definition.
#include "core/io/safetensors.h"
#include "core/spectrum/method.h"
#include "tests/core/linalg/matrices.h"

#include <QTemporaryDir>

#include <filesystem>
#include <string>
#include <vector>

namespace tamis::test {

struct NamedMatrix {
    std::string name; ///< without ".weight"
    tensor::Matrix<double> values;
    tensor::DType dtype = tensor::DType::F64;
};

/// A site whose gram is that of `tokens` rows; the first `samples` of them are kept, `heldOut` others beside.
inline io::CalibrationSite makeSite(const std::string& name, const tensor::Matrix<double>& tokens, std::int64_t samples,
                                    const tensor::Matrix<double>& heldOut)
{
    io::CalibrationSite site;
    site.name = name;
    site.count = static_cast<std::uint64_t>(tokens.rows());
    const tensor::Matrix<double> rounded = toDoubles(toFloat(tokens));
    site.gram = multiply(transposed(rounded), rounded);
    site.mean.assign(static_cast<std::size_t>(tokens.cols()), 0.0);
    site.samples = tensor::Matrix<float>(samples, tokens.cols());
    std::copy_n(toFloat(tokens).data(), site.samples.size(), site.samples.data());
    site.heldOut = toFloat(heldOut);
    return site;
}

class SmallWorkspace {
public:
    SmallWorkspace(const std::vector<NamedMatrix>& matrices, const std::vector<io::CalibrationSite>& sites)
    {
        const std::filesystem::path folder = m_directory.path().toStdString();
        std::vector<io::TensorDeclaration> declarations;
        for (const NamedMatrix& m : matrices)
            declarations.push_back({m.name + ".weight", m.dtype, {m.values.rows(), m.values.cols()}});
        io::SafetensorsWriter writer(folder / "model.safetensors", declarations);
        for (const NamedMatrix& m : matrices)
            writer.appendValues(m.name + ".weight", std::span<const double>(m.values.values()));
        writer.commit();
        m_inputs.checkpoint = io::Checkpoint::open(folder / "model.safetensors");
        if (!sites.empty()) {
            io::writeCalibration(folder / "calibration.h5", "", "made for a test", sites.front().count, sites);
            m_inputs.calibration = io::CalibrationSet::open(folder / "calibration.h5");
        }
    }
    const spectrum::Inputs& inputs() const { return m_inputs; }

private:
    QTemporaryDir m_directory;
    spectrum::Inputs m_inputs;
};

/// |(W - B A) X^T|_F^2 for rows X, or |W - B A|_F^2 without rows.
inline double lossByDefinition(const tensor::Matrix<double>& w, const spectrum::Factors& f, const tensor::Matrix<double>* rows = nullptr)
{
    const tensor::Matrix<double> residual = difference(w, multiply(f.b, f.a));
    return sumOfSquares(rows ? multiply(residual, transposed(*rows)) : residual);
}

} // namespace tamis::test
