// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/apply_plan.h"

#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"
#include "tests/core/plan/export_fixture.h"

#include <algorithm>
#include <cmath>
#include <functional>

using namespace tamis;
using namespace tamis::plan;

namespace {

tensor::Matrix<float> logitsOf(const nn::Model& model)
{
    std::vector<tensor::Matrix<float>> images;
    std::vector<nn::Sample> samples;
    for (std::uint64_t seed = 1; seed <= 3; ++seed)
        images.push_back(test::gaussianFloat(3 * 64, 64, seed));
    for (const auto& image : images)
        samples.push_back({image.values(), {}, {}});
    const auto outputs = nn::runBatch(model, samples);
    tensor::Matrix<float> logits(3, 20);
    for (std::int64_t i = 0; i < 3; ++i)
        std::copy_n(outputs[static_cast<std::size_t>(i)].data(), 20, logits.data() + i * 20);
    return logits;
}

/// Largest difference over the largest value.
double difference(const tensor::Matrix<float>& a, const tensor::Matrix<float>& b)
{
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(a.values()[i]) - static_cast<double>(b.values()[i])));
        largest = std::max(largest, std::abs(static_cast<double>(a.values()[i])));
    }
    return worst / largest;
}

QString refusal(const std::function<void()>& call)
{
    try {
        call();
    } catch (const Error& error) {
        return QString::fromUtf8(errorCodeName(error.code()).data()) + ": " + error.what();
    }
    return "accepted";
}

} // namespace

class TstApplyPlan : public QObject
{
    Q_OBJECT
private slots:
    void runsAsTheExportRuns_data()
    {
        QTest::addColumn<QString>("method");
        QTest::addColumn<int>("accounting");
        QTest::newRow("whitened, factors") << "spectrum.whitened" << static_cast<int>(Accounting::Factors);
        QTest::newRow("whitened, block identity") << "spectrum.whitened" << static_cast<int>(Accounting::BlockIdentity);
        QTest::newRow("plain, factors") << "spectrum.plain" << static_cast<int>(Accounting::Factors);
    }
    void runsAsTheExportRuns()
    {
        QFETCH(QString, method);
        QFETCH(int, accounting);
        const auto prepared = fixture::vit20(method.toUtf8(), 0.5, static_cast<Accounting>(accounting));
        const auto dense = nn::Model::load(*prepared.inputs.checkpoint);
        const auto applied = applyPlan(*dense, prepared.inputs.checkpoint, prepared.inputs.calibration, prepared.plan);
        std::uint64_t parameters = 0, before = 0;
        int replaced = 0;
        for (const auto& op : prepared.plan.operators) {
            if (op.layout == "dense")
                continue;
            const nn::LinearSlot& slot = *applied->find(op.name);
            QCOMPARE(std::string(slot.op->kind()), op.layout);
            ++replaced;
            QCOMPARE(slot.op->rank(), op.rank);
            parameters += slot.op->cost().parameters;
            before += dense->find(op.name)->op->cost().parameters;
        }
        QVERIFY(replaced > 5);
        QCOMPARE(prepared.plan.baseline.parameters - prepared.plan.cost.parameters, before - parameters);

        QTemporaryDir directory;
        const std::filesystem::path folder = directory.filePath("export").toStdString();
        fixture::exported(prepared, folder, {});
        const auto logits = logitsOf(*applied);
        QVERIFY(difference(logitsOf(*dense), logits) > 1e-3); // it is another model
        // The dense weights are B A rounded once to float; the two forwards differ by rounding alone.
        const auto written = nn::Model::load(*io::Checkpoint::open(folder / "model.safetensors"));
        QVERIFY(difference(logitsOf(*written), logits) < 1e-4);
        // The factors are the same floats, multiplied by the same kernels.
        const auto factors = nn::Model::load(*io::Checkpoint::open(folder / "factors.safetensors"));
        QCOMPARE(difference(logitsOf(*factors), logits), 0.0);
    }

    void aPlanThatReplacesNothing()
    {
        auto prepared = fixture::vit20("spectrum.plain", 0.5, Accounting::Factors);
        for (auto& op : prepared.plan.operators)
            op.layout = "dense";
        const auto dense = nn::Model::load(*prepared.inputs.checkpoint);
        const auto applied = applyPlan(*dense, prepared.inputs.checkpoint, nullptr, prepared.plan);
        QCOMPARE(difference(logitsOf(*dense), logitsOf(*applied)), 0.0);
    }

    void refusals()
    {
        const auto prepared = fixture::vit20("spectrum.whitened", 0.5, Accounting::Factors);
        const auto dense = nn::Model::load(*prepared.inputs.checkpoint);
        const auto apply = [&](const Plan& plan, std::shared_ptr<const io::CalibrationSet> calibration) {
            return refusal([&] { applyPlan(*dense, prepared.inputs.checkpoint, std::move(calibration), plan); });
        };
        QVERIFY(apply(prepared.plan, nullptr).contains("needs the calibration set that the plan was made with, found none"));
        QTemporaryDir directory;
        const std::filesystem::path file = directory.filePath("other.h5").toStdString();
        io::CalibrationSite site = prepared.inputs.calibration->read("head");
        io::writeCalibration(file, "feed", "another model's", 1, {site});
        QCOMPARE(apply(prepared.plan, io::CalibrationSet::open(file)),
                 QString("invalid parameter: %1: was captured from another model: found the SHA-256 feed of its model, expected %2")
                     .arg(QString::fromStdString(file.string()), QString::fromStdString(prepared.inputs.checkpoint->sha256())));
        io::writeCalibration(file, prepared.inputs.checkpoint->sha256(), "other photos", 1, {site});
        QVERIFY(apply(prepared.plan, io::CalibrationSet::open(file)).contains("with which the plan was made"));
        auto plan = prepared.plan;
        plan.modelSha256 = "feed";
        QVERIFY(apply(plan, prepared.inputs.calibration).contains("expected feed, with which the plan was made"));
        plan = prepared.plan;
        plan.method = "spectrum.none";
        QVERIFY(apply(plan, prepared.inputs.calibration).contains("which this program does not have"));
        plan = prepared.plan;
        auto& op = *std::ranges::find_if(plan.operators, [](const auto& planned) { return planned.layout != "dense"; });
        op.layout = "remapped";
        QVERIFY(apply(plan, prepared.inputs.calibration).startsWith("unsupported feature: " + QString::fromStdString(op.name)));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY(refusal([&] { applyPlan(*dense, prepared.inputs.checkpoint, prepared.inputs.calibration, prepared.plan, RunContext(stop.get_token())); })
                    .startsWith("cancelled"));
    }
};

TAMIS_BLAS_TEST_MAIN(TstApplyPlan)
#include "tst_apply_plan.moc"
