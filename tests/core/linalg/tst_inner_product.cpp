// SPDX-License-Identifier: GPL-3.0-or-later
// Inner products and transposes against their definitions, on whole matrices and on windows of them.
#include "core/linalg/inner_product.h"
#include "core/tensor/transpose.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"

#include <cmath>

using namespace tamis;
using tensor::Matrix;

class TstInnerProduct : public QObject {
    Q_OBJECT
private slots:
    void isTheTraceOfTheProduct()
    {
        const Matrix<double> a = test::gaussian(7, 11, 1), b = test::gaussian(7, 11, 2);
        const Matrix<double> product = test::multiply(a, tensor::transposed(b));
        double trace = 0;
        for (std::int64_t i = 0; i < product.rows(); ++i)
            trace += product(i, i);
        QCOMPARE(linalg::innerProduct(a.view(), b.view()), trace); // the same sums in the same order
        QCOMPARE(linalg::innerProduct(a.view(), a.view()), linalg::innerProduct(tensor::transposed(a).view(), tensor::transposed(a).view()));
        QCOMPARE(linalg::innerProduct({a.data(), 0, 11, 11}, {b.data(), 0, 11, 11}), 0.0);
    }
    void windowsKeepTheirStride()
    {
        const Matrix<double> a = test::gaussian(5, 9, 3);
        const tensor::MatrixView<const double> window{a.data() + 9 + 2, 3, 4, 9};
        const Matrix<double> t = tensor::transposed(window);
        QCOMPARE(t.rows(), std::int64_t(4));
        QCOMPARE(t.cols(), std::int64_t(3));
        double sum = 0;
        for (std::int64_t i = 0; i < 3; ++i)
            for (std::int64_t j = 0; j < 4; ++j) {
                QCOMPARE(t(j, i), a(i + 1, j + 2));
                sum += a(i + 1, j + 2) * a(i + 1, j + 2);
            }
        QVERIFY(std::abs(linalg::innerProduct(window, window) - sum) <= 1e-14 * sum); // twelve terms in another order
    }
};

TAMIS_BLAS_TEST_MAIN(TstInnerProduct)
#include "tst_inner_product.moc"
