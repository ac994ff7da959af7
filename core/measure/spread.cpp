// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/spread.h"

#include <cmath>

namespace tamis::measure {

void BatchSpread::Moments::add(double value, std::uint64_t number)
{
    const double difference = value - mean;
    mean += difference / static_cast<double>(number);
    squares += difference * (value - mean);
}

double BatchSpread::Moments::deviation(std::uint64_t number) const
{
    return number < 2 ? report::kNotMeasured : std::sqrt(squares / static_cast<double>(number - 1));
}

void BatchSpread::add(double sum, std::uint64_t count)
{
    if (count == 0)
        return;
    m_sum += sum;
    m_count += count;
    ++m_batches;
    const double mean = sum / static_cast<double>(count);
    m_means.add(mean, m_batches);
    m_exponentials.add(std::exp(mean), m_batches);
}

report::Measured BatchSpread::measured() const
{
    if (m_count == 0)
        return {};
    return {m_sum / static_cast<double>(m_count), m_means.deviation(m_batches)};
}

report::Measured BatchSpread::exponential() const
{
    if (m_count == 0)
        return {};
    return {std::exp(m_sum / static_cast<double>(m_count)), m_exponentials.deviation(m_batches)};
}

} // namespace tamis::measure
