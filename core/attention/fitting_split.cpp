// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/fitting_split.h"

#include "core/base/error.h"
#include "core/base/sha256.h"

#include <algorithm>
#include <span>
#include <string>

namespace tamis::attention {
namespace {
class SampleRange final : public measure::SampleSource {
public:
    SampleRange(std::shared_ptr<const measure::SampleSource> source, std::size_t first, std::size_t count) : m_source(std::move(source)), m_first(first), m_count(count) {}
    std::size_t count() const noexcept override { return m_count; }
    std::string name(std::size_t index) const override { return m_source->name(m_first + index); }
    void load(std::size_t index, measure::LoadedSample& sample) const override { m_source->load(m_first + index, sample); }
    std::string description() const override
    {
        const std::string which = m_first == 0 ? "the first " + std::to_string(m_count) : m_first + m_count == m_source->count() ? "the last " + std::to_string(m_count)
                                                                                                                            : std::to_string(m_count) + " from the " + std::to_string(m_first + 1) + ". on";
        return m_source->description() + " (" + which + " of " + std::to_string(m_source->count()) + " samples)";
    }
    std::string sha256(const RunContext& context) const override
    {
        const std::string text = m_source->sha256(context) + " " + std::to_string(m_first) + " " + std::to_string(m_count);
        return tamis::sha256(std::as_bytes(std::span(text)));
    }

private:
    std::shared_ptr<const measure::SampleSource> m_source;
    std::size_t m_first, m_count;
};
} // namespace

std::shared_ptr<const measure::SampleSource> sampleRange(std::shared_ptr<const measure::SampleSource> source, std::size_t first, std::size_t count)
{
    return std::make_shared<SampleRange>(std::move(source), first, count);
}

std::size_t fittedCount(const measure::SampleSource& source, std::size_t most)
{
    if (source.count() < 2)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(source.count()) + " sample" + (source.count() == 1 ? "" : "s") +
                    ", expected two at least, or samples of their own to fit to: operators are fitted to the first and scored on the rest", source.description());
    return std::max<std::size_t>(1, std::min(most, source.count() / 2));
}

FittingSplit splitForFitting(std::shared_ptr<const measure::SampleSource> source, std::shared_ptr<const measure::SampleSource> given, bool fits, std::size_t most)
{
    if (!fits)
        return {nullptr, std::move(source)};
    if (given) {
        if (given->count() == 0)
            throw Error(ErrorCode::InvalidParameter, "found no sample to fit to, expected one at least", given->description());
        return {given->count() > most ? sampleRange(given, 0, most) : given, std::move(source)};
    }
    const std::size_t fitted = fittedCount(*source, most), all = source->count();
    return {sampleRange(source, 0, fitted), sampleRange(source, fitted, all - fitted)};
}

} // namespace tamis::attention
