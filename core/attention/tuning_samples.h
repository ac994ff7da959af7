// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Samples to train on, and those kept apart. Private to the lab.
#include "core/measure/sample_source.h"
#include "core/nn/model.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tamis::attention {

class TuningSamples {
public:
    /// A `share` of the source, one at least, is kept apart, spread evenly over it: its end may be of one kind, the last classes of a folder that is
    /// sorted by them, the appendix of a text. Texts are cut to their first `length` tokens (0: not cut). Both must outlive it. Throws Error{InvalidParameter} for fewer than two samples.
    TuningSamples(const nn::Model& model, const measure::SampleSource& source, double share, std::int64_t length);
    const std::vector<std::size_t>& trained() const noexcept { return m_trained; } ///< places in the source
    const std::vector<std::size_t>& checked() const noexcept { return m_checked; }

    /// The samples of these places; valid until the next call. Read in parallel, kept up to 512 MiB. Throws what reading throws, with the name of
    /// the sample, Error{InvalidParameter} for one that does not fit the model, Error{Cancelled}.
    std::vector<const measure::LoadedSample*> at(std::span<const std::size_t> places, const RunContext& context);

private:
    const nn::Model& m_model;
    const measure::SampleSource& m_source;
    std::int64_t m_length;
    std::vector<std::size_t> m_trained, m_checked;
    std::vector<std::unique_ptr<const measure::LoadedSample>> m_kept; ///< [samples of the source]
    std::vector<std::unique_ptr<const measure::LoadedSample>> m_passing;
    std::size_t m_bytes = 0;
};

} // namespace tamis::attention
