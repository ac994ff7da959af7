// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/row_sums.h"

#include "tests/core/tokens/bundled_model.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;

class TestRowSums : public QObject {
    Q_OBJECT
private slots:
    /// A float softmax divides by a sum of its own 257 numerators: each rounding of that sum is 6e-8 of it at most, and one more is each quotient's.
    /// Columns differ: some token receives more than twice what another does.
    void rowsSumToOneAndColumnsDoNot()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        for (const nn::Sample& sample : images.samples) {
            nn::Scratch scratch;
            const std::vector<tokens::AttentionSums> sums = tokens::attentionSums(*model, sample, scratch);
            QCOMPARE(sums.size(), std::size_t{6});
            for (const tokens::AttentionSums& block : sums) {
                QVERIFY2(block.furthestRowSum() < 258 * 6e-8 && block.furthestRowSum() > 0, qPrintable(QString::number(block.furthestRowSum())));
                QVERIFY(block.leastRowSum <= block.mostRowSum && block.furthestRowSum() == std::max(std::abs(block.leastRowSum - 1), std::abs(block.mostRowSum - 1)));
                QVERIFY(block.mostReceived > 2 * block.leastReceived && block.leastReceived > 0);
                QVERIFY(block.leastReceived <= 1.0 / 257 && block.mostReceived >= 1.0 / 257); // the mean
                qInfo("furthest row sum %.2g, received %.2g to %.2g of a mean of %.2g", block.furthestRowSum(), block.leastReceived, block.mostReceived, 1.0 / 257);
            }
            const report::AttentionRange range = tokens::rangeOf(sums);
            QCOMPARE(range.leastRow, std::ranges::min(sums, {}, &tokens::AttentionSums::leastRowSum).leastRowSum);
            QCOMPARE(range.mostRow, std::ranges::max(sums, {}, &tokens::AttentionSums::mostRowSum).mostRowSum);
            QCOMPARE(range.leastReceived, std::ranges::min(sums, {}, &tokens::AttentionSums::leastReceived).leastReceived);
            QCOMPARE(range.mostReceived, std::ranges::max(sums, {}, &tokens::AttentionSums::mostReceived).mostReceived);
        }
    }
    void windowsAndWrongSamplesAreRefused()
    {
        const auto swin = test::tokenModel("timm_swin_oblong"), vit = test::tokenModel("vit20");
        nn::Scratch scratch;
        const nn::PatchSpec& patch = swin->spec().patch;
        const std::vector<float> image(static_cast<std::size_t>(patch.channels * patch.imageHeight * patch.imageWidth), 0.5f);
        QVERIFY_EXCEPTION_THROWN(tokens::attentionSums(*swin, {image, {}, {}}, scratch), Error);
        QVERIFY_EXCEPTION_THROWN(tokens::attentionSums(*vit, {std::span(image).first(7), {}, {}}, scratch), Error);
    }
};

QTEST_GUILESS_MAIN(TestRowSums)
#include "tst_row_sums.moc"
