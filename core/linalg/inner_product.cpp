// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/inner_product.h"

namespace tamis::linalg {

double innerProduct(ConstView a, ConstView b)
{
    double sum = 0;
    for (std::int64_t i = 0; i < a.rows; ++i) {
        double row = 0;
        for (std::int64_t j = 0; j < a.cols; ++j)
            row += a(i, j) * b(i, j);
        sum += row;
    }
    return sum;
}

} // namespace tamis::linalg
