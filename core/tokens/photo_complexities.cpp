// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/photo_complexities.h"

#include "core/base/error.h"
#include "core/tokens/training_photos.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <mutex>

namespace tamis::tokens {
namespace {
constexpr std::size_t kRemembered = 6;
using Values = std::shared_ptr<const std::vector<double>>;

struct Entry {
    std::weak_ptr<const measure::SampleSource> source;
    Complexity measure;
    std::size_t most;
    Values values;
};

/// What was measured last, newest first.
class Memory {
public:
    Values find(const std::shared_ptr<const measure::SampleSource>& source, Complexity measure, std::size_t most)
    {
        const std::scoped_lock lock(m_mutex);
        std::erase_if(m_entries, [](const Entry& entry) { return entry.source.expired(); });
        const auto found = std::ranges::find_if(m_entries, [&](const Entry& entry) { return entry.source.lock() == source && entry.measure == measure && entry.most == most; });
        return found == m_entries.end() ? nullptr : found->values;
    }
    void keep(Entry entry)
    {
        const std::scoped_lock lock(m_mutex);
        m_entries.push_front(std::move(entry));
        if (m_entries.size() > kRemembered)
            m_entries.pop_back();
    }

private:
    std::mutex m_mutex;
    std::deque<Entry> m_entries;
};

Memory& memory()
{
    static Memory one;
    return one;
}
} // namespace

std::shared_ptr<const std::vector<double>> photoComplexities(const std::shared_ptr<const measure::SampleSource>& source, Complexity measure, const nn::PatchSpec& patch, std::size_t most,
                                                             const RunContext& context)
{
    most = std::min(most, source->count());
    if (Values known = memory().find(source, measure, most))
        return known;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < most; ++i)
        places.push_back(i * source->count() / most);
    std::vector<double> all(most, std::numeric_limits<double>::quiet_NaN());
    const ReadPhotos read = readPhotos(*source, places, [&](std::size_t i, measure::LoadedSample& sample) { all[i] = complexityOf(measure, sample.image, patch, context); }, context);
    if (read.places.empty())
        throw Error(ErrorCode::InvalidParameter, "found no photo that can be read, expected one at least to measure" + (read.firstFailure.empty() ? std::string() : "; the first: " + read.firstFailure), "photos");
    std::vector<double> measured;
    for (std::size_t i = 0, next = 0; i < most; ++i)
        if (next < read.places.size() && read.places[next] == places[i]) {
            measured.push_back(all[i]);
            ++next;
        }
    auto values = std::make_shared<const std::vector<double>>(std::move(measured));
    memory().keep({source, measure, most, values});
    return values;
}

} // namespace tamis::tokens
