// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Token sequences cut into windows that a model can read.
#include "core/measure/sample_source.h"

#include <functional>
#include <span>

namespace tamis::measure {

struct TokenWindows {
    std::int64_t context = 0; ///< tokens a window; 0: whole sequences
    std::int64_t stride = 0;  ///< from one window's start to the next; 0: the context, windows do not overlap
};

/// Windows of one sequence after the other. With a stride below the context, windows overlap and only the tokens that no
/// earlier window scored are scored (docs/evaluation.md). A rest of a single token at the end of a sequence is left out
/// where windows do not overlap: nothing could be predicted from it.
class TokenSource : public SampleSource {
public:
    /// Bytes of the text that tokens stand for; called from several threads at once.
    using TextBytes = std::function<std::uint64_t(std::span<const std::int32_t>)>;

    /// Without `textBytes` samples do not know their bytes. Throws Error{InvalidParameter} for a context below 2, a stride
    /// beyond the context, and when there is no window.
    TokenSource(std::vector<std::vector<std::int32_t>> sequences, TokenWindows windows, std::string description, TextBytes textBytes = {});

    std::size_t count() const noexcept override { return m_windows.size(); }
    std::string name(std::size_t index) const override; ///< "sequence 0, tokens 512 to 1023"
    void load(std::size_t index, LoadedSample& sample) const override;
    std::string description() const override { return m_description; }
    std::string sha256(const RunContext& context) const override;

private:
    struct Window {
        std::size_t sequence, begin, end, firstScored; ///< positions in the sequence
    };
    std::vector<std::vector<std::int32_t>> m_sequences;
    std::string m_description;
    TextBytes m_textBytes;
    std::vector<Window> m_windows;
};

} // namespace tamis::measure
