// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/train/linear_ops.h"
#include "core/train/norm_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/tape.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/train/gradient_check.h"

#include <QtTest>

using namespace tamis;
using namespace tamis::train;
using test::checkGradients;
using test::gaussian;

/// What the tape itself promises: accumulation, windows, kept gradients, memory, stops.
class TstTape : public QObject {
    Q_OBJECT

    static tensor::Matrix<float> floats(std::int64_t rows, std::int64_t cols, unsigned seed)
    {
        const auto values = gaussian(rows, cols, seed);
        tensor::Matrix<float> result(rows, cols);
        std::copy(values.values().begin(), values.values().end(), result.data());
        return result;
    }

private slots:
    void gradientsOfSharedVariablesAddUp()
    {
        const std::string complaint = checkGradients({{3, 4}, {3, 4}}, [](auto&, const auto& x) {
            const auto twice = add(x[0], x[0]);
            return add(add(multiplyElements(twice, x[0]), x[1]), subtract(x[0], x[1]));
        });
        QVERIFY2(complaint.empty(), complaint.c_str());
    }

    void windowsPassTheirColumnsOn()
    {
        const std::string complaint = checkGradients({{3, 7}}, [](Tape<double>& tape, const auto& x) {
            const auto middle = tape.window(x[0], 2, 4); // column 6 and 0..1 reach the loss through the sum only
            return add(multiplyElements(tape.window(middle, 0, 3), tape.window(middle, 1, 3)), tape.window(x[0], 4, 3));
        });
        QVERIFY2(complaint.empty(), complaint.c_str());
    }

    void stoppedGradientsAreZero()
    {
        Tape<double> tape;
        const auto values = gaussian(2, 3, 1);
        const auto x = tape.input(values.view());
        tape.backward(sumAll(multiplyElements(stopGradient(multiplyElements(x, x)), x)));
        for (std::int64_t i = 0; i < 2; ++i)
            for (std::int64_t j = 0; j < 3; ++j)
                QCOMPARE(tape.gradient(x)(i, j), values(i, j) * values(i, j));
        const auto y = tape.input(values.view());
        QVERIFY(tape.gradient(y).data == nullptr); // the loss does not depend on it
    }

    void parametersCollectTheGradientsOfSeveralSteps()
    {
        ParameterSet<double> set;
        const auto initial = gaussian(2, 3, 5);
        Parameter<double>& w = set.add("w", {2, 3}, {initial.values().begin(), initial.values().end()});
        Tape<double> tape;
        tensor::Matrix<double> expected(2, 3);
        for (unsigned step = 0; step < 3; ++step) {
            tape.reset();
            const auto x = gaussian(4, 3, 10 + step);
            tape.backward(sumAll(linear(tape.constant(x.view()), tape.parameter(w))), 0.5);
            for (std::int64_t o = 0; o < 2; ++o)
                for (std::int64_t i = 0; i < 3; ++i)
                    for (std::int64_t t = 0; t < 4; ++t)
                        expected(o, i) += 0.5 * x(t, i);
        }
        for (std::size_t i = 0; i < expected.size(); ++i)
            QVERIFY(std::abs(w.gradient.values()[i] - expected.values()[i]) < 1e-14);
        set.zeroGradients();
        QCOMPARE(w.gradient(1, 2), 0.0);
        QCOMPARE(set.count(), std::uint64_t{6});
    }

    void keptGradientsOutliveTheStepsThatOverwriteThem()
    {
        Tape<double> tape;
        const auto values = gaussian(3, 4, 2);
        const auto x = tape.input(values.view());
        const auto z = scale(x, 2.0);
        tape.keepGradient(z);
        const auto y = activation(add(z, x), kernels::Activation::Tanh); // both pass their gradient's memory on
        tape.keepGradient(y);
        tape.backward(sumAll(scale(y, 3.0)));
        for (std::int64_t i = 0; i < 3; ++i)
            for (std::int64_t j = 0; j < 4; ++j) {
                const double h = std::tanh(3 * values(i, j));
                QCOMPARE(tape.gradient(y)(i, j), 3.0);
                QVERIFY(std::abs(tape.gradient(z)(i, j) - 3 * (1 - h * h)) < 1e-14);
                QVERIFY(std::abs(tape.gradient(x)(i, j) - 9 * (1 - h * h)) < 1e-13);
            }
    }

    void stepsOfTheSameSizeAllocateNothing()
    {
        Tape<float> tape;
        const auto x = floats(600, 300, 1), w = floats(500, 300, 2), b = floats(1, 500, 3);
        std::size_t after = 0;
        const float* place = nullptr;
        for (int step = 0; step < 5; ++step) {
            tape.reset();
            const auto in = tape.input(x.view());
            const auto y = linear(in, tape.input(w.view()), tape.input(b.view()), kernels::Activation::Gelu);
            tape.backward(sumAll(y));
            if (step == 2) {
                after = tape.bytes();
                place = y.value().data;
            } else if (step > 2) {
                QCOMPARE(tape.bytes(), after);
                QCOMPARE(y.value().data, place);
            }
        }
        QVERIFY(after > 2 * 600 * 500 * sizeof(float)); // it is the memory of the step that is counted
    }

    void resultsDoNotDependOnTheNumberOfThreads()
    {
        // several chunks of rows, several tiles of columns, a weight too large for partial sums
        const auto x = floats(1500, 900, 1), w = floats(1200, 900, 2), b = floats(1, 1200, 3), v = floats(40, 1200, 4), g = floats(1, 900, 5);
        const auto run = [&](int threads) {
            const ThreadLimit limit(threads);
            Tape<float> tape;
            const auto in = tape.input(x.view()), weight = tape.input(w.view()), bias = tape.input(b.view()), second = tape.input(v.view());
            const auto norm = tape.input(g.view());
            const auto y = linear(linear(layerNorm(in, norm, {}, 1e-6), weight, bias, kernels::Activation::Gelu), second);
            tape.backward(sumSquares(y));
            std::vector<float> all;
            for (const auto& variable : {in, weight, bias, second, norm}) {
                const auto gradient = tape.gradient(variable);
                all.insert(all.end(), gradient.data, gradient.data + gradient.rows * gradient.cols);
            }
            all.insert(all.end(), y.value().data, y.value().data + 1500 * 40);
            return all;
        };
        const std::vector<float> one = run(1);
        for (int round = 0; round < 3; ++round)
            QVERIFY(run(2) == one);
    }

    void aStopLeavesAUsableTape()
    {
        std::stop_source stop;
        Tape<float> tape{RunContext(stop.get_token())};
        const auto x = floats(10, 10, 1);
        const auto y = sumSquares(tape.input(x.view()));
        stop.request_stop();
        try {
            tape.backward(y);
            QFAIL("the stop was not seen");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
        tape.setContext({});
        tape.reset();
        tape.backward(sumSquares(tape.input(x.view())));
    }

    void shapesThatDisagreeAreRefused()
    {
        Tape<double> tape;
        const auto a = gaussian(3, 4, 1), b = gaussian(2, 4, 2), row = gaussian(1, 3, 3);
        const auto x = tape.input(a.view()), w = tape.input(b.view()), r = tape.input(row.view());
        const auto refuses = [](const auto& operation, const char* part) {
            try {
                operation();
            } catch (const Error& error) {
                return error.code() == ErrorCode::InvalidParameter && std::string(error.what()).find(part) != std::string::npos;
            }
            return false;
        };
        QVERIFY(refuses([&] { add(x, w); }, "add: found [3, 4] and [2, 4]"));
        QVERIFY(refuses([&] { product(x, w); }, "linear: found x [3, 4]"));
        QVERIFY(refuses([&] { linear(x, w, r); }, "a bias [1, 3], expected [1, 2]"));
        QVERIFY(refuses([&] { linearResidual(x, w, {}, r); }, "a base [1, 3], expected [3, 2]"));
        QVERIFY(refuses([&] { layerNorm(x, r, {}, 1e-6); }, "expected [1, 4]"));
        QVERIFY(refuses([&] { multiplyRow(x, r); }, "expected [1, 4]"));
        QVERIFY(refuses([&] { dropout(x, 1.0, 1); }, "less than 1"));
        QVERIFY(refuses([&] { tape.window(x, 3, 2); }, "columns 3 to 5 of [3, 4]"));
        QVERIFY(refuses([&] { tape.backward(x); }, "expected [1, 1]"));
        ParameterSet<double> set;
        set.add("w", {2, 2});
        QVERIFY(refuses([&] { set.add("w", {1}); }, "already"));
        QVERIFY(refuses([&] { set.add("v", {2, 2}, {1.0}); }, "found 1 values, expected 4"));
        QVERIFY(refuses([&] { set.add("v", {2, 0}); }, "a side of its shape is 0"));
        QVERIFY(refuses([&] { set.at("u"); }, "no such parameter"));
    }
};

TAMIS_BLAS_TEST_MAIN(TstTape)
#include "tst_tape.moc"
