// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/lab_sample.h"
#include "views/common/number_format.h"
#include "views/plan/cost_header.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QLineEdit>
#include <QSignalSpy>
#include <QSlider>
#include <QStyle>
#include <QStyleOptionSlider>
#include <QTest>
#include <QToolButton>

using namespace tamis;
using namespace tamis::views;

class TstCostHeader : public QObject {
    Q_OBJECT
    std::shared_ptr<report::SpectrumReport> m_spectra;
    std::unique_ptr<CostHeader> m_header;

    template <class W> W* find(const char* name) const { return m_header->findChild<W*>(QLatin1String(name)); }
    QString text(const char* name) const { return find<QLabel>(name)->text(); }
    QPoint handle() const
    {
        auto* slider = find<QSlider>("keepSlider");
        QStyleOptionSlider option;
        option.initFrom(slider);
        option.minimum = slider->minimum();
        option.maximum = slider->maximum();
        option.sliderPosition = slider->sliderPosition();
        option.sliderValue = slider->value();
        option.orientation = Qt::Horizontal;
        return slider->style()->subControlRect(QStyle::CC_Slider, &option, QStyle::SC_SliderHandle, slider).center();
    }

private slots:
    void init()
    {
        m_spectra = sample::spectra();
        m_header = std::make_unique<CostHeader>();
        m_header->setBudget(sample::budget(*m_spectra, 0.6));
        m_header->setSettings(0.6, "uniform", "factors", 1);
        m_header->resize(1300, m_header->sizeHint().height());
        m_header->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_header.get()));
    }
    void cleanup() { m_header.reset(); }

    void aTokenMethodHasALineThatCanBeRemoved()
    {
        auto* line = find<QWidget>("tokensLine");
        QVERIFY(!line->isVisible());
        m_header->setTokens("ToMe, r 4", "Tokens behind each block: 253, 249");
        QVERIFY(line->isVisible());
        QCOMPARE(text("tokensOfPlan"), QStringLiteral("ToMe, r 4"));
        QVERIFY(find<QLabel>("tokensOfPlan")->toolTip().contains("249"));
        QSignalSpy removed(m_header.get(), &CostHeader::tokensRemoved);
        auto* button = find<QToolButton>("removeTokensOfPlan");
        QTest::mouseClick(button, Qt::LeftButton);
        button->setFocus();
        QTest::keyClick(button, Qt::Key_Space);
        QCOMPARE(removed.size(), 2);
        m_header->setTokens({}, {});
        QVERIFY(!line->isVisible());
    }
    void anotherLabsPartHasALineOfItsOwn()
    {
        m_header->setPart("cache", "Cache", {}, {});
        QVERIFY(!find<QWidget>("cacheLine")); // no room for what is not there
        m_header->setPart("cache", "Cache", "LRU, 10 objects", "Chosen on words.txt");
        m_header->setPart("reuse", "Reuse", "gate", {});
        auto* line = find<QWidget>("cacheLine");
        QVERIFY(line && line->isVisible() && find<QWidget>("reuseLine")->isVisible());
        QCOMPARE(text("cacheOfPlan"), QStringLiteral("LRU, 10 objects"));
        QCOMPARE(find<QLabel>("cacheOfPlan")->toolTip(), QStringLiteral("Chosen on words.txt"));
        QSignalSpy removed(m_header.get(), &CostHeader::partRemoved);
        QTest::mouseClick(find<QToolButton>("reuse-removeOfPlan"), Qt::LeftButton);
        QTest::mouseClick(find<QToolButton>("cache-removeOfPlan"), Qt::LeftButton);
        QCOMPARE(removed.value(0).value(0).toString(), QStringLiteral("reuse"));
        QCOMPARE(removed.value(1).value(0).toString(), QStringLiteral("cache"));
        m_header->setPart("cache", "Cache", {}, {});
        QVERIFY(!line->isVisible() && find<QWidget>("reuseLine")->isVisible());
    }
    void figuresAreThoseOfTheBudget()
    {
        const auto budget = sample::budget(*m_spectra, 0.6);
        QCOMPARE(text("parametersAfter"), formatCount(static_cast<double>(budget->after.parameters)));
        QCOMPARE(text("parametersBefore"), "before: " + formatCount(static_cast<double>(budget->before.parameters)));
        QCOMPARE(text("parametersChange"), formatChange(static_cast<double>(budget->before.parameters), static_cast<double>(budget->after.parameters)));
        QCOMPARE(text("bytesAfter"), formatBytes(static_cast<double>(budget->after.bytes)));
        QCOMPARE(text("latencyAfter"), formatMilliseconds(budget->after.latencyMs));
        QCOMPARE(text("lossAfter"), formatPercent(budget->predictedRelativeLoss, 2));
        QVERIFY(text("achievedKeep").contains(formatPercent(budget->achievedKeep)));
        QVERIFY(text("sameKeep1").startsWith("block identity: "));
        m_header->setBudget(nullptr);
        QCOMPARE(text("parametersAfter"), QStringLiteral("–"));
    }

    void latencyThatWasNotMeasuredSaysSo()
    {
        auto budget = sample::budget(*m_spectra, 0.6);
        budget->before.latencyMs = budget->after.latencyMs = std::numeric_limits<double>::quiet_NaN();
        m_header->setBudget(budget);
        QCOMPARE(text("latencyAfter"), QStringLiteral("–"));
        QCOMPARE(text("latencyBefore"), QStringLiteral("not measured"));
    }

    void draggingTheSlider()
    {
        QSignalSpy edited(m_header.get(), &CostHeader::keepEdited);
        auto* slider = find<QSlider>("keepSlider");
        const QPoint from = handle();
        QTest::mousePress(slider, Qt::LeftButton, {}, from);
        for (int i = 1; i <= 4; ++i)
            QTest::mouseMove(slider, from - QPoint(20 * i, 0));
        m_header->setSettings(0.9, "uniform", "factors", 1); // a late answer does not tear the slider out of the hand
        const double held = m_header->keep();
        QVERIFY(held < 0.6);
        QCOMPARE(edited.size(), 4);
        for (const auto& one : edited)
            QVERIFY(!one[1].toBool());
        QTest::mouseRelease(slider, Qt::LeftButton, {}, from - QPoint(80, 0));
        QVERIFY(edited.last()[1].toBool());
        QCOMPARE(edited.last()[0].toDouble(), held);
    }

    void keysOnTheSlider()
    {
        QSignalSpy edited(m_header.get(), &CostHeader::keepEdited);
        auto* slider = find<QSlider>("keepSlider");
        QTest::keyClick(slider, Qt::Key_Right);
        QCOMPARE(edited.size(), 1);
        QCOMPARE(edited[0][0].toDouble(), 0.605);
        QVERIFY(edited[0][1].toBool());
        QTest::keyClick(slider, Qt::Key_PageDown);
        QCOMPARE(edited.last()[0].toDouble(), 0.555);
        QTest::keyClick(slider, Qt::Key_Home);
        QCOMPARE(edited.last()[0].toDouble(), 0.01);
    }

    void typingAKeep()
    {
        QSignalSpy edited(m_header.get(), &CostHeader::keepEdited);
        auto* spin = find<QDoubleSpinBox>("keepSpin");
        spin->selectAll();
        QTest::keyClicks(spin, "42.3");
        QCOMPARE(edited.size(), 0); // not at each key
        QTest::keyClick(spin, Qt::Key_Return);
        QCOMPARE(edited.size(), 1);
        QCOMPARE(edited[0][0].toDouble(), 0.423);
        QVERIFY(edited[0][1].toBool());
        QCOMPARE(find<QSlider>("keepSlider")->value(), 423);
    }

    void choosing()
    {
        QSignalSpy allocation(m_header.get(), &CostHeader::allocationEdited), accounting(m_header.get(), &CostHeader::accountingEdited),
            alignment(m_header.get(), &CostHeader::alignmentEdited);
        QTest::keyClick(find<QComboBox>("allocationCombo"), Qt::Key_End);
        QCOMPARE(allocation.last()[0].toString(), QStringLiteral("loss-aware"));
        QTest::keyClick(find<QComboBox>("accountingCombo"), Qt::Key_Down);
        QCOMPARE(accounting.last()[0].toString(), QStringLiteral("block-identity"));
        QTest::keyClick(find<QComboBox>("alignmentCombo"), Qt::Key_End);
        QCOMPARE(alignment.last()[0].toInt(), 32);
    }

    void showingSettingsTellsNobody()
    {
        QSignalSpy keep(m_header.get(), &CostHeader::keepEdited), allocation(m_header.get(), &CostHeader::allocationEdited),
            accounting(m_header.get(), &CostHeader::accountingEdited), alignment(m_header.get(), &CostHeader::alignmentEdited);
        m_header->setSettings(0.333, "greedy", "remapped", 16);
        QCOMPARE(find<QSlider>("keepSlider")->value(), 333);
        QCOMPARE(find<QDoubleSpinBox>("keepSpin")->value(), 33.3);
        QCOMPARE(find<QComboBox>("allocationCombo")->currentData().toString(), QStringLiteral("greedy"));
        QCOMPARE(find<QComboBox>("accountingCombo")->currentData().toString(), QStringLiteral("remapped"));
        QCOMPARE(find<QComboBox>("alignmentCombo")->currentData().toInt(), 16);
        QCOMPARE(keep.size() + allocation.size() + accounting.size() + alignment.size(), 0);
    }

    void nothingMovesWhenDigitsChange()
    {
        const auto places = [&] {
            QList<QRect> all;
            for (auto* label : m_header->findChildren<QLabel*>())
                if (!label->objectName().isEmpty() && label->objectName() != "budgetWarning")
                    all << QRect(label->mapTo(m_header.get(), QPoint()), label->size());
            all << find<QSlider>("keepSlider")->geometry();
            return all;
        };
        const auto before = places();
        for (const double keep : {0.011, 0.1, 0.333, 0.999, 1.0}) {
            m_header->setBudget(sample::budget(*m_spectra, keep));
            m_header->setSettings(keep, "uniform", "factors", 1);
            QTest::qWait(1);
            QCOMPARE(places(), before);
        }
    }

    void theBadgeComesLateAndGoesAtOnce()
    {
        m_header->setStale(true);
        QVERIFY(text("costStale").isEmpty()); // quick answers do not flicker
        QTRY_COMPARE(text("costStale"), QStringLiteral("updating…"));
        m_header->setStale(false);
        QVERIFY(text("costStale").isEmpty());
        m_header->setStale(true);
        m_header->setStale(false);
        QTest::qWait(250);
        QVERIFY(text("costStale").isEmpty());
    }

    void warningsAreCountedAndTold()
    {
        QVERIFY(text("budgetWarning").isEmpty());
        auto budget = sample::budget(*m_spectra, 0.6);
        budget->warnings = {"The budget is exceeded by 3 %.", "One matrix is locked."};
        m_header->setBudget(budget);
        QVERIFY(text("budgetWarning").contains("2"));
        QVERIFY(find<QLabel>("budgetWarning")->toolTip().contains("exceeded by 3 %"));
    }
};

QTEST_MAIN(TstCostHeader)
#include "tst_cost_header.moc"
