// SPDX-License-Identifier: GPL-3.0-or-later
// The tab as a whole: what it says, its pages, its settings.
#include "tests/views/encoder_sample.h"
#include "views/encoder/coarse_exact_view.h"
#include "views/encoder/encoder_panel.h"
#include "views/encoder/encoder_settings.h"
#include "views/encoder/recall_page.h"
#include "views/encoder/token_page.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QSpinBox>
#include <QTabBar>
#include <QTabWidget>
#include <QTest>

using namespace tamis;
using namespace tamis::views;

class TstEncoderPanel : public QObject {
    Q_OBJECT
    std::unique_ptr<EncoderPanel> m_panel;

    template <class T> T* child(const char* name) const { return m_panel->findChild<T*>(QLatin1String(name)); }
    static std::vector<OfferedMethod> methods()
    {
        ParameterSpec rank{.name = "rank", .title = "Rank", .type = ParameterType::Integer, .defaultValue = std::int64_t{8}, .minimum = 1, .maximum = 64, .step = 1};
        return {{"encoder.exact", "Exact", "definition", false, {}, {}},
                {"encoder.low-rank", "Low rank", "SVD", false, {}, ParameterSchema({rank})},
                {"encoder.student", "Student", "training", true, "it needs tokens to be fitted to", {}}};
    }

private slots:
    void init()
    {
        m_panel = std::make_unique<EncoderPanel>();
        m_panel->settings()->show();
        m_panel->resize(1100, 760);
        m_panel->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_panel.get()));
    }
    void cleanup() { m_panel.reset(); }

    void withoutAnAutoencoderItOffersToOpenOne()
    {
        auto* empty = child<QWidget>("encoderEmpty");
        QVERIFY(empty->isVisible());
        QSignalSpy asked(m_panel.get(), &EncoderPanel::openRequested);
        QTest::mouseClick(empty->findChild<QPushButton*>("placeholder-action"), Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        m_panel->setSummary("small · 1000 latents");
        QVERIFY(!empty->isVisible());
    }
    void theHeadlineNeverGivesRecallAlone()
    {
        m_panel->setSummary("small");
        m_panel->setReport(sample::encoderReport(), true, 5);
        const QString text = child<QLabel>("encoderState")->text();
        QVERIFY(text.contains("Recall 75.00"));
        QVERIFY(text.contains("least 50.0"));
        QVERIFY(text.contains("FVU 0.12, exact 0.1"));
        QVERIFY(text.contains("8.0\u202f× fewer MACs"));
        QVERIFY(text.contains("5.0\u202f× as fast"));
        auto dearer = sample::encoderReport();
        dearer->cost.macs = 128'000;
        m_panel->setReport(dearer, true, 5);
        QVERIFY(child<QLabel>("encoderState")->text().contains("2.0\u202f× as many MACs"));
        QVERIFY(text.contains("5 tokens"));
        m_panel->setReport(sample::encoderReport(), false, 300);
        QVERIFY(child<QLabel>("encoderState")->text().contains("5 of 300 tokens so far"));
        QVERIFY(!child<QPushButton>("worstToken")->isEnabled()); // of a part of the tokens
    }
    void staleIsSaid()
    {
        m_panel->setSummary("small");
        m_panel->setReport(sample::encoderReport(), true, 5);
        m_panel->setStale(true);
        QVERIFY(child<QWidget>("encoderStale")->isVisible());
        m_panel->setStale(false);
        QVERIFY(!child<QWidget>("encoderStale")->isVisible());
    }
    void tokensAreWalked()
    {
        m_panel->setSummary("small");
        m_panel->setReport(sample::encoderReport(), true, 5);
        m_panel->setToken(1, 5);
        QSignalSpy chosen(m_panel.get(), &EncoderPanel::tokenChosen);
        QTest::mouseClick(child<QPushButton>("worstToken"), Qt::LeftButton);
        QCOMPARE(chosen.last().first().toLongLong(), qlonglong(2));
        QCOMPARE(m_panel->token()->token(), std::int64_t(2));
        child<QSlider>("tokenSlider")->setFocus();
        QTest::keyClick(child<QSlider>("tokenSlider"), Qt::Key_Right);
        QCOMPARE(chosen.last().first().toLongLong(), qlonglong(3));
        QCOMPARE(child<QSpinBox>("tokenNumber")->value(), 3);
        const auto count = chosen.size();
        m_panel->setToken(4, 5); // the session's
        QCOMPARE(chosen.size(), count);
    }
    void oneCutInAllPages()
    {
        m_panel->setSummary("small");
        m_panel->setReport(sample::encoderReport(), true, 5);
        m_panel->setRanking(sample::ranking());
        m_panel->setCut(41, false);
        QCOMPARE(m_panel->token()->view()->cut(), std::int64_t(41));
        QCOMPARE(m_panel->token()->view()->found(), std::int64_t(3));
        QCOMPARE(m_panel->recall()->recall().cut, std::int64_t(41));
        QSignalSpy moved(m_panel.get(), &EncoderPanel::cutMoved);
        m_panel->token()->view()->setFocus();
        QTest::keyClick(m_panel->token()->view(), Qt::Key_Down);
        QCOMPARE(moved.last().first().toLongLong(), qlonglong(42));
    }
    void pagesAreChosenAndTold()
    {
        m_panel->setSummary("small");
        QSignalSpy told(m_panel.get(), &EncoderPanel::pageShown);
        m_panel->showPage("cost");
        QCOMPARE(m_panel->page(), QStringLiteral("cost"));
        QVERIFY(told.isEmpty());
        m_panel->showPage("nothing of that name");
        QCOMPARE(m_panel->page(), QStringLiteral("cost"));
        auto* bar = child<QTabWidget>("encoderPages")->tabBar();
        QTest::mouseClick(bar, Qt::LeftButton, {}, bar->tabRect(1).center());
        QCOMPARE(told.last().first().toString(), QStringLiteral("sample"));
    }
    void methodsAreChosenAndTheirParametersEdited()
    {
        auto* settings = m_panel->settings();
        settings->setMethods(methods());
        Parameters given;
        given.set("rank", std::int64_t{16});
        QSignalSpy method(settings, &EncoderSettings::methodEdited), parameter(settings, &EncoderSettings::parameterEdited);
        settings->setChoice("encoder.low-rank", given);
        QCOMPARE(settings->method(), QStringLiteral("encoder.low-rank"));
        auto* rank = settings->findChild<QDoubleSpinBox*>("rank");
        QVERIFY(rank);
        QCOMPARE(rank->value(), 16.0);
        QVERIFY(method.isEmpty() && parameter.isEmpty());
        rank->setFocus();
        rank->selectAll();
        QTest::keyClicks(rank, "24");
        QTest::keyClick(rank, Qt::Key_Return);
        QCOMPARE(parameter.last().at(0).toString(), QStringLiteral("rank"));
        auto* combo = settings->findChild<QComboBox*>("encoderMethod");
        combo->setFocus();
        QTest::keyClick(combo, Qt::Key_Up);
        QCOMPARE(method.last().first().toString(), QStringLiteral("encoder.exact"));
    }
    void trainingIsOfferedWhereThereIsSome()
    {
        auto* settings = m_panel->settings();
        settings->setMethods(methods());
        auto* train = settings->findChild<QPushButton*>("trainEncoder");
        settings->setChoice("encoder.low-rank", {});
        QVERIFY(!train->isVisibleTo(settings));
        settings->setChoice("encoder.student", {});
        QVERIFY(train->isVisibleTo(settings));
        settings->setTrainReason("it needs tokens to be fitted to");
        QVERIFY(!train->isEnabled());
        QVERIFY(train->toolTip().contains("needs tokens"));
    }
    void theAutoencoderIsNamedAndItsKCanBeChanged()
    {
        auto* settings = m_panel->settings();
        settings->setSources("small", 16, 1000);
        QSignalSpy k(settings, &EncoderSettings::kEdited);
        QCOMPARE(settings->findChild<QLabel*>("encoderAutoencoder")->text(), QStringLiteral("small"));
        auto* spin = settings->findChild<QSpinBox*>("encoderK");
        QCOMPARE(spin->value(), 16);
        QVERIFY(k.isEmpty());
        spin->setFocus();
        QTest::keyClick(spin, Qt::Key_Up);
        QCOMPARE(k.last().first().toLongLong(), qlonglong(17));
    }
};

QTEST_MAIN(TstEncoderPanel)
#include "tst_encoder_panel.moc"
