// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A vision transformer on the tape (timm's names): class token, learned positions, pre-norm blocks, optional LayerScale.
#include "core/io/checkpoint.h"
#include "core/kernels/activation.h"
#include "core/train/observe.h"
#include "core/train/tape.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamis::train {

struct VitShape {
    std::int64_t channels = 3, imageHeight = 64, imageWidth = 64, patch = 4;
    std::int64_t width = 128, depth = 6, heads = 4, hidden = 512, classes = 20;
    double epsilon = 1e-6; ///< of the norms
    kernels::Activation activation = kernels::Activation::Gelu;

    std::int64_t patches() const noexcept { return (imageHeight / patch) * (imageWidth / patch); }
    std::int64_t tokens() const noexcept { return patches() + 1; }
    std::int64_t patchValues() const noexcept { return channels * patch * patch; }
    std::int64_t imageValues() const noexcept { return channels * imageHeight * imageWidth; }
};

template <class T> class VitOnTape {
public:
    /// Throws Error{UnsupportedFeature} for another architecture or option (one sentence with the tensor or key),
    /// Error{MalformedFile} for a missing tensor or one of another shape than expected, and what reading throws.
    static VitOnTape load(const io::Checkpoint& checkpoint, const RunContext& context = {});
    /// Weights drawn from a normal distribution of deviation 0.02 cut at two deviations, biases 0, norms 1 (timm's), a
    /// function of the seed. Throws Error{InvalidParameter} for sides that do not divide.
    static VitOnTape initialised(const VitShape& shape, std::uint64_t seed);

    const VitShape& shape() const noexcept { return m_shape; }
    ParameterSet<T>& parameters() noexcept { return m_parameters; } ///< named and shaped as in the checkpoint
    const ParameterSet<T>& parameters() const noexcept { return m_parameters; }

    /// Cuts an image [channels, height, width] (normalised) into rows [patches, channels patch patch], as the patch embedding's
    /// convolution sees them. Throws Error{InvalidParameter} for another size.
    void cutPatches(std::span<const float> image, T* rows) const;
    /// Logits [images, classes] of patch rows [images patches, channels patch patch]. With an observer, activations and
    /// residuals are nodes of their own, so that the gradient of every linear output can be kept.
    Variable<T> logits(Tape<T>& tape, Variable<T> patchRows, std::int64_t images, const ObserveLinear<T>& observe = {});

private:
    explicit VitOnTape(const VitShape& shape);
    void declare(); ///< adds all parameters, zero
    Variable<T> layer(Tape<T>& tape, const std::string& name, Variable<T> x, Variable<T> base, kernels::Activation activation, const ObserveLinear<T>& observe);
    Variable<T> block(Tape<T>& tape, const std::string& name, Variable<T> x, std::int64_t images, const ObserveLinear<T>& observe);
    Variable<T> norm(Tape<T>& tape, const std::string& name, Variable<T> x);
    Variable<T> named(Tape<T>& tape, const std::string& name); ///< empty when there is none

    VitShape m_shape;
    bool m_layerScale = false;
    ParameterSet<T> m_parameters;
};

extern template class VitOnTape<float>;
extern template class VitOnTape<double>;

} // namespace tamis::train
