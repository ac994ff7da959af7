// SPDX-License-Identifier: GPL-3.0-or-later
// Alone in its file: Eigen's decompositions take most of a minute to compile.
#include "core/bench/peers.h"

#include <Eigen/SVD>

namespace tamis::bench {

std::vector<double> eigenSingularValues(tensor::MatrixView<const float> a)
{
    using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const RowMajor> map(a.data, a.rows, a.cols);
    const Eigen::MatrixXf matrix = map;
    const Eigen::BDCSVD<Eigen::MatrixXf> svd(matrix);
    return {svd.singularValues().begin(), svd.singularValues().end()};
}

} // namespace tamis::bench
