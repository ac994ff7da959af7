// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Vision transformers on the tape: ViT, DeiT, AugReg, DINOv2 and CLIP's vision model, by timm's or Hugging Face's names, with the
// options that core/nn runs.
#include "core/io/checkpoint.h"
#include "core/kernels/activation.h"
#include "core/nn/model_spec.h"
#include "core/train/observe.h"
#include "core/train/tape.h"

#include <cstdint>
#include <memory>
#include <span>

namespace tamis::train {

struct VitShape {
    std::int64_t channels = 3, imageHeight = 64, imageWidth = 64, patch = 4;
    std::int64_t width = 128, depth = 6, heads = 4, hidden = 512, classes = 20; ///< classes 0: pooled features are the output
    std::int64_t prefixTokens = 1;                                              ///< class, distillation and register tokens
    double epsilon = 1e-6;                                                      ///< of the norms
    kernels::Activation activation = kernels::Activation::Gelu;

    std::int64_t patches() const noexcept { return (imageHeight / patch) * (imageWidth / patch); }
    std::int64_t tokens() const noexcept { return patches() + prefixTokens; }
    std::int64_t patchValues() const noexcept { return channels * patch * patch; }
    std::int64_t imageValues() const noexcept { return channels * imageHeight * imageWidth; }
};

template <class T> class VitOnTape {
public:
    /// `imageHeight/Width`: images of another size than config.json says (0: as it says); the position table is then resampled
    /// as core/nn does, and trained through that. Throws Error{UnsupportedFeature} for another architecture, for patches that
    /// are not square and for compressed operators (one sentence with the tensor or key), Error{MalformedFile} for a missing
    /// tensor or one of another shape than expected, and what reading throws.
    static VitOnTape load(const io::Checkpoint& checkpoint, const RunContext& context = {}, std::int64_t imageHeight = 0, std::int64_t imageWidth = 0);
    /// timm's ViT with a class token. Weights drawn from a normal distribution of deviation 0.02 cut at two deviations,
    /// biases 0, norms 1, a function of the seed. Throws Error{InvalidParameter} for sides that do not divide.
    static VitOnTape initialised(const VitShape& shape, std::uint64_t seed);
    VitOnTape(VitOnTape&&) noexcept;
    VitOnTape& operator=(VitOnTape&&) noexcept;
    ~VitOnTape();

    const VitShape& shape() const noexcept;
    const nn::ModelSpec& spec() const noexcept;
    ParameterSet<T>& parameters() noexcept; ///< named and shaped as in the checkpoint
    const ParameterSet<T>& parameters() const noexcept;

    /// Cuts an image [channels, height, width] (normalised) into rows [patches, channels patch patch], as the patch embedding's
    /// convolution sees them. Throws Error{InvalidParameter} for another size.
    void cutPatches(std::span<const float> image, T* rows) const;
    /// Logits [images, classes] of patch rows [images patches, channels patch patch]. `hooks` may watch
    /// or replace linear layers and watch blocks.
    Variable<T> logits(Tape<T>& tape, Variable<T> patchRows, std::int64_t images, const ForwardHooks<T>& hooks = {});
    /// The last norm of rows that leave the last block.
    Variable<T> finalNorm(Tape<T>& tape, Variable<T> rows);

private:
    struct Content;
    explicit VitOnTape(std::unique_ptr<Content> content);
    std::unique_ptr<Content> m_content;
};

extern template class VitOnTape<float>;
extern template class VitOnTape<double>;

} // namespace tamis::train
