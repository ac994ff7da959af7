// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/even_subset.h"

#include "core/base/sha256.h"

#include <span>

namespace tamis::measure {
namespace {

class EvenSubset : public SampleSource {
public:
    EvenSubset(std::unique_ptr<SampleSource> source, std::size_t count) : m_source(std::move(source)), m_count(count) {}
    std::size_t count() const noexcept override { return m_count; }
    std::string name(std::size_t index) const override { return m_source->name(place(index)); }
    void load(std::size_t index, LoadedSample& sample) const override { m_source->load(place(index), sample); }
    std::string description() const override
    {
        return m_source->description() + " (" + std::to_string(m_count) + " of " + std::to_string(m_source->count()) + ", evenly spread)";
    }
    std::string sha256(const RunContext& context) const override
    {
        const std::string text = m_source->sha256(context) + " " + std::to_string(m_count);
        return tamis::sha256(std::as_bytes(std::span(text)));
    }

private:
    /// The middle of part `index` of `m_count` equal parts; counts stay below 2^32.
    std::size_t place(std::size_t index) const { return (2 * index + 1) * m_source->count() / (2 * m_count); }
    std::unique_ptr<SampleSource> m_source;
    std::size_t m_count;
};

} // namespace

std::unique_ptr<SampleSource> evenSubset(std::unique_ptr<SampleSource> source, std::size_t count)
{
    if (count == 0 || count >= source->count())
        return source;
    return std::make_unique<EvenSubset>(std::move(source), count);
}

} // namespace tamis::measure
