// SPDX-License-Identifier: GPL-3.0-or-later
// A folder's photos: what fills in, what comes first, what is chosen.
#include "tests/views/token_sample.h"
#include "views/tokens/token_photo_model.h"
#include "views/tokens/token_strip.h"

#include <QComboBox>
#include <QLabel>
#include <QListView>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstTokenStrip : public QObject {
    Q_OBJECT
    std::unique_ptr<TokenPhotoModel> m_photos;
    std::unique_ptr<TokenStrip> m_strip;

    static TokenPicture picture(double shift, double lostBy, bool changed)
    {
        auto overlay = sample::tokenOverlay();
        overlay->embeddingShift = shift;
        overlay->after = {{3, "cat", 0.7 - lostBy}, {5, "dog", 0.1}};
        if (changed)
            std::swap(overlay->after[0], overlay->after[1]);
        return {overlay, sample::tokenPhoto()};
    }
    QString state() const { return m_strip->findChild<QLabel*>("tokenStripState")->text(); }
    void order(PhotoOrder by)
    {
        auto* choice = m_strip->findChild<QComboBox*>("tokenPhotoOrder");
        choice->setCurrentIndex(choice->findData(static_cast<int>(by)));
    }

private slots:
    void init()
    {
        m_photos = std::make_unique<TokenPhotoModel>();
        m_strip = std::make_unique<TokenStrip>(*m_photos);
        m_strip->resize(900, m_strip->sizeHint().height());
        m_strip->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_strip.get()));
        m_photos->setNames({"a.jpg", "b.jpg", "c.jpg", "d.jpg"});
    }
    void cleanup()
    {
        m_strip.reset();
        m_photos.reset();
    }

    void photosFillIn()
    {
        QVERIFY(state().startsWith("0 of 4 photos"));
        m_photos->setResult(1, picture(0.1, 0.1, false));
        m_photos->setFailure(2, "c.jpg is no photo: found text");
        QVERIFY(state().startsWith("2 of 4 photos"));
        QVERIFY(state().contains("1 failed"));
        QCOMPARE(m_photos->data(m_photos->index(2), Qt::ToolTipRole).toString(), QStringLiteral("c.jpg\nc.jpg is no photo: found text"));
        QVERIFY(m_photos->data(m_photos->index(1), Qt::ToolTipRole).toString().contains("10 of 17 tokens"));
        m_photos->setOutdated(); // new settings: what is known is of older ones, and stays on screen
        QVERIFY(state().startsWith("1 of 4 photos"));
        QVERIFY(!m_photos->picture(1).isEmpty());
    }
    void whatTheMethodDidIsSaid()
    {
        m_photos->setResult(0, {sample::earlyOverlay(), sample::tokenPhoto()});
        const QString tip = m_photos->data(m_photos->index(0), Qt::ToolTipRole).toString();
        QVERIFY2(tip.contains("left behind block 1") && tip.contains("14 of 17 tokens"), qPrintable(tip));
    }
    void whatChangedMostComesFirst()
    {
        m_photos->setResult(0, picture(0.01, 0.3, false));
        m_photos->setResult(1, picture(0.30, 0.1, true));
        m_photos->setResult(2, picture(0.05, -0.1, false));
        m_photos->setFailure(3, "unreadable");
        QCOMPARE(m_strip->namesInOrder(), (QStringList{"a.jpg", "b.jpg", "c.jpg", "d.jpg"}));
        order(PhotoOrder::EmbeddingShift);
        QCOMPARE(m_strip->namesInOrder(), (QStringList{"b.jpg", "c.jpg", "a.jpg", "d.jpg"}));
        order(PhotoOrder::ClassChange); // another class first, then by what the class lost
        QCOMPARE(m_strip->namesInOrder(), (QStringList{"b.jpg", "a.jpg", "c.jpg", "d.jpg"}));
        m_photos->setResult(0, picture(0.5, 0.3, true)); // sorts as it comes
        QCOMPARE(m_strip->namesInOrder().first(), QStringLiteral("a.jpg"));
        QVERIFY(state().contains("2 changed class"));
        order(PhotoOrder::Folder);
        QCOMPARE(m_strip->namesInOrder(), (QStringList{"a.jpg", "b.jpg", "c.jpg", "d.jpg"}));
    }
    void lossOfTheFirstClass()
    {
        QVERIFY(std::abs(classLoss(*picture(0, 0.3, false).overlay()) - 0.3) < 1e-12);
        auto lost = sample::tokenOverlay();
        lost->after = {{5, "dog", 0.9}}; // not among the best any more: all of it, as far as is known
        QVERIFY(std::abs(classLoss(*lost) - 0.7) < 1e-12);
        lost->before.clear();
        QVERIFY(std::isnan(classLoss(*lost)));
        QVERIFY(!classChanged(*lost));
    }
    void aClickAndKeysChoose()
    {
        QSignalSpy chosen(m_strip.get(), &TokenStrip::photoChosen);
        auto* list = m_strip->list();
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, list->visualRect(list->model()->index(2, 0)).center());
        QCOMPARE(chosen.last().first().toString(), QStringLiteral("c.jpg"));
        QTest::keyClick(list, Qt::Key_Left);
        QCOMPARE(chosen.last().first().toString(), QStringLiteral("b.jpg"));
        m_strip->setCurrent("d.jpg"); // by code: no signal
        QCOMPARE(chosen.size(), 2);
        QCOMPARE(m_strip->current(), QStringLiteral("d.jpg"));
        m_strip->setCurrent("nowhere.jpg");
        QVERIFY(m_strip->current().isEmpty());
        QSignalSpy open(m_strip.get(), &TokenStrip::openFolderRequested);
        QTest::mouseClick(m_strip->findChild<QPushButton*>("openTokenPhotos"), Qt::LeftButton);
        QCOMPARE(open.size(), 1);
    }
    void thumbnailsFollowTheDepth()
    {
        m_photos->setResult(0, picture(0, 0, false));
        auto* list = m_strip->list();
        const QRect cell = list->visualRect(list->model()->index(0, 0));
        m_photos->setDepth(0);
        const QImage before = list->viewport()->grab(cell).toImage();
        m_photos->setDepth(3);
        QVERIFY(before != list->viewport()->grab(cell).toImage());
    }
    void severalHundredPhotosAreDrawnInSight()
    {
        QStringList names;
        for (int i = 0; i < 300; ++i)
            names << QStringLiteral("photo-%1.jpg").arg(i);
        m_photos->setNames(names);
        for (int i = 0; i < 300; ++i)
            m_photos->setResult(i, picture(i / 300.0, 0, false));
        order(PhotoOrder::EmbeddingShift);
        QCOMPARE(m_strip->namesInOrder().first(), QStringLiteral("photo-299.jpg"));
        QVERIFY(!m_strip->grab().isNull());
        m_photos->setNames({});
        QVERIFY(state().isEmpty());
    }
};

QTEST_MAIN(TstTokenStrip)
#include "tst_token_strip.moc"
