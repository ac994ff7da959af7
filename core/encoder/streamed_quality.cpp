// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/streamed_quality.h"

#include "core/base/error.h"
#include "core/encoder/measurement.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace tamis::encoder {
namespace {
using report::EncoderReport;
using tensor::Matrix;
using tensor::MatrixView;
using Clock = std::chrono::steady_clock;
constexpr std::int64_t kChunkValues = std::int64_t{1} << 19, kLeastChunk = 256, kMostChunk = 4096; // values, rows, rows
constexpr double kSeenSeconds = 0.2; // between two looks at the figures so far

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string grouped(std::int64_t number)
{
    std::string text = std::to_string(number);
    for (auto at = static_cast<std::int64_t>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), ",");
    return text;
}

/// Both encoders over one chunk after the other.
class Pass {
public:
    Pass(const std::shared_ptr<const Dictionary>& dictionary, const TopKEncoder& exact, const ActivationRows& rows, const TopKEncoder& encoder, const StreamOptions& options)
        : m_dictionary(*dictionary), m_exact(exact), m_rows(rows), m_encoder(encoder), m_options(options), m_sums(dictionary, rows.rows(), options.measure.outcomes), m_spread(rows.width())
    {
    }
    const QualitySums& sums() const { return m_sums; }

    void run(const EncoderReport& started, const RunContext& context)
    {
        const std::int64_t total = m_rows.rows();
        const std::int64_t chunk = m_options.chunk > 0 ? m_options.chunk : std::clamp(kChunkValues / m_rows.width(), kLeastChunk, kMostChunk);
        context.setParts(static_cast<double>(total));
        const auto start = Clock::now();
        auto lastSeen = start;
        double weighed = 0;
        for (std::int64_t first = 0; first < total; first += chunk) {
            context.throwIfStopped();
            const std::int64_t count = std::min(chunk, total - first);
            addChunk(first, count, RunContext(context.stopToken()));
            m_seconds = secondsSince(start);
            weighed += static_cast<double>(count);
            if (first + count < total && secondsSince(lastSeen) < kSeenSeconds)
                continue;
            lastSeen = Clock::now();
            const auto done = first + count;
            context.part(weighed, grouped(done) + " of " + grouped(total) + " rows, " + grouped(static_cast<std::int64_t>(static_cast<double>(done) / m_seconds)) + " a second").finish();
            weighed = 0;
            if (m_options.seen)
                m_options.seen(filled(started));
        }
        context.finish();
    }

    EncoderReport filled(EncoderReport report) const
    {
        m_sums.fill(report, m_options.measure.missed);
        const double spread = m_spread.total();
        report.quality.fvuExact = unexplained(m_exactErrors.total(), spread);
        report.quality.fvu = same() ? report.quality.fvuExact : unexplained(m_errors.total(), spread);
        report.passSeconds = m_seconds;
        return report;
    }

private:
    bool same() const { return &m_encoder == &m_exact; }
    void addChunk(std::int64_t first, std::int64_t count, const RunContext& context)
    {
        Matrix<float>& inputs = m_inputs;
        if (inputs.rows() != count)
            inputs = Matrix<float>(count, m_rows.width());
        m_rows.read(first, inputs.view(), context);
        const Matrix<float> prepared = normalisedInputs(m_dictionary.autoencoder(), inputs.view());
        EncodeTrace trace{.wantsRanking = false};
        const SparseCodes exact = m_exact.encode(prepared.view(), context, same() ? &trace : nullptr);
        std::optional<SparseCodes> own;
        if (!same())
            own = m_encoder.encode(prepared.view(), context, &trace);
        const SparseCodes& codes = own ? *own : exact;
        m_sums.add({prepared.view(), &exact, &codes, &trace});
        m_spread.add(inputs.view(), context);
        m_exactErrors.add(inputs.view(), m_dictionary.decoded(exact, inputs.view(), context).view(), context);
        if (own)
            m_errors.add(inputs.view(), m_dictionary.decoded(*own, inputs.view(), context).view(), context);
        if (m_options.codes)
            m_options.codes(first, codes);
    }

    const Dictionary& m_dictionary;
    const TopKEncoder& m_exact;
    const ActivationRows& m_rows;
    const TopKEncoder& m_encoder;
    const StreamOptions& m_options;
    QualitySums m_sums;
    RowSpread m_spread;
    SquaredErrors m_exactErrors, m_errors;
    Matrix<float> m_inputs; ///< of the chunk
    double m_seconds = 0;
};
} // namespace

EncoderReport measureRows(const std::shared_ptr<const Dictionary>& dictionary, const TopKEncoder& exact, const ActivationRows& rows, const TopKEncoder& encoder, const std::string& method,
                          const Parameters& parameters, const StreamOptions& options, const RunContext& context)
{
    const auto start = Clock::now();
    requireSameDictionary(*dictionary, exact);
    requireSameDictionary(*dictionary, encoder);
    if (rows.width() != dictionary->width())
        throw Error(ErrorCode::InvalidParameter, "found rows of width " + std::to_string(rows.width()) + ", expected the " + std::to_string(dictionary->width()) + " that the encoder reads", rows.subject());
    const double after = 1 + static_cast<double>(options.measure.latencyBatches.size());
    context.setParts(20 + after);
    const EncoderReport started = startedReport(*dictionary, exact, encoder, method, parameters);
    Pass pass(dictionary, exact, rows, encoder, options);
    pass.run(started, context.part(20, "rows"));
    EncoderReport report = pass.filled(started);
    addRanksAndLatency(report, pass.sums(), exact, encoder, options.measure, context.part(after, "measuring"));
    report.seconds = secondsSince(start);
    context.finish();
    return report;
}

} // namespace tamis::encoder
