// SPDX-License-Identifier: GPL-3.0-or-later
// A frame with its patches: colours where the patches lie, as strong as asked; arrows from where they came; the patch under the pointer in words.
#include "tests/views/reuse/reuse_sample.h"
#include "views/common/figure_export.h"
#include "views/reuse/frame_view.h"
#include "views/reuse/reuse_words.h"

#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;
using report::PatchSource;

class TstFrameView : public QObject {
    Q_OBJECT
    std::unique_ptr<FrameView> m_view;

    /// Pixels of the picture are light grey, so that a colour is told from it.
    static QImage photo()
    {
        QImage image(300, 200, QImage::Format_RGB32);
        image.fill(qRgb(200, 200, 200));
        return image;
    }
    QColor at(const QImage& picture, int patch) const
    {
        const QRectF place = m_view->patchRect(patch);
        return picture.pixelColor((place.topLeft() + QPointF(place.width() * 0.2, place.height() * 0.8)).toPoint()); // no arrow, no border
    }
    static double distance(const QColor& a, const QColor& b) { return std::abs(a.redF() - b.redF()) + std::abs(a.greenF() - b.greenF()) + std::abs(a.blueF() - b.blueF()); }

private slots:
    void init()
    {
        m_view = std::make_unique<FrameView>();
        m_view->resize(500, 460);
        m_view->setPhoto(photo());
        m_view->setFrame(test::sampleFrame(3, false), 2, 3);
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
    }
    void cleanup() { m_view.reset(); }

    void patchesTileThePictureAndArePointedAt()
    {
        const QRectF plot = m_view->plotArea();
        QVERIFY(std::abs(plot.width() / plot.height() - 1.5) < 1e-9); // of the photo
        double area = 0;
        for (int patch = 0; patch < 6; ++patch) {
            area += m_view->patchRect(patch).width() * m_view->patchRect(patch).height();
            QCOMPARE(m_view->patchAt(m_view->patchRect(patch).center()), patch);
        }
        QVERIFY(std::abs(area / (plot.width() * plot.height()) - 1) < 1e-9);
        QCOMPARE(m_view->patchAt(plot.topLeft() - QPointF(3, 3)), -1);
        QVERIFY(m_view->patchRect(6).isEmpty());
    }

    void coloursAreAsStrongAsAsked()
    {
        m_view->setOpacity(0);
        QCOMPARE(at(figureImage(*m_view, 1), 1), QColor(200, 200, 200));
        m_view->setOpacity(1);
        const QImage full = figureImage(*m_view, 1);
        QVERIFY(distance(at(full, 1), patchSourceColor(PatchSource::Reused)) < 0.02);
        QVERIFY(distance(at(full, 5), patchSourceColor(PatchSource::Computed)) < 0.02);
        m_view->setOpacity(0.5);
        const QColor half = at(figureImage(*m_view, 1), 1), whole = patchSourceColor(PatchSource::Reused);
        QVERIFY(std::abs(half.redF() - (whole.redF() + 200 / 255.0) / 2) < 0.01);
        QVERIFY(std::abs(half.blueF() - (whole.blueF() + 200 / 255.0) / 2) < 0.01);
    }

    void sourcesHaveColoursOfTheirOwn()
    {
        for (int a = 0; a < kPatchSources; ++a)
            for (int b = 0; b < a; ++b) {
                QVERIFY(patchSourceName(static_cast<PatchSource>(a)) != patchSourceName(static_cast<PatchSource>(b)));
                QVERIFY(distance(patchSourceColor(static_cast<PatchSource>(a)), patchSourceColor(static_cast<PatchSource>(b))) > 0.15);
            }
    }

    void legendCounts()
    {
        QCOMPARE(m_view->legendLines(), (QStringList{"computed 1", "reused 4", "warped 1"}));
        m_view->setLegend({PatchSource::Fetched});
        QCOMPARE(m_view->legendLines(), (QStringList{"computed 1", "reused 4", "warped 1", "fetched 0"}));
        m_view->setTitle("Frame 4");
        QCOMPARE(m_view->accessibleDescription(), QString("Frame 4: computed 1, reused 4, warped 1, fetched 0"));
    }

    void arrowsComeFromWherePatchesWere()
    {
        const auto arrows = m_view->arrowsShown();
        QCOMPARE(arrows.size(), std::size_t{1});
        QCOMPARE(arrows[0].from, 0);
        QCOMPARE(arrows[0].to, 4);
        // Drawn: half of the way, which lies in patches that are reused, has the warped ones' colour.
        m_view->setOpacity(0);
        const QPointF middle = (m_view->patchRect(0).center() + m_view->patchRect(4).center()) / 2 + QPointF(0, 0);
        QVERIFY(distance(figureImage(*m_view, 1).pixelColor(middle.toPoint()), patchSourceColor(PatchSource::Warped)) < 0.25);
        m_view->setArrows(false);
        QVERIFY(m_view->arrowsShown().empty());
        QCOMPARE(figureImage(*m_view, 1).pixelColor((m_view->patchRect(0).center() + QPointF(20, 2)).toPoint()), QColor(200, 200, 200));
        m_view->setArrows(true);
        auto bad = test::sampleFrame(3, false);
        bad.movedFrom[4] = 99; // no such patch
        m_view->setFrame(bad, 2, 3);
        QVERIFY(m_view->arrowsShown().empty());
        QVERIFY(!figureImage(*m_view, 1).isNull());
    }

    void thePatchUnderThePointerInWords()
    {
        m_view->setThreshold(0.1);
        QVERIFY(m_view->hoverLines().isEmpty());
        QTest::mouseMove(m_view.get(), m_view->patchRect(4).center().toPoint());
        QTRY_COMPARE(m_view->hoverLines().size(), 4);
        QCOMPARE(m_view->hoverLines()[0], QString("Patch at row 2, column 2"));
        QVERIFY(m_view->hoverLines()[1].startsWith("warped"));
        QCOMPARE(m_view->hoverLines()[2], QString("change 0.04, threshold 0.1"));
        QCOMPARE(m_view->hoverLines()[3], QString("moved from row 1, column 1"));
        m_view->setThreshold({});
        QCOMPARE(m_view->hoverLines()[2], QString("change 0.04"));
    }

    void keysWalkOverPatches()
    {
        m_view->setFocus();
        QTest::keyClick(m_view.get(), Qt::Key_Right);
        QCOMPARE(m_view->focused(), 0);
        for (const auto& [key, patch] : {std::pair(Qt::Key_Right, 1), std::pair(Qt::Key_Down, 4), std::pair(Qt::Key_Down, 4), std::pair(Qt::Key_Left, 3), std::pair(Qt::Key_Up, 0)}) {
            QTest::keyClick(m_view.get(), key);
            QCOMPARE(m_view->focused(), patch);
        }
        QVERIFY(m_view->accessibleDescription().contains("row 1, column 1") || !m_view->hasFocus());
        QTest::keyClick(m_view.get(), Qt::Key_Escape);
        QCOMPARE(m_view->focused(), -1);
        QTest::mouseClick(m_view.get(), Qt::LeftButton, {}, m_view->patchRect(2).center().toPoint());
        QCOMPARE(m_view->focused(), 2);
    }

    void whatDoesNotFillTheGridIsNotShown()
    {
        m_view->setFrame(test::sampleFrame(3, false), 3, 3);
        QVERIFY(!m_view->frame());
        QVERIFY(m_view->legendLines().isEmpty());
        QCOMPARE(at(figureImage(*m_view, 1), 1), QColor(200, 200, 200)); // the picture alone
        m_view->setFrame(std::nullopt, 0, 0);
        m_view->setPhoto({});
        QVERIFY(!figureImage(*m_view, 1).isNull());
        QCOMPARE(m_view->patchAt({100, 100}), -1);
    }

    void tableOfPatches()
    {
        m_view->setCaption("Token gate, threshold 0.1");
        const QStringList lines = figureTable(*m_view).split('\n');
        QCOMPARE(lines[0], QString("# Token gate, threshold 0.1"));
        QCOMPARE(lines[1], QString("patch,row,column,source,change,moved_from"));
        QVERIFY(lines[6].startsWith("4,1,1,warped,0.0399999") || lines[6].startsWith("4,1,1,warped,0.04"));
        QVERIFY(lines[6].endsWith(",0"));
        QCOMPARE(lines[2], QString("0,0,0,reused,0,"));
    }
};

QTEST_MAIN(TstFrameView)
#include "tst_frame_view.moc"
