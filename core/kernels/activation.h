// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Pointwise functions of the feed-forward layers, and their formulas.
#include <string_view>

namespace tamis::kernels {

enum class Activation {
    None,
    Gelu,      ///< x Phi(x), with erf (PyTorch's default; "gelu")
    GeluTanh,  ///< 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) ("gelu_new", "gelu_pytorch_tanh", "gelu_tanh")
    QuickGelu, ///< x sigmoid(1.702 x) (CLIP; "quick_gelu")
    Relu,
    Silu, ///< x sigmoid(x) ("silu", "swish")
    Tanh
};

std::string_view activationName(Activation activation) noexcept; ///< "none", "gelu", "gelu_tanh", ...

} // namespace tamis::kernels
