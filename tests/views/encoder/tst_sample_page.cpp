// SPDX-License-Identifier: GPL-3.0-or-later
// The page of the photo or the text that the current token stands in.
#include "tests/views/encoder_sample.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/theme.h"
#include "views/encoder/photo_latent_view.h"
#include "views/encoder/sample_page.h"
#include "views/encoder/text_latent_view.h"
#include "views/photos/photo_list.h"

#include <QCheckBox>
#include <QListWidget>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTabWidget>
#include <QTest>

using namespace tamis;
using namespace tamis::views;

class TstSamplePage : public QObject {
    Q_OBJECT
    std::unique_ptr<SamplePage> m_page;
    template <class T> T* child(const char* name) { return m_page->findChild<T*>(QLatin1String(name)); }
    static void clickRow(QAbstractItemView* view, int row)
    {
        view->scrollTo(view->model()->index(row, 0));
        QTest::mouseClick(view->viewport(), Qt::LeftButton, {}, view->visualRect(view->model()->index(row, 0)).center());
    }
    static std::vector<QImage> pictures()
    {
        QImage picture(64, 48, QImage::Format_RGB32);
        picture.fill(Qt::darkGray);
        return {picture, picture};
    }

private slots:
    void initTestCase() { Theme::instance().apply(*qApp, Theme::Mode::Dark); }
    void init()
    {
        m_page = std::make_unique<SamplePage>();
        m_page->resize(900, 620);
        m_page->setReport(sample::encoderReport());
        m_page->setCut(4);
        m_page->setPlaces(sample::photoPlaces(), pictures());
        m_page->setToken(6);
        m_page->setLatents(sample::sampleLatents(0, 13));
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
    }
    void withoutPlacesAWordSaysWhatToDo()
    {
        m_page->setPlaces(nullptr, {});
        m_page->setEmptyState("They are rows of a file.", "Take tokens from photos");
        QSignalSpy action(m_page.get(), &SamplePage::actionRequested);
        QVERIFY(child<QWidget>("sampleEmpty")->isVisible());
        for (auto* button : child<QWidget>("sampleEmpty")->findChildren<QPushButton*>())
            if (button->isVisible())
                QTest::mouseClick(button, Qt::LeftButton);
        QCOMPARE(action.size(), 1);
    }
    void theLargestLatentOfTheTokenIsShownUntilOneIsChosen()
    {
        QVERIFY(m_page->followsToken());
        QCOMPARE(m_page->latent(), 10);
        QCOMPARE(m_page->photo()->map().latent, 10);
        m_page->setToken(2); // there latent 20 is the largest
        QCOMPARE(m_page->latent(), 20);
        QCOMPARE(m_page->photo()->map().missing, std::int64_t(7));
        m_page->chooseLatent(10);
        m_page->setToken(4);
        QCOMPARE(m_page->latent(), 10);
        child<QCheckBox>("followToken")->setFocus();
        QTest::keyClick(child<QCheckBox>("followToken"), Qt::Key_Space);
        m_page->setToken(2);
        QCOMPARE(m_page->latent(), 20);
    }
    void latentsAreChosenFromTheTables()
    {
        QCOMPARE(m_page->tokenTable()->model()->rowCount(), 2); // 10 and 20 at token 6
        clickRow(m_page->tokenTable(), 1);
        QCOMPARE(m_page->latent(), 20);
        QVERIFY(!m_page->followsToken());
        QCOMPARE(child<QSpinBox>("sampleLatent")->value(), 20);
        child<QTabWidget>("sampleTables")->setCurrentIndex(1);
        QVERIFY(m_page->missedTable()->model()->rowCount() > 0);
        const int missed = m_page->missedTable()->model()->index(0, 0).data().toInt();
        clickRow(m_page->missedTable(), 0);
        QCOMPARE(m_page->latent(), missed);
    }
    void aLatentIsTypedIn()
    {
        auto* box = child<QSpinBox>("sampleLatent");
        QCOMPARE(box->maximum(), 999);
        box->setFocus();
        box->selectAll();
        QTest::keyClicks(box, "30");
        QTest::keyClick(box, Qt::Key_Return);
        QCOMPARE(m_page->latent(), 30);
        QCOMPARE(m_page->photo()->map().alone, std::int64_t(1));
        QVERIFY(m_page->tokenTable()->selectionModel()->selectedRows().isEmpty()); // the token has it not
    }
    void photosAreWalkedThrough()
    {
        QSignalSpy chosen(m_page.get(), &SamplePage::tokenChosen);
        auto* strip = child<PhotoList>("sampleStrip");
        QCOMPARE(strip->model()->rowCount(), 2);
        QCOMPARE(strip->selectedNames(), QStringList{"a.jpg"});
        QTest::mouseClick(strip->viewport(), Qt::LeftButton, {}, strip->visualRect(strip->model()->index(1, 0)).center());
        QCOMPARE(chosen.last().first().toLongLong(), qlonglong(13 + 6)); // the same patch of the other photo
        QVERIFY(m_page->photo()->map().exact.empty()); // its latents are on their way
        m_page->setLatents(sample::sampleLatents(13, 13));
        QVERIFY(!m_page->photo()->map().exact.empty());
        m_page->photo()->setFocus();
        QTest::keyClick(m_page->photo(), Qt::Key_PageUp);
        QCOMPARE(chosen.last().first().toLongLong(), qlonglong(6));
        QCOMPARE(strip->selectedNames(), QStringList{"a.jpg"});
        const auto before = chosen.size();
        QTest::keyClick(m_page->photo(), Qt::Key_PageUp); // there is none before
        QCOMPARE(chosen.size(), before);
    }
    void theCutMovesWhatIsMissed()
    {
        m_page->chooseLatent(20);
        QCOMPARE(m_page->photo()->map().missing, std::int64_t(7));
        m_page->setCut(10);
        QCOMPARE(m_page->photo()->map().missing, std::int64_t(0));
    }
    void textsHaveTheirPieces()
    {
        m_page->setPlaces(sample::textPlaces(), {});
        m_page->setToken(3);
        m_page->setLatents(sample::sampleLatents(0, 7));
        QVERIFY(m_page->text()->isVisible() && !m_page->photo()->isVisible());
        auto* pieces = child<QListWidget>("samplePieces");
        QCOMPARE(pieces->count(), 2);
        QVERIFY(pieces->item(0)->text().startsWith("The sea, the"));
        QSignalSpy chosen(m_page.get(), &SamplePage::tokenChosen);
        clickRow(pieces, 1);
        QCOMPARE(chosen.last().first().toLongLong(), qlonglong(9)); // it has three tokens: the last
        QCOMPARE(m_page->text()->current(), 2);
    }
    void theFigureInSightIsExported()
    {
        const Figure* figure = nullptr;
        QString name;
        connect(m_page.get(), &SamplePage::exportRequested, this, [&](Figure* shown, FigureFormat, const QString& called) {
            figure = shown;
            name = called;
        });
        emit child<ExportButton>("exportSample")->exportRequested(FigureFormat::Csv);
        QCOMPARE(name, QStringLiteral("photo-latents"));
        QVERIFY(figure == static_cast<Figure*>(m_page->photo()));
        m_page->setPlaces(sample::textPlaces(), {});
        emit child<ExportButton>("exportSample")->exportRequested(FigureFormat::Csv);
        QCOMPARE(name, QStringLiteral("text-latents"));
    }
};

QTEST_MAIN(TstSamplePage)
#include "tst_sample_page.moc"
