// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/landscape.h"
#include "core/report/spectrum_series.h"

#include <QTest>

#include <cmath>

using namespace tamis::report;

namespace {
MatrixSpectrum matrix(const char* name, int layer, std::size_t rank)
{
    MatrixSpectrum m;
    m.name = name;
    m.layer = layer;
    m.role = "up";
    m.tokens = 10;
    m.heldOutTokens = 2;
    for (std::size_t i = 0; i < rank; ++i)
        m.singularValues.push_back(std::pow(10.0, -static_cast<double>(i))); // 1, 0.1, 0.01 ...
    m.loss.assign(rank + 1, 0.0);
    for (std::size_t r = rank; r-- > 0;)
        m.loss[r] = m.loss[r + 1] + m.singularValues[r] * m.singularValues[r];
    m.heldOutLoss = m.loss;
    return m;
}
} // namespace

class TstSpectrumSeries : public QObject
{
    Q_OBJECT
private slots:
    void relativeLossStartsAtOneAndEndsAtZero()
    {
        SpectrumReport report;
        report.matrices = {matrix("a", 0, 5), matrix("b", 1, 7)};
        const auto series = buildSpectrumSeries(report, {"b", "missing", "a"}, {.curve = Curve::RelativeLoss, .heldOut = false});
        QCOMPARE(series.size(), std::size_t{2});
        QVERIFY(series[0].name == "b");
        QCOMPARE(series[0].points.size(), std::size_t{8});
        QCOMPARE(series[0].points.front(), (Point{0, 1}));
        QCOMPARE(series[0].points.back(), (Point{7, 0}));
        // hand-computed: after rank 1 of 1, 1e-1, 1e-2 ... 1e-4: (1e-2 + 1e-4 + 1e-6 + 1e-8) / 1.01010101
        QVERIFY(std::abs(series[1].points[1].y - 0.01010101 / 1.01010101) < 1e-12);
    }
    void energyIsTheComplementOfLoss()
    {
        SpectrumReport report;
        report.matrices = {matrix("a", 0, 5)};
        const auto loss = buildSpectrumSeries(report, {"a"}, {.curve = Curve::RelativeLoss, .heldOut = false});
        const auto energy = buildSpectrumSeries(report, {"a"}, {.curve = Curve::CumulativeEnergy, .heldOut = false});
        for (std::size_t i = 0; i < loss[0].points.size(); ++i)
            QVERIFY(std::abs(loss[0].points[i].y + energy[0].points[i].y - 1) < 1e-15);
    }
    void absoluteLossesArePerToken()
    {
        SpectrumReport report;
        report.matrices = {matrix("a", 0, 3)};
        const auto series = buildSpectrumSeries(report, {"a"}, {.curve = Curve::Loss});
        QCOMPARE(series.size(), std::size_t{2});
        QVERIFY(series[1].dashed && series[1].group == series[0].group);
        QVERIFY(std::abs(series[0].points[0].y * 10 - series[1].points[0].y * 2) < 1e-12);
    }
    void neverMoreThanTheLimitInAll()
    {
        SpectrumReport report;
        std::vector<std::string> names;
        for (int i = 0; i < 20; ++i) {
            names.push_back("m" + std::to_string(i));
            report.matrices.push_back(matrix(names.back().c_str(), i, 3000));
        }
        std::size_t total = 0;
        for (const auto& s : buildSpectrumSeries(report, names, {.curve = Curve::RelativeLoss}))
            total += s.points.size();
        QVERIFY(total <= kSeriesPoints);
        QVERIFY(total > kSeriesPoints / 2);
    }
    void aLandscapeHasARowALayerAndIsLogarithmic()
    {
        SpectrumReport report;
        report.matrices = {matrix("b1", 1, 5), matrix("b0", 0, 9)};
        MatrixSpectrum unseen; // no calibration: no curve
        unseen.name = "patch";
        report.matrices.push_back(unseen);
        const auto landscape = buildLandscape(report);
        QCOMPARE(landscape.roles.size(), std::size_t{1});
        QCOMPARE(landscape.roles[0].rows.size(), std::size_t{2});
        QVERIFY(landscape.roles[0].rows[0].matrix == "b0");
        QCOMPARE(landscape.roles[0].largestRank, 9);
        const auto& row = landscape.roles[0].rows[1].height; // 0, -1 ... -4 over five values: a straight line
        QCOMPARE(row.size(), kLandscapeColumns);
        for (std::size_t c = 0; c < row.size(); ++c)
            QVERIFY(std::abs(row[c] + 4 * landscape.position[c]) < 1e-9);
        QCOMPARE(landscape.roles[0].rows[0].height.back(), kLandscapeFloor); // 1e-8 exactly at the floor
    }
    void logarithmicIndicesStopAtTheShorterSpectrum()
    {
        SpectrumReport report;
        report.matrices = {matrix("short", 0, 3), matrix("long", 1, 8)};
        report.matrices[0].singularValues = {20, 2, 0.2};
        const auto role = buildLandscape(report).roles.at(0);
        QCOMPARE(role.indices.front(), 1.0);
        QCOMPARE(role.indices.back(), 8.0);
        const auto& row = role.rows[0];
        QVERIFY(std::abs(row.top - std::log10(20.0)) < 1e-12);
        for (std::size_t c = 0; c < role.indices.size(); ++c) {
            if (role.indices[c] > 3.0001)
                QVERIFY(std::isnan(row.byIndex[c]));
            else // a decade an index
                QVERIFY(std::abs(row.byIndex[c] + (role.indices[c] - 1)) < 1e-9);
        }
    }
    void moreCurvesThanPointsAreCut()
    {
        SpectrumReport report;
        std::vector<std::string> names;
        for (int i = 0; i < 700; ++i) {
            names.push_back("m" + std::to_string(i));
            report.matrices.push_back(matrix(names.back().c_str(), i, 30));
        }
        std::size_t total = 0;
        for (const auto& s : buildSpectrumSeries(report, names, {.curve = Curve::RelativeLoss}))
            total += s.points.size();
        QVERIFY(total <= kSeriesPoints && total > 0);
    }
    void aZeroMatrixHasNoRow()
    {
        SpectrumReport report;
        auto zero = matrix("zero", 0, 3);
        zero.singularValues.assign(3, 0.0);
        report.matrices = {zero};
        QVERIFY(buildLandscape(report).roles.empty());
    }
};

QTEST_GUILESS_MAIN(TstSpectrumSeries)
#include "tst_spectrum_series.moc"
