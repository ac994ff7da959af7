// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A folder of photos with one more that cannot be read.
#include "core/base/error.h"
#include "core/measure/sample_source.h"

#include <atomic>
#include <memory>

namespace tamis::test {

/// The photos of another source, in their order, with one that is no picture before `place`.
class OneUnreadable final : public measure::SampleSource {
public:
    OneUnreadable(std::shared_ptr<const measure::SampleSource> photos, std::size_t place) : m_photos(std::move(photos)), m_place(place) {}
    std::size_t count() const noexcept override { return m_photos->count() + 1; }
    std::string name(std::size_t index) const override { return index == m_place ? "zz.jpg" : m_photos->name(index - (index > m_place)); }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        ++m_loads;
        if (index == m_place)
            throw Error(ErrorCode::MalformedFile, "is not a picture of a known format", name(index));
        m_photos->load(index - (index > m_place), sample);
    }
    std::string description() const override { return m_photos->description(); }
    std::string sha256(const RunContext& context) const override { return m_photos->sha256(context); }
    int loads() const noexcept { return m_loads; } ///< so far

private:
    mutable std::atomic<int> m_loads = 0;
    std::shared_ptr<const measure::SampleSource> m_photos;
    std::size_t m_place;
};

} // namespace tamis::test
