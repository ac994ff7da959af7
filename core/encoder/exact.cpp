// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/exact.h"

#include "core/base/error.h"
#include "core/encoder/scored_codes.h"
#include "core/kernels/score_scan.h"

#include <cmath>
#include <string>

namespace tamis::encoder {
namespace {
using kernels::ScanPrecision;

class ExactEncoder final : public TopKEncoder {
public:
    ExactEncoder(std::shared_ptr<const Dictionary> dictionary, ScanPrecision precision, const RunContext& context)
        : m_k(dictionary->k()), m_rows(dictionary->rows(), dictionary->bias(), precision, context)
    {
    }
    std::int64_t width() const noexcept override { return m_rows.width(); }
    std::int64_t latents() const noexcept override { return m_rows.rows(); }
    std::int64_t k() const noexcept override { return m_k; }
    EncoderCost cost() const noexcept override
    {
        const auto macs = static_cast<double>(latents()) * static_cast<double>(width());
        return {.parameters = static_cast<std::uint64_t>(latents()) * static_cast<std::uint64_t>(width() + 1), .bytes = m_rows.bytes(), .macs = macs, .bytesRead = static_cast<double>(m_rows.bytes())};
    }
    SparseCodes encode(tensor::MatrixView<const float> prepared, const RunContext& context, EncodeTrace* trace) const override
    {
        requireWidth(*this, prepared);
        const auto found = kernels::scanTopScores(m_rows, prepared, m_k, context);
        if (trace)
            *trace = {.certificates = {}, .ranking = {}, .rowsScored = static_cast<double>(latents())};
        return codesOf(found);
    }

private:
    std::int64_t m_k;
    kernels::ScanRows m_rows;
};

ScanPrecision precisionNamed(const std::string& name)
{
    for (const ScanPrecision each : {ScanPrecision::Bfloat16, ScanPrecision::Int8})
        if (name == kernels::scanPrecisionName(each))
            return each;
    return ScanPrecision::Float32;
}
} // namespace

SparseCodes codesOf(std::span<const std::vector<kernels::Scored>> tokens)
{
    SparseCodes codes;
    for (const auto& token : tokens) {
        for (const kernels::Scored& each : token) {
            codes.latents.push_back(each.row);
            codes.values.push_back(each.value);
        }
        codes.first.push_back(codes.latents.size());
    }
    return codes;
}

void requireFinite(const Dictionary& dictionary)
{
    for (std::size_t i = 0; i < dictionary.bias().size(); ++i)
        if (!std::isfinite(dictionary.rowNorms()[i]) || !std::isfinite(dictionary.bias()[i]))
            throw Error(ErrorCode::NonFinite, "latent " + std::to_string(i) + " holds a value that is no finite number, expected finite encoder rows and biases");
}

void requireWidth(const TopKEncoder& encoder, tensor::MatrixView<const float> prepared)
{
    if (prepared.cols != encoder.width())
        throw Error(ErrorCode::InvalidParameter, "the encoder reads " + std::to_string(encoder.width()) + " features a token, found " + std::to_string(prepared.cols));
}

EncoderPtr exactEncoder(const std::shared_ptr<const Dictionary>& dictionary, ScanPrecision precision, const RunContext& context)
{
    requireFinite(*dictionary);
    return std::make_shared<ExactEncoder>(dictionary, precision, context);
}

Method exactMethod()
{
    Method method;
    method.declaration = {
        .id = "encoder.exact",
        .lab = "encoder",
        .title = "Exact scan",
        .reference = "All M scores and a running top-k in one pass over the rows: top-k autoencoders as in Gao et al., \"Scaling and evaluating sparse autoencoders\" (2406.04093)",
        .schema = ParameterSchema({{.name = "precision",
                                    .title = "Precision of the rows",
                                    .type = ParameterType::Choice,
                                    .defaultValue = std::string("f32"),
                                    .help = "What the rows are rounded to: f32 is exact and the reference, bf16 and int8 (a scale a row) read 2 and 4 times less memory",
                                    .choices = {"f32", "bf16", "int8"}}})};
    method.build = [](const Inputs& inputs, const Parameters& given, const RunContext& context) {
        const Parameters parameters = exactMethod().declaration.schema.complete(given);
        return Built{.encoder = exactEncoder(inputs.dictionary, precisionNamed(parameters.text("precision")), context), .warnings = {}, .training = {}, .trained = {}};
    };
    return method;
}

} // namespace tamis::encoder
