// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/train/gradient_check.h"

#include "core/train/pointwise_ops.h"

#include <cmath>
#include <random>

namespace tamis::test {

tensor::Matrix<double> gaussian(std::int64_t rows, std::int64_t cols, unsigned seed, double scale)
{
    std::mt19937 generator(seed);
    std::normal_distribution<double> normal(0.0, scale);
    tensor::Matrix<double> result(rows, cols);
    for (double& value : result.values())
        value = normal(generator);
    return result;
}

std::string checkGradients(const std::vector<Shape>& shapes, const Build& build, double tolerance, unsigned seed, double inputScale)
{
    std::vector<tensor::Matrix<double>> inputs;
    for (const Shape& shape : shapes)
        inputs.push_back(gaussian(shape.rows, shape.cols, seed + static_cast<unsigned>(inputs.size()), inputScale));
    return checkGradientsAt(std::move(inputs), build, tolerance, seed);
}

std::string checkGradientsAt(std::vector<tensor::Matrix<double>> inputs, const Build& build, double tolerance, unsigned seed)
{
    train::Tape<double> tape;
    tensor::Matrix<double> weights;
    std::vector<DoubleVariable> leaves;
    const auto lossOf = [&] {
        tape.reset();
        leaves.clear();
        for (const auto& input : inputs)
            leaves.push_back(tape.input(input.view()));
        const DoubleVariable y = build(tape, leaves);
        if (weights.empty())
            weights = gaussian(y.rows(), y.cols(), seed + 1000);
        return train::sumAll(train::multiplyElements(y, tape.constant(weights.view())));
    };
    tape.backward(lossOf());
    std::vector<tensor::Matrix<double>> gradients;
    double largest = 1e-3; // a gradient of nothing but rounding must not set the scale
    for (std::size_t k = 0; k < inputs.size(); ++k) {
        gradients.emplace_back(inputs[k].rows(), inputs[k].cols());
        const auto view = tape.gradient(leaves[k]);
        for (std::int64_t i = 0; i < view.rows; ++i)
            for (std::int64_t j = 0; j < view.cols; ++j) {
                gradients[k](i, j) = view(i, j);
                largest = std::max(largest, std::abs(view(i, j)));
            }
    }
    constexpr double kStep = 1e-5;
    for (std::size_t k = 0; k < inputs.size(); ++k)
        for (std::int64_t i = 0; i < inputs[k].rows(); ++i)
            for (std::int64_t j = 0; j < inputs[k].cols(); ++j) {
                const double middle = inputs[k](i, j);
                inputs[k](i, j) = middle + kStep;
                const double above = tape.scalar(lossOf());
                inputs[k](i, j) = middle - kStep;
                const double below = tape.scalar(lossOf());
                inputs[k](i, j) = middle;
                const double difference = (above - below) / (2 * kStep), found = gradients[k](i, j);
                if (!(std::abs(difference - found) <= tolerance * largest))
                    return "input " + std::to_string(k) + " (" + std::to_string(i) + ", " + std::to_string(j) + "): gradient " +
                           std::to_string(found) + ", difference quotient " + std::to_string(difference) + ", off by " +
                           std::to_string(std::abs(difference - found) / largest) + " of the largest";
            }
    return {};
}

std::string checkDirection(train::ParameterSet<double>& parameters, const std::function<double()>& loss)
{
    std::vector<tensor::Matrix<double>> direction;
    double expected = 0, size = 0, length = 0;
    for (const auto& parameter : parameters.all()) {
        direction.push_back(gaussian(parameter.values.rows(), parameter.values.cols(), 3 + static_cast<unsigned>(direction.size())));
        double own = 0;
        for (std::size_t i = 0; i < parameter.values.size(); ++i) {
            const double g = parameter.gradient.values()[i], v = direction.back().values()[i];
            expected += g * v;
            own += g * g;
            length += v * v;
        }
        if (own == 0)
            return parameter.name + " has no gradient";
        size += own;
    }
    const double step = 1e-5 / std::sqrt(length);
    const auto at = [&](double along) {
        for (std::size_t p = 0; p < direction.size(); ++p)
            for (std::size_t i = 0; i < direction[p].size(); ++i)
                parameters.all()[p].values.values()[i] += along * direction[p].values()[i];
        return loss();
    };
    const double above = at(step), below = at(-2 * step), quotient = (above - below) / (2 * step);
    if (std::abs(quotient - expected) <= 1e-6 * std::sqrt(size * length))
        return {};
    return "derivative " + std::to_string(expected) + ", difference quotient " + std::to_string(quotient);
}

} // namespace tamis::test
