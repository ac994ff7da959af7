// SPDX-License-Identifier: GPL-3.0-or-later
// How tokens lie on a photo: groups, colours, scores, what is drawn, what is written.
#include "tests/views/token_sample.h"
#include "views/common/theme.h"
#include "views/tokens/token_picture.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QPainter>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

namespace {
int distance(const QColor& a, const QColor& b) { return std::abs(a.red() - b.red()) + std::abs(a.green() - b.green()) + std::abs(a.blue() - b.blue()); }
} // namespace

class TstTokenPicture : public QObject {
    Q_OBJECT
    TokenPicture m_picture{sample::tokenOverlay(), sample::tokenPhoto()};

    QImage drawn(int depth, TokenShade shade) const
    {
        QImage image(256, 256, QImage::Format_RGB32);
        image.fill(Qt::white);
        QPainter painter(&image);
        m_picture.paint(painter, QRectF(0, 0, 256, 256), depth, shade);
        return image;
    }
    /// A pixel between the hatch lines and beside the borders.
    static QColor middle(const QImage& image, int patch) { return image.pixelColor(patch % 4 * 64 + 34, patch / 4 * 64 + 33); }

private slots:
    void depthsHaveTheirTokens()
    {
        QCOMPARE(m_picture.blocks(), 3);
        QCOMPARE(m_picture.patches(), 16);
        QCOMPARE(m_picture.tokens(0), 17);
        QCOMPARE(m_picture.tokens(2), 14);
        QCOMPARE(m_picture.tokens(3), 10);
        for (int patch = 0; patch < 16; ++patch) {
            QCOMPARE(m_picture.groupOf(0, patch), patch + 1); // before the first block each is its own
            QCOMPARE(m_picture.groupOf(3, patch) < 0, patch >= 12);
        }
        QCOMPARE(m_picture.members(2, 1), (std::vector<int>{0, 1, 4, 5}));
        QCOMPARE(m_picture.sizeOf(2, 1), 4.0);
        QVERIFY(m_picture.members(2, 99).empty());
        QVERIFY(m_picture.members(2, -1).empty());
    }
    /// A block that was not run has no tokens: those before it are shown, dimmed, and none of them as pruned.
    void blocksThatWereNotRunHaveTheTokensBefore()
    {
        const TokenPicture early(sample::earlyOverlay(), sample::tokenPhoto());
        QCOMPARE(early.blocks(), 3);
        QCOMPARE(early.runBlocks(), 2);
        QVERIFY(early.wasRun(2) && !early.wasRun(3));
        QCOMPARE(m_picture.runBlocks(), 3);
        QCOMPARE(early.tokens(3), early.tokens(2));
        for (int patch = 0; patch < 16; ++patch)
            QCOMPARE(early.groupOf(3, patch), m_picture.groupOf(2, patch));
        QImage image(256, 256, QImage::Format_RGB32);
        image.fill(Qt::white);
        QPainter painter(&image);
        early.paint(painter, QRectF(0, 0, 256, 256), 3, TokenShade::Tokens);
        painter.end();
        const QColor panel = Theme::instance().color(Ink::Panel), run = middle(drawn(2, TokenShade::Tokens), 10), notRun = middle(image, 10);
        QVERIFY(distance(notRun, panel) < distance(run, panel));
        const auto json = QJsonDocument::fromJson(tokensJson(*early.overlay(), {})).object();
        QCOMPARE(json["remark"].toString(), QStringLiteral("left behind block 1"));
        QCOMPARE(blocksRun(*early.overlay()), std::size_t(2));
        report::TokenOverlay nothing = *early.overlay(); // not one block
        for (auto& layer : nothing.layers)
            layer.after = 0;
        QCOMPARE(blocksRun(nothing), std::size_t(0));
    }
    void everyPatchIsInOneTokenOrPruned()
    {
        for (int depth = 0; depth <= 3; ++depth) {
            int members = 0, pruned = 0;
            for (int token = 0; token < m_picture.tokens(depth); ++token)
                members += static_cast<int>(m_picture.members(depth, token).size());
            for (int patch = 0; patch < 16; ++patch)
                pruned += m_picture.groupOf(depth, patch) < 0;
            QCOMPARE(members + pruned, 16);
        }
    }
    void groupsHaveTheMeanOfTheirPixels()
    {
        QCOMPARE(m_picture.meanColor(2, 1), QColor(100, 0, 0)); // 200, 100, 0, 100
        QCOMPARE(m_picture.meanColor(0, 1), QColor(200, 0, 0));
        QVERIFY(!m_picture.meanColor(2, 0).isValid()); // the class token has no place
        QVERIFY(!TokenPicture(sample::tokenOverlay(), {}).meanColor(2, 1).isValid());
    }
    void photosOfAnySizeAreMeasured()
    {
        // 61 x 47 pixels are no multiple of the grid; each patch has the pixels between its edges, rounded down.
        QImage odd(61, 47, QImage::Format_RGB32);
        for (int y = 0; y < odd.height(); ++y)
            for (int x = 0; x < odd.width(); ++x)
                odd.setPixelColor(x, y, QColor((7 * x + 3 * y) % 256, (5 * x * y) % 256, (11 * y) % 256));
        const TokenPicture picture(sample::tokenOverlay(), odd);
        for (const int patch : {0, 3, 6, 15}) {
            double red = 0, pixels = 0;
            for (int y = patch / 4 * 47 / 4; y < (patch / 4 + 1) * 47 / 4; ++y)
                for (int x = patch % 4 * 61 / 4; x < (patch % 4 + 1) * 61 / 4; ++x, ++pixels)
                    red += odd.pixelColor(x, y).red();
            QCOMPARE(picture.meanColor(0, patch + 1).red(), static_cast<int>(std::lround(red / pixels)));
        }
        QImage one(1, 1, QImage::Format_ARGB32);
        one.fill(QColor(9, 8, 7));
        QCOMPARE(TokenPicture(sample::tokenOverlay(), one).meanColor(2, 1), QColor(9, 8, 7));
    }
    void reportsThatDoNotFitAreEmpty()
    {
        auto few = sample::tokenOverlay();
        few->layers[1].group.pop_back();
        QVERIFY(TokenPicture(few, {}).isEmpty());
        auto beyond = sample::tokenOverlay();
        beyond->layers[2].group[3] = 10; // of 0 .. 9
        QVERIFY(TokenPicture(beyond, {}).isEmpty());
        auto sizes = sample::tokenOverlay();
        sizes->layers[1].sizes.pop_back();
        QVERIFY(TokenPicture(sizes, {}).isEmpty());
        auto scores = sample::tokenOverlay();
        scores->layers[1].scores.resize(3);
        QVERIFY(TokenPicture(scores, {}).isEmpty());
        QVERIFY(TokenPicture(nullptr, sample::tokenPhoto()).isEmpty());
        QCOMPARE(TokenPicture().tokens(0), 0);
    }
    void scoresAreThoseOfTheLastBlockThatReduced()
    {
        QCOMPARE(m_picture.scoreBlock(0), -1);
        QCOMPARE(m_picture.scoreBlock(1), -1); // block 0 reduces nothing
        QCOMPARE(m_picture.scoreBlock(2), 1);
        QCOMPARE(m_picture.scoreBlock(3), 2);
        QVERIFY(std::abs(m_picture.score(2, 15) - 1.5) < 1e-6);
        QCOMPARE(m_picture.scoreRange(2), std::pair(0.0, static_cast<double>(1.5F)));
        QVERIFY(std::isnan(m_picture.score(3, 0)));
        QVERIFY(!m_picture.scoreColor(3, 0).isValid());
        QCOMPARE(m_picture.scoreRange(3).first, static_cast<double>(0.1F)); // not of the class token, and not of none
        QCOMPARE(m_picture.scoreColor(2, 15), Theme::sequentialColor(1));
        QCOMPARE(m_picture.scoreColor(2, 0), Theme::sequentialColor(0));
    }
    void mergedGroupsAreOutlined()
    {
        QVERIFY(m_picture.isOutlined(2, 1, 2));
        QVERIFY(!m_picture.isOutlined(2, 0, 1));  // within
        QVERIFY(!m_picture.isOutlined(2, 2, 3));  // two singles
        QVERIFY(!m_picture.isOutlined(0, 1, 2));
        QVERIFY(!m_picture.isOutlined(3, 12, 13)); // two pruned ones
    }
    void tokensAreDrawn()
    {
        const QImage before = drawn(0, TokenShade::Tokens), merged = drawn(2, TokenShade::Tokens), pruned = drawn(3, TokenShade::Tokens);
        QCOMPARE(middle(before, 0), QColor(200, 0, 0));
        QCOMPARE(middle(merged, 0), QColor(100, 0, 0));
        QCOMPARE(middle(merged, 10), QColor(0, 0, 200)); // alone: the photo
        const QColor panel = Theme::instance().color(Ink::Panel);
        QVERIFY(distance(middle(pruned, 13), panel) < distance(middle(merged, 13), panel) / 2); // dimmed
        QCOMPARE(middle(pruned, 10), QColor(0, 0, 200));
        // Hatched: along a row of pixels there is more than one colour.
        QSet<QRgb> colors;
        for (int x = 66; x < 126; ++x)
            colors.insert(pruned.pixel(x, 3 * 64 + 33));
        QVERIFY(colors.size() > 2);
        // The border of the merged group is drawn where it meets single patches and not inside of it.
        QVERIFY(distance(merged.pixelColor(128, 33), merged.pixelColor(120, 33)) > 60);
        QVERIFY(distance(merged.pixelColor(64, 33), QColor(100, 0, 0)) < 6);
    }
    void unmergedFeaturesHaveOneScale()
    {
        const TokenPicture picture(sample::tokenOverlay(), sample::tokenPhoto());
        QVERIFY(picture.hasUnmerged());
        QCOMPARE(picture.mostUnmerged(), 1.0);
        QCOMPARE(picture.unmerged(5), 0.25);
        QVERIFY(std::isnan(picture.unmerged(-1)) && std::isnan(picture.unmerged(16)));
        QCOMPARE(picture.unmergedColor(2), Theme::sequentialColor(0));
        QCOMPARE(picture.unmergedColor(0), Theme::sequentialColor(0.25));
        QCOMPARE(picture.unmergedColor(15), Theme::sequentialColor(1));
        auto cut = sample::tokenOverlay();
        cut->unmergedShift.pop_back();
        QVERIFY(TokenPicture(cut, {}).isEmpty()); // does not fit its grid
    }
    void scoresAreDrawnOverThePhoto()
    {
        const QImage scores = drawn(2, TokenShade::Scores);
        QVERIFY(distance(middle(scores, 15), Theme::sequentialColor(1)) < distance(middle(scores, 6), Theme::sequentialColor(1)));
        QVERIFY(distance(middle(scores, 6), QColor(0, 0, 200)) > 30);
        const QImage outlines = drawn(2, TokenShade::Photo);
        QCOMPARE(middle(outlines, 0), QColor(200, 0, 0));
    }
    void tablesTellWhereEachTokenIs()
    {
        const QStringList lines = tokensCsv(*sample::tokenOverlay()).split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 18);
        QCOMPARE(lines[0], QStringLiteral("token,row,column,block_0,block_1,block_2"));
        QCOMPARE(lines[1], QStringLiteral("0,,,0,0,0"));
        QCOMPARE(lines[6], QStringLiteral("5,1,0,5,1,1"));
        QCOMPARE(lines[17], QStringLiteral("16,3,3,16,13,-1"));
    }
    void jsonHasKeptTokensAndWishes()
    {
        std::vector<report::TokenWish> wishes(17);
        wishes[3] = report::TokenWish::Keep;
        wishes[7] = report::TokenWish::Drop;
        const auto read = QJsonDocument::fromJson(tokensJson(*sample::tokenOverlay(), wishes)).object();
        QCOMPARE(read["file"].toString(), QStringLiteral("cat.jpg"));
        QCOMPARE(read["grid_rows"].toInt(), 4);
        QCOMPARE(read["kept_by_hand"].toArray(), QJsonArray{3});
        QCOMPARE(read["dropped_by_hand"].toArray(), QJsonArray{7});
        const auto last = read["layers"].toArray()[2].toObject();
        QCOMPARE(last["kept"].toArray().size(), 13); // 17 less the lowest row
        QCOMPARE(last["token_of"].toArray()[16].toInt(), -1);
        QVERIFY(last["scores"].toArray()[0].isNull()); // no NaN
        QVERIFY(!read["layers"].toArray()[0].toObject().contains("scores"));
        QCOMPARE(read["classes_reduced"].toArray()[0].toObject()["name"].toString(), QStringLiteral("dog"));
    }
};

QTEST_MAIN(TstTokenPicture)
#include "tst_token_picture.moc"
