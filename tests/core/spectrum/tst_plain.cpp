// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/spectrum/small_workspace.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

using namespace tamis;
using spectrum::Factors;
using tensor::Matrix;

namespace {
const spectrum::Method& plain() { return *spectrum::findMethod("spectrum.plain"); }

std::vector<double> slowDecay(std::size_t p)
{
    std::vector<double> values;
    for (std::size_t i = 0; i < p; ++i)
        values.push_back(4.0 * std::pow(static_cast<double>(i + 1), -0.8));
    return values;
}
} // namespace

class TstPlain : public QObject
{
    Q_OBJECT
private slots:
    void methodsAreDeclaredOnce()
    {
        QCOMPARE(spectrum::methods().size(), std::size_t{3});
        for (const spectrum::Method& method : spectrum::methods()) {
            QVERIFY(spectrum::findMethod(method.declaration.id) == &method);
            QVERIFY(method.declaration.id.starts_with("spectrum."));
            QVERIFY(!method.declaration.reference.empty());
            for (const ParameterSpec& spec : method.declaration.schema.specs())
                QVERIFY(!spec.help.empty());
        }
        QVERIFY(spectrum::findMethod("spectrum.none") == nullptr);
    }
    void lossIsTheSquaredErrorOfTheFactors_data()
    {
        QTest::addColumn<int>("m");
        QTest::addColumn<int>("n");
        for (const auto& [m, n] : std::vector<std::pair<int, int>>{{30, 70}, {70, 30}, {33, 33}, {1, 20}, {20, 1}, {1, 1}})
            QTest::addRow("%d x %d", m, n) << m << n;
    }
    void lossIsTheSquaredErrorOfTheFactors()
    {
        QFETCH(int, m);
        QFETCH(int, n);
        const std::vector<double> values = slowDecay(static_cast<std::size_t>(std::min(m, n)));
        const Matrix<double> w = test::withSingularValues(m, n, values, 3);
        const test::SmallWorkspace small({{"layer", w}}, {});
        const auto matrix = plain().run(small.inputs(), {}, {}).matrices[0];
        QCOMPARE(matrix.loss.size(), values.size() + 1);
        QCOMPARE(matrix.loss.back(), 0.0);
        for (std::size_t r = 0; r <= values.size(); ++r) {
            if (r < values.size())
                QVERIFY(std::abs(matrix.singularValues[r] - values[r]) < 1e-10 * values[0]);
            const Factors f = plain().factors(small.inputs(), "layer", static_cast<std::int64_t>(r), {}, {});
            QCOMPARE(f.b.cols(), static_cast<std::int64_t>(r));
            QVERIFY(std::abs(test::lossByDefinition(w, f) - matrix.loss[r]) <= 1e-13 * matrix.loss[0]);
        }
        QVERIFY_EXCEPTION_THROWN(plain().factors(small.inputs(), "layer", std::min(m, n) + 1, {}, {}), Error);
        QVERIFY_EXCEPTION_THROWN(plain().factors(small.inputs(), "layer", -1, {}, {}), Error);
    }
    void storedTypesAreReadAsTheyAre()
    {
        const Matrix<double> w = test::gaussian(24, 40, 1);
        const test::SmallWorkspace small({{"d", w, tensor::DType::F64}, {"f", w, tensor::DType::F32}, {"b", w, tensor::DType::BF16}}, {});
        const auto report = plain().run(small.inputs(), {}, {});
        for (const report::MatrixSpectrum& matrix : report.matrices) {
            const double rounding = matrix.dtype == "F64" ? 1e-14 : matrix.dtype == "F32" ? 1e-7 : 1e-2;
            const auto& exact = std::ranges::find(report.matrices, "d", &report::MatrixSpectrum::name)->singularValues;
            for (std::size_t i = 0; i < exact.size(); ++i)
                QVERIFY(std::abs(matrix.singularValues[i] - exact[i]) < 2 * rounding * exact[0]);
        }
    }
    void notANumberIsCountedAndTheRunGoesOn()
    {
        Matrix<double> broken = test::gaussian(8, 9, 1);
        broken(1, 1) = broken(2, 2) = std::numeric_limits<double>::quiet_NaN();
        broken(3, 3) = -std::numeric_limits<double>::infinity();
        const test::SmallWorkspace small({{"broken", broken, tensor::DType::F32}, {"whole", test::gaussian(8, 9, 2), tensor::DType::F32}}, {});
        spectrum::Inputs inputs = small.inputs();
        inputs.matrices = {"whole", "broken"};
        const auto report = plain().run(inputs, {}, {});
        QCOMPARE(report.matrices[0].loss.size(), std::size_t{9});
        const report::MatrixSpectrum& entry = report.matrices[1];
        QVERIFY(entry.loss.empty() && entry.singularValues.empty());
        QCOMPARE(entry.nanCount, std::uint64_t{2});
        QCOMPARE(entry.infiniteCount, std::uint64_t{1});
        QCOMPARE(entry.warnings.size(), std::size_t{1});
        try {
            plain().factors(inputs, "broken", 2, {}, {});
            QFAIL("factors of NaN");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::NonFinite);
            QCOMPARE(QString::fromStdString(error.subject()), QString("broken.weight"));
            QVERIFY(error.message().find("2 NaN and 1 infinite") != std::string::npos);
        }
    }
    void entriesStandInTheOrderAskedForAndUnknownNamesAreRefused()
    {
        const test::SmallWorkspace small({{"a", test::gaussian(4, 5, 1)}, {"b", test::gaussian(40, 50, 2)}}, {});
        spectrum::Inputs inputs = small.inputs();
        inputs.matrices = {"b", "a"};
        const auto report = plain().run(inputs, {}, {});
        QCOMPARE(QString::fromStdString(report.matrices[0].name + report.matrices[1].name), QString("ba"));
        inputs.matrices = {"a", "z"};
        try {
            plain().run(inputs, {}, {});
            QFAIL("an unknown name was accepted");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::InvalidParameter);
            QCOMPARE(QString::fromStdString(error.subject()), QString("z"));
        }
    }
    void previewIsLabelledAndBounded()
    {
        const Matrix<double> w = test::withSingularValues(100, 80, slowDecay(80), 5);
        const test::SmallWorkspace small({{"layer", w}}, {});
        Parameters p;
        p.set("preview", true);
        p.set("preview-rank", std::int64_t{10});
        const auto matrix = plain().run(small.inputs(), p, {}).matrices[0];
        QVERIFY(matrix.preview);
        QCOMPARE(matrix.singularValues.size(), std::size_t{10});
        QVERIFY(matrix.previewError * matrix.singularValues[0] >= slowDecay(80)[20]);
        QVERIFY(std::isnan(matrix.condition) && std::isnan(matrix.nuclearNorm));
        for (std::int64_t r : {0, 3, 10}) {
            const double direct = test::lossByDefinition(w, plain().factors(small.inputs(), "layer", r, p, {}));
            QVERIFY(std::abs(direct - matrix.loss[static_cast<std::size_t>(r)]) < 1e-12 * matrix.loss[0]);
        }
        p.set("preview-rank", std::int64_t{75}); // with its oversampling no smaller than the matrix: exact
        QVERIFY(!plain().run(small.inputs(), p, {}).matrices[0].preview);
    }
    void resultsDoNotDependOnTheNumberOfThreads()
    {
        const test::SmallWorkspace small({{"a", test::gaussian(300, 500, 1), tensor::DType::F32},
                                          {"b", test::gaussian(1200, 1100, 2), tensor::DType::F32},
                                          {"c", test::gaussian(60, 50, 3), tensor::DType::F32}}, {});
        const auto all = plain().run(small.inputs(), {}, {});
        const ThreadLimit one(1);
        const auto alone = plain().run(small.inputs(), {}, {});
        for (std::size_t i = 0; i < 3; ++i) {
            QVERIFY(all.matrices[i].singularValues == alone.matrices[i].singularValues);
            QVERIFY(all.matrices[i].loss == alone.matrices[i].loss);
        }
    }
    void progressReachesTheEndAndNeverRunsBack()
    {
        const test::SmallWorkspace small({{"a", test::gaussian(300, 500, 1)}, {"b", test::gaussian(60, 50, 3)}}, {});
        const RunContext context;
        std::atomic<bool> done = false, monotone = true;
        std::jthread watcher([&] {
            for (double last = 0; !done;) {
                const double now = context.fraction();
                monotone = monotone && now >= last - 1e-12;
                last = now;
            }
        });
        plain().run(small.inputs(), {}, context);
        done = true;
        watcher.join();
        QCOMPARE(context.fraction(), 1.0);
        QVERIFY(monotone);
    }
    void aStopInTheMiddleOfASweepIsSeen()
    {
        std::vector<test::NamedMatrix> matrices;
        Matrix<double> w = test::gaussian(1500, 1500, 1);
        for (int i = 0; i < 8; ++i)
            matrices.push_back({"layers." + std::to_string(i) + ".w", w, tensor::DType::F32});
        matrices.push_back({"large", test::gaussian(3000, 3000, 2), tensor::DType::F32});
        const test::SmallWorkspace small(matrices, {});
        spectrum::Inputs sweep = small.inputs();
        sweep.matrices.clear();
        for (int i = 0; i < 40; ++i)
            sweep.matrices.push_back("layers." + std::to_string(i % 8) + ".w");
        spectrum::Inputs large = small.inputs();
        large.matrices = {"large"};
        for (const auto& [inputs, after] : {std::pair{sweep, 700}, std::pair{sweep, 333}, std::pair{large, 400}}) {
            std::stop_source source;
            const RunContext context(source.get_token());
            test::StopClock clock;
            std::jthread stopper([&, wait = after] {
                std::this_thread::sleep_for(std::chrono::milliseconds(wait));
                clock.ask(source);
            });
            bool cancelled = false;
            try {
                plain().run(inputs, {}, context);
            } catch (const Error& error) {
                cancelled = error.code() == ErrorCode::Cancelled;
            }
            stopper.join();
            const double seconds = clock.seconds();
            QVERIFY(cancelled);
            qInfo("stop seen after %.1f ms", 1e3 * seconds);
            QVERIFY(seconds < test::kSoonSeconds);
        }
    }
};

TAMIS_BLAS_TEST_MAIN(TstPlain)
#include "tst_plain.moc"
