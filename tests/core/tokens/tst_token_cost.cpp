// SPDX-License-Identifier: GPL-3.0-or-later
// The published schedules: tokens by running each method's chain on a narrow model of the same grid and depth, MACs by the real widths.
#include "core/tokens/token_cost.h"

#include "core/cost/model_cost.h"
#include "core/cost/published_architectures.h"
#include "tests/core/tokens/bundled_model.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>

using namespace tamis;
using Settings = std::vector<std::pair<std::string, std::string>>;

class TestTokenCost : public QObject {
    Q_OBJECT
    static double gmacs(const nn::ModelSpec& spec, const std::vector<tokens::BlockTokens>& counts) { return static_cast<double>(tokens::modelMacs(spec, counts)) * 1e-9; }

private slots:
    void wholeModelsAsTheCostModelCountsThem()
    {
        for (const nn::ModelSpec& spec : {cost::deitTiny16(), cost::deitSmall16(), cost::vitBase16(), cost::vitLarge16(), cost::deitSmallDistilled16(), cost::dinov2Small14()}) {
            std::uint64_t macs = 0;
            for (const auto& layer : cost::modelCost(spec).layers)
                macs += layer.macs;
            QCOMPARE(tokens::modelMacs(spec, tokens::wholeTokens(spec)), macs);
        }
        // shared figures of the literature, to the digits they are printed with
        QCOMPARE(QString::number(gmacs(cost::vitBase16(), tokens::wholeTokens(cost::vitBase16())), 'f', 3), QString("17.564"));
        QCOMPARE(QString::number(gmacs(cost::deitSmall16(), tokens::wholeTokens(cost::deitSmall16())), 'f', 3), QString("4.599"));
        QCOMPARE(QString::number(gmacs(cost::deitTiny16(), tokens::wholeTokens(cost::deitTiny16())), 'f', 3), QString("1.254"));
    }
    void countsForOtherBlocksAreRefused()
    {
        const std::vector<tokens::BlockTokens> few(3, {10, 10});
        QVERIFY_EXCEPTION_THROWN(tokens::modelMacs(cost::deitTiny16(), few), Error);
    }
    /// 2.9, 11.4 and 1.3 are printed, cut off behind the digit, with the predictors: three times LN, d x d, d x d/2, d/2 x d/4, d/4 x 2 on the patches.
    void dynamicVitWithItsPredictors()
    {
        const auto narrow = test::narrowVit(12);
        const std::vector<float> image = test::wavyImage(*narrow);
        tokens::Trace trace;
        test::runOne(*narrow, test::chainOf("tokens.dynamicvit", narrow, {{"keep", "0.7"}}), {image, {}, {}}, &trace);
        const std::pair<nn::ModelSpec, const char*> models[] = {{cost::deitSmall16(), "2.981"}, {cost::vitBase16(), "11.476"}};
        for (const auto& [spec, printed] : models) {
            const auto d = static_cast<double>(spec.width);
            double predictors = 0;
            for (const std::int64_t patches : {196, 137, 96})
                predictors += static_cast<double>(patches) * (d * d + d * d / 2 + d * d / 8 + d / 2);
            QCOMPARE(QString::number(gmacs(spec, trace.tokens()) + 1e-9 * predictors, 'f', 3), QString(printed));
        }
    }
    void publishedSchedules_data()
    {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("method");
        QTest::addColumn<QStringList>("settings");
        QTest::addColumn<QString>("printed"); // GMACs to the digits of docs/methods
        const auto row = [](const char* model, const char* method, const QStringList& settings, const char* printed) {
            QTest::addRow("%s %s %s", model, method, qPrintable(settings.join(','))) << model << method << settings << printed;
        };
        row("DeiT-S", "tokens.tome", {"r=13"}, "2.70");
        row("ViT-B", "tokens.tome", {"r=16"}, "8.77");
        row("ViT-B", "tokens.tome", {"r=16", "inflection=-1"}, "5.86");
        row("ViT-B", "tokens.tome", {"r=13"}, "10.37");
        row("ViT-L", "tokens.tome", {"r=8"}, "30.96");
        row("ViT-L", "tokens.tome", {"r=7"}, "34.7");
        row("DeiT-S", "tokens.evit", {"keep=0.9", "fuse=false"}, "3.99");
        row("DeiT-S", "tokens.evit", {"keep=0.7", "fuse=false"}, "3.00");
        row("DeiT-S", "tokens.evit", {"keep=0.5", "fuse=false"}, "2.28");
        row("DeiT-S", "tokens.evit", {"keep=0.9"}, "4.02");
        row("DeiT-S", "tokens.evit", {"keep=0.7"}, "3.03");
        row("DeiT-S", "tokens.evit", {"keep=0.5"}, "2.31");
        row("DeiT-S", "tokens.diffrate", {"file=" TAMIS_SOURCE_DIR "/tests/golden/token_reduction/diffrate.json", "entry=ViT-S-DeiT/2.9"}, "2.905");
        row("ViT-B", "tokens.diffrate", {"file=" TAMIS_SOURCE_DIR "/tests/golden/token_reduction/diffrate.json", "entry=ViT-B-DeiT/11.5"}, "11.517");
    }
    void publishedSchedules()
    {
        QFETCH(QString, model);
        QFETCH(QString, method);
        QFETCH(QStringList, settings);
        QFETCH(QString, printed);
        const nn::ModelSpec spec = model == "DeiT-S" ? cost::deitSmall16() : model == "ViT-B" ? cost::vitBase16() : cost::vitLarge16();
        const auto narrow = test::narrowVit(static_cast<int>(spec.blocks.size()));
        Settings given;
        for (const QString& setting : settings)
            given.emplace_back(setting.section('=', 0, 0).toStdString(), setting.section('=', 1).toStdString());
        tokens::Trace trace;
        const std::vector<float> image = test::wavyImage(*narrow);
        test::runOne(*narrow, test::chainOf(method.toStdString(), narrow, given), {image, {}, {}}, &trace);
        const int digits = static_cast<int>(printed.section('.', 1).size());
        QCOMPARE(QString::number(gmacs(spec, trace.tokens()), 'f', digits), printed);
    }
};

QTEST_GUILESS_MAIN(TestTokenCost)
#include "tst_token_cost.moc"
