// SPDX-License-Identifier: GPL-3.0-or-later
// The bundled model against NumPy: tests/golden/make_spectrum_golden.py.
#include "core/spectrum/method.h"
#include "tests/core/linalg/blas_main.h"

#include <QFile>

#include <algorithm>
#include <cmath>
#include <map>

using namespace tamis;

class TstSpectrumGolden : public QObject
{
    Q_OBJECT
    spectrum::Inputs m_inputs;
    std::map<QString, report::SpectrumReport> m_reports; // by method, ridge, statistics
private slots:
    void initTestCase()
    {
        m_inputs.checkpoint = io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20");
        m_inputs.calibration = io::CalibrationSet::open(TAMIS_SOURCE_DIR "/datasets/vit20/calibration.h5");
    }
    void everyGoldenValueIsFound()
    {
        QFile file(TAMIS_SOURCE_DIR "/tests/golden/spectrum_golden.tsv");
        QVERIFY(file.open(QIODevice::ReadOnly));
        file.readLine();
        int compared = 0;
        double worst = 0;
        while (!file.atEnd()) {
            const QStringList cells = QString::fromLatin1(file.readLine().trimmed()).split('\t');
            QCOMPARE(cells.size(), 7);
            const auto& matrix = find(cells);
            const auto index = cells[5].toULong();
            const double expected = cells[6].toDouble();
            double found = 0, scale = std::abs(expected);
            if (cells[4] == "singularValue") {
                // squares good to p eps s_1^2 by the Gram route, s itself to its share of that: 1e-8 s_1 with room
                found = matrix.singularValues.at(index);
                scale = matrix.singularValues.at(0);
            } else if (cells[4] == "effectiveRank") {
                found = matrix.effectiveRank;
            } else if (cells[4] == "stableRank") {
                found = matrix.stableRank;
            } else if (cells[4] == "nuclearNorm") {
                found = matrix.nuclearNorm;
            } else {
                const std::vector<double>& curve = cells[4] == "loss"         ? matrix.loss
                                                   : cells[4] == "sampleLoss" ? matrix.sampleLoss
                                                                              : matrix.heldOutLoss;
                QCOMPARE(curve.size(), matrix.singularValues.size() + 1);
                found = curve.at(index);
                scale = curve.at(0); // both ways round at eps loss[0]
            }
            worst = std::max(worst, std::abs(found - expected) / scale);
            QVERIFY2(std::abs(found - expected) <= 1e-8 * scale,
                     qPrintable(cells.join(' ') + QString(": found %1").arg(found, 0, 'g', 17)));
            ++compared;
        }
        qInfo("%d values, largest difference %.2g of the scale", compared, worst);
        QVERIFY(compared > 2500);
    }

private:
    const report::MatrixSpectrum& find(const QStringList& cells)
    {
        const QString key = cells[0] + cells[1] + cells[2];
        auto at = m_reports.find(key);
        if (at == m_reports.end()) {
            const spectrum::Method* method = spectrum::findMethod(cells[0].toStdString());
            Parameters parameters;
            if (method->needsCalibration) {
                parameters.set("ridge", cells[1].toDouble());
                parameters.set("statistics", cells[2].toStdString());
            }
            at = m_reports.emplace(key, method->run(m_inputs, parameters, {})).first;
        }
        const auto found = std::ranges::find(at->second.matrices, cells[3].toStdString(), &report::MatrixSpectrum::name);
        if (found == at->second.matrices.end())
            qFatal("no matrix %s", qPrintable(cells[3]));
        return *found;
    }
};

TAMIS_BLAS_TEST_MAIN(TstSpectrumGolden)
#include "tst_spectrum_golden.moc"
