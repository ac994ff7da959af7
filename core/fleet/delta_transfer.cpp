// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fleet/delta_transfer.h"

#include "core/base/error.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tamis::fleet {
namespace {
constexpr int kLevels = 127;
}

double entropyBits(std::span<const std::uint64_t> counts) noexcept
{
    double sum = 0, bits = 0;
    for (const std::uint64_t count : counts)
        sum += static_cast<double>(count);
    for (const std::uint64_t count : counts)
        if (count > 0)
            bits += static_cast<double>(count) * std::log2(sum / static_cast<double>(count));
    return bits;
}

bool DeltaSender::sendRow(std::span<const float> row, std::span<float> received, std::span<std::uint64_t> histogram)
{
    double difference = 0, norm = 0;
    float most = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
        const float delta = row[i] - received[i];
        if (!std::isfinite(delta))
            throw Error(ErrorCode::NonFinite, "found a value that is not finite, expected numbers that int8 can hold", "features");
        most = std::max(most, std::fabs(delta));
        difference += static_cast<double>(delta) * delta;
        norm += static_cast<double>(row[i]) * row[i];
    }
    if (most == 0 || difference < m_threshold * m_threshold * norm)
        return false;
    const float scale = most / kLevels;
    for (std::size_t i = 0; i < row.size(); ++i) {
        const long level = std::clamp(std::lround((row[i] - received[i]) / scale), -static_cast<long>(kLevels), static_cast<long>(kLevels));
        received[i] += scale * static_cast<float>(level);
        ++histogram[static_cast<std::size_t>(level + kLevels)];
    }
    return true;
}

DeltaFrame DeltaSender::send(const tensor::Matrix<float>& frame)
{
    if (m_received.empty())
        m_received = tensor::Matrix<float>(frame.rows(), frame.cols());
    if (m_received.rows() != frame.rows() || m_received.cols() != frame.cols())
        throw Error(ErrorCode::InvalidParameter, "found features of another shape than those of the frame before, expected the same", "frame");
    DeltaFrame sent;
    std::array<std::uint64_t, 2 * kLevels + 1> histogram{};
    for (std::int64_t i = 0; i < frame.rows(); ++i)
        sent.rows += sendRow(frame.view().row(i), m_received.view().row(i), histogram) ? 1U : 0U;
    const double flags = std::ceil(static_cast<double>(frame.rows()) / 8), scales = 4.0 * static_cast<double>(sent.rows);
    sent.bytes = std::ceil(entropyBits(histogram) / 8) + scales + flags;
    sent.rawBytes = static_cast<double>(sent.rows) * static_cast<double>(frame.cols()) + scales + flags;
    for (std::size_t i = 0; i < frame.size(); ++i) {
        const double error = static_cast<double>(frame.values()[i]) - m_received.values()[i];
        sent.squaredError += error * error;
        sent.squaredNorm += static_cast<double>(frame.values()[i]) * frame.values()[i];
    }
    return sent;
}

} // namespace tamis::fleet
