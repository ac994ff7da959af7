// SPDX-License-Identifier: GPL-3.0-or-later
// Objectives of joint planes against NumPy, which forms every head's product (tests/golden/make_joint_golden.py).
#include "core/lowrank/joint_qk.h"
#include "core/lowrank/joint_vo.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/lowrank/lab_models.h"

#include <cmath>
#include <fstream>
#include <sstream>

using namespace tamis;

class TstJointGolden : public QObject
{
    Q_OBJECT
private slots:
    void agreesWithNumPy_data()
    {
        QTest::addColumn<int>("layer");
        QTest::addColumn<QString>("form");
        QTest::addColumn<int>("first");
        QTest::addColumn<int>("second");
        QTest::addColumn<double>("objective");
        std::ifstream file(TAMIS_SOURCE_DIR "/tests/golden/joint_golden.tsv");
        std::string line;
        std::getline(file, line);
        int count = 0;
        while (std::getline(file, line)) {
            std::istringstream fields(line);
            int layer = 0, first = 0, second = 0;
            std::string form;
            double objective = 0;
            fields >> layer >> form >> first >> second >> objective;
            QTest::addRow("layer %d %s %d %d", layer, form.c_str(), first, second) << layer << QString::fromStdString(form) << first << second << objective;
            ++count;
        }
        QCOMPARE(count, 22);
    }
    /// Ten iterations from the same start take the same path: 1e-8 relative, and the rounding of 1 - captured / total, which both have
    /// (1e-12: sums of some 1e4 terms near 1).
    void agreesWithNumPy()
    {
        QFETCH(int, layer);
        QFETCH(QString, form);
        QFETCH(int, first);
        QFETCH(int, second);
        QFETCH(double, objective);
        const lowrank::Inputs inputs = test::vit20Inputs();
        Parameters p;
        p.set("iterations", std::int64_t{10});
        p.set("tolerance", 0.0);
        p.set("vo-statistics", std::string(form == "split" ? "inputs" : "outputs"));
        double found = 0;
        if (form == "scores") {
            found = lowrank::JointQk::prepare(inputs, layer, p).solve(first, second).objective;
        } else if (form == "rotary") {
            const lowrank::AttentionParts parts = lowrank::attentionParts(*inputs.model, layer);
            nn::RopeSpec rope;
            rope.enabled = true;
            rope.theta = 100;
            rope.dimensions = 32;
            lowrank::ScoreProblem problem;
            problem.query = parts.query.weight;
            problem.key = parts.key.weight;
            problem.queryInputs = inputs.calibration->read(parts.query.name).gram;
            problem.heads = problem.keyValueHeads = 4;
            problem.headDim = 32;
            problem.rotation = lowrank::MeanRotation(rope, 32, lowrank::displacements(12, lowrank::Spread::Triangular, 1, true), 12);
            found = lowrank::ScorePlanes(problem).solve(first, second, {10, 0}).objective;
        } else if (form == "products") {
            found = lowrank::JointVo::prepare(inputs, layer, p).joint(second, first).objective;
        } else {
            found = lowrank::JointVo::prepare(inputs, layer, p).split(first).objective;
        }
        QVERIFY2(std::abs(found - objective) < 1e-8 * objective + 1e-12, qPrintable(QString("%1 %2").arg(found, 0, 'g', 12).arg(objective, 0, 'g', 12)));
    }
};

TAMIS_BLAS_TEST_MAIN(TstJointGolden)
#include "tst_joint_golden.moc"
