// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/token_source.h"

#include "core/base/error.h"
#include "core/base/sha256.h"

#include <algorithm>

namespace tamis::measure {

TokenSource::TokenSource(std::vector<std::vector<std::int32_t>> sequences, TokenWindows windows, std::string description,
                         TextBytes textBytes)
    : m_sequences(std::move(sequences)), m_description(std::move(description)), m_textBytes(std::move(textBytes))
{
    if (windows.context != 0 && windows.context < 2)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(windows.context) + ", expected at least 2 tokens", "context");
    if (windows.stride < 0 || (windows.context > 0 && windows.stride > windows.context))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(windows.stride) + ", expected 1 to the context of "
                                                     + std::to_string(windows.context) + " tokens", "stride");
    for (std::size_t sequence = 0; sequence < m_sequences.size(); ++sequence) {
        const std::size_t length = m_sequences[sequence].size();
        const std::size_t context = windows.context > 0 ? static_cast<std::size_t>(windows.context) : length;
        const std::size_t stride = windows.stride > 0 ? static_cast<std::size_t>(windows.stride) : context;
        std::size_t scored = 0; // tokens before it have had their turn
        for (std::size_t begin = 0; begin < length; begin += stride) {
            const std::size_t end = std::min(begin + context, length), firstScored = std::max(scored, begin + 1);
            if (end - begin >= 2 && firstScored < end)
                m_windows.push_back({sequence, begin, end, firstScored});
            scored = end;
            if (end == length)
                break;
        }
    }
    if (m_windows.empty())
        throw Error(ErrorCode::InvalidParameter, "found no sequence of at least two tokens", m_description);
}

std::string TokenSource::name(std::size_t index) const
{
    const Window& window = m_windows.at(index);
    return "sequence " + std::to_string(window.sequence) + ", tokens " + std::to_string(window.begin) + " to " + std::to_string(window.end - 1);
}

void TokenSource::load(std::size_t index, LoadedSample& sample) const
{
    const Window& window = m_windows.at(index);
    const auto tokens = std::span(m_sequences[window.sequence]).subspan(window.begin, window.end - window.begin);
    sample.image.clear();
    sample.tokenTypes.clear();
    sample.tokens.assign(tokens.begin(), tokens.end());
    sample.firstScored = window.firstScored - window.begin;
    sample.label = -1;
    sample.scoredBytes = m_textBytes ? m_textBytes(tokens.subspan(sample.firstScored)) : 0;
}

std::string TokenSource::sha256(const RunContext& context) const
{
    std::vector<std::uint64_t> cuts;
    for (const Window& window : m_windows)
        cuts.insert(cuts.end(), {window.sequence, window.begin, window.end, window.firstScored});
    std::string all = tamis::sha256(std::as_bytes(std::span(cuts)));
    for (const auto& sequence : m_sequences) {
        context.throwIfStopped();
        all += tamis::sha256(std::as_bytes(std::span(sequence)));
    }
    return tamis::sha256(std::as_bytes(std::span(all)));
}

} // namespace tamis::measure
