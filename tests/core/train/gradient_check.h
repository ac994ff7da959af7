// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Gradients of the tape against central differences, in double.
#include "core/train/tape.h"

#include <functional>
#include <string>
#include <vector>

namespace tamis::test {

using DoubleVariable = train::Variable<double>;

struct Shape {
    std::int64_t rows = 0, cols = 0;
};

/// Gaussian, mean 0, deviation `scale`, a function of the seed alone.
tensor::Matrix<double> gaussian(std::int64_t rows, std::int64_t cols, unsigned seed, double scale = 1.0);

/// Builds an output of any shape from one variable for each shape.
using Build = std::function<DoubleVariable(train::Tape<double>&, const std::vector<DoubleVariable>&)>;

/// Draws the inputs and a matrix R, takes f = sum(R o build(inputs)), and compares df/dx of every element of every input with
/// (f(x + h) - f(x - h)) / 2h, h = 1e-5. Truncation h^2 f''' / 6 and rounding eps |f| / h are both some 1e-10 for functions
/// and inputs of size 1: the differences are good to 1e-8 of the largest gradient, and `tolerance` (1e-7) leaves a factor of
/// ten. Returns "" or a sentence about the worst element.
std::string checkGradients(const std::vector<Shape>& shapes, const Build& build, double tolerance = 1e-7, unsigned seed = 1,
                           double inputScale = 1.0);
/// The same with given inputs.
std::string checkGradientsAt(std::vector<tensor::Matrix<double>> inputs, const Build& build, double tolerance = 1e-7, unsigned seed = 1);

/// For whole models: d loss / d parameters, which the set holds, along one random direction in the space of all parameters
/// against (loss(+h) - loss(-h)) / 2h, to 1e-6 of |gradient| |direction|; every parameter must have a gradient. The values
/// are left a little off.
std::string checkDirection(train::ParameterSet<double>& parameters, const std::function<double()>& loss);

} // namespace tamis::test
