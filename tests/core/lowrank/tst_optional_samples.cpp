// SPDX-License-Identifier: GPL-3.0-or-later
// Which methods read samples is what they are seen to do, as they are set by default.
#include "core/lowrank/optional_samples.h"
#include "tests/core/lowrank/lab_models.h"

#include <QTest>

#include <atomic>
#include <utility>

using namespace tamis;

class TestOptionalSamples : public QObject {
    Q_OBJECT
private slots:
    void readsSamples_data()
    {
        QTest::addColumn<QString>("id");
        for (const auto& method : lowrank::methods())
            if (!method.needsSamples)
                QTest::newRow(method.declaration.id.c_str()) << QString::fromStdString(method.declaration.id);
    }
    void readsSamples()
    {
        QFETCH(QString, id);
        const auto& method = *lowrank::findMethod(id.toStdString());
        auto inputs = test::vit20Inputs();
        std::atomic<int> reads = 0;
        auto samples = std::make_shared<test::SampleList>(test::noise(4, 64, 7));
        samples->beforeLoad = [&](std::size_t) { ++reads; };
        inputs.samples = samples;
        plan::BudgetRequest budget;
        budget.keep = 0.6;
        budget.allocation = plan::Allocation::Uniform;
        for (const auto& matrix : inputs.checkpoint->layout().matrices) // of one block: who reads samples does it for any
            if (matrix.layer == 1)
                inputs.matrices.push_back(matrix.name);
        Parameters parameters = method.declaration.schema.defaults();
        for (const auto& [name, value] : {std::pair{"iterations", std::int64_t{1}}, {"rows", std::int64_t{64}}}) // how often, not whether
            if (parameters.contains(name))
                parameters.set(name, value);
        method.compress(inputs, budget, parameters, {}, {});
        QCOMPARE(reads > 0, lowrank::takesSamples(method));
    }
};

QTEST_GUILESS_MAIN(TestOptionalSamples)
#include "tst_optional_samples.moc"
