// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Samples to train on, parted from those that training is checked on. Private to the lab.
#include "core/base/run_context.h"
#include "core/measure/sample_source.h"
#include "core/train/trainer.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tamis::lowrank {

class TrainingSamples {
public:
    /// Parts `checked` samples (at most a fifth of them all, rounded down), drawn by `seed`, from the rest. The order of the rest
    /// is a function of the seed, too. Throws Error{InvalidParameter} when there is no sample.
    TrainingSamples(std::shared_ptr<const measure::SampleSource> source, std::size_t checked, std::uint64_t seed);

    /// The samples of a step: `batch` places of the endless sequence of epochs. Read in parallel, and kept in memory up to
    /// 512 MiB. Valid until the next call. Throws what reading throws, with the sample's name.
    std::span<const measure::LoadedSample> batch(std::int64_t step, std::int64_t batch, const RunContext& context);
    std::size_t checkedCount() const noexcept { return m_checked.size(); }
    std::size_t trainingCount() const noexcept { return m_training.size(); }
    /// Checked samples [begin, begin + count), as above.
    std::span<const measure::LoadedSample> checked(std::size_t begin, std::size_t count, const RunContext& context);

private:
    std::span<const measure::LoadedSample> load(const std::vector<std::size_t>& indices, const RunContext& context);

    std::shared_ptr<const measure::SampleSource> m_source;
    std::vector<std::size_t> m_checked, m_training; ///< indices of the source
    std::unique_ptr<train::SampleOrder> m_order; ///< over m_training
    std::vector<std::unique_ptr<const measure::LoadedSample>> m_cache;
    std::size_t m_cachedBytes = 0;
    std::vector<measure::LoadedSample> m_current;
};

/// Runs of samples that one pass on the tape can take: texts of one length. Positions in `samples`, in their order.
std::vector<std::vector<std::size_t>> groupsOfOneLength(std::span<const measure::LoadedSample> samples);

} // namespace tamis::lowrank
