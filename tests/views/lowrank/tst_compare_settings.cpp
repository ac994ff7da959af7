// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/compare_settings.h"

#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

using namespace tamis;
using namespace tamis::views;

namespace {
std::vector<LabMethod> methods()
{
    return {{"lowrank.plain", "Plain SVD", "Eckart and Young 1936", false, true, {}, {}},
            {"lowrank.root", "Root covariance", "LatentLLM", false, true, {}, {}},
            {"lowrank.trained", "Trained", "a paper", true, false, {}, {}},
            {"lowrank.joint", "Joint", "another paper", false, true, "it needs a calibration set", {}}};
}
} // namespace

class TstCompareSettings : public QObject {
    Q_OBJECT
    std::unique_ptr<CompareSettings> m_view;
    template <class T> T* child(const char* name) const { return m_view->findChild<T*>(QLatin1String(name)); }
    void clickCheckBox(int row) const
    {
        auto* list = child<QListWidget>("compareMethods");
        list->setCurrentRow(row);
        QTest::keyClick(list, Qt::Key_Space);
    }

private slots:
    void init()
    {
        m_view = std::make_unique<CompareSettings>();
        m_view->setMethods(methods());
        m_view->setBudgetNames({{"uniform", "greedy"}, {"factors", "block-identity"}});
        CompareChoice choice;
        choice.methods = QStringList{"lowrank.plain"};
        choice.keeps = {0.8, 0.6};
        choice.allocation = "greedy";
        choice.accounting = "block-identity";
        m_view->setChoice(choice);
        m_view->resize(300, 700);
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
    }
    void cleanup() { m_view.reset(); }

    void showsWhatIsSetWithoutTelling()
    {
        QSignalSpy edits(m_view.get(), &CompareSettings::choiceEdited);
        CompareChoice choice;
        choice.methods = QStringList{"lowrank.root", "lowrank.trained"};
        choice.keeps = {0.5};
        choice.allocation = "uniform";
        choice.accounting = "factors";
        choice.samples = 7;
        choice.latency = false;
        m_view->setChoice(choice);
        QCOMPARE(edits.size(), 0);
        QVERIFY(m_view->choice() == choice);
        QCOMPARE(child<QLineEdit>("compareKeeps")->text(), QStringLiteral("0.5"));
    }
    void aCheckIsToldAndTheListKeepsItOnReload()
    {
        QSignalSpy edits(m_view.get(), &CompareSettings::choiceEdited);
        clickCheckBox(1);
        QCOMPARE(edits.size(), 1);
        QCOMPARE(edits.last().first().value<CompareChoice>().methods, (QStringList{"lowrank.plain", "lowrank.root"}));
        QCOMPARE(child<QLabel>("methodReference")->text(), QStringLiteral("LatentLLM"));
        m_view->setMethods(methods());
        QCOMPARE(m_view->choice().methods, (QStringList{"lowrank.plain", "lowrank.root"}));
        QCOMPARE(edits.size(), 1);
    }
    void whatCannotRunCannotBeChecked()
    {
        QSignalSpy edits(m_view.get(), &CompareSettings::choiceEdited);
        clickCheckBox(3);
        QCOMPARE(edits.size(), 0);
        QVERIFY(child<QListWidget>("compareMethods")->item(3)->toolTip().contains("needs a calibration set"));
    }
    void allLeavesOutWhatTrainsAndWhatCannotRun()
    {
        QTest::mouseClick(child<QWidget>("checkAllMethods"), Qt::LeftButton);
        QCOMPARE(m_view->choice().methods, (QStringList{"lowrank.plain", "lowrank.root"}));
        QTest::mouseClick(child<QWidget>("checkNoMethod"), Qt::LeftButton);
        QVERIFY(m_view->choice().methods.isEmpty());
        QVERIFY(!child<QPushButton>("compareStart")->isEnabled());
        QVERIFY(child<QPushButton>("compareStart")->toolTip().contains("no method"));
    }
    void keepsAreRead_data()
    {
        QTest::addColumn<QString>("typed");
        QTest::addColumn<QString>("read"); // empty: refused
        QTest::newRow("list") << "0.4, 0.9" << "0.9, 0.4";
        QTest::newRow("spaces") << "0.4 0.6;0.5" << "0.6, 0.5, 0.4";
        QTest::newRow("percent") << "60 %  40%" << "0.6, 0.4";
        QTest::newRow("percents") << "60% 40%" << "0.6, 0.4";
        QTest::newRow("whole percents") << "60, 40" << "0.6, 0.4";
        QTest::newRow("one twice") << "0.5 0.5 50" << "0.5";
        QTest::newRow("all") << "1" << "1";
        QTest::newRow("zero") << "0" << QString();
        QTest::newRow("too much") << "101" << QString();
        QTest::newRow("negative") << "-0.5" << QString();
        QTest::newRow("words") << "half" << QString();
        QTest::newRow("not a number") << "nan" << QString();
        QTest::newRow("nothing") << " " << QString();
    }
    void keepsAreRead()
    {
        QFETCH(QString, typed);
        QFETCH(QString, read);
        QString problem;
        const auto keeps = parseKeeps(typed, problem);
        QCOMPARE(keepsText(keeps), read);
        QCOMPARE(problem.isEmpty(), !read.isEmpty());
    }
    void aWrongKeepIsSaidAndNothingStarts()
    {
        auto* line = child<QLineEdit>("compareKeeps");
        QSignalSpy edits(m_view.get(), &CompareSettings::choiceEdited);
        line->selectAll();
        QTest::keyClicks(line, "0.5, 2x");
        QTest::keyClick(line, Qt::Key_Return);
        QVERIFY(child<QLabel>("compareProblem")->isVisible());
        QVERIFY(child<QLabel>("compareProblem")->text().contains("2x"));
        QVERIFY(!child<QPushButton>("compareStart")->isEnabled());
        QCOMPARE(edits.size(), 0);
        line->selectAll();
        QTest::keyClicks(line, "0.5 0.3");
        QTest::keyClick(line, Qt::Key_Return);
        QVERIFY(!child<QLabel>("compareProblem")->isVisible());
        QCOMPARE(edits.last().first().value<CompareChoice>().keeps, (QList<double>{0.5, 0.3}));
    }
    void actionsAreIntentsWithAReason()
    {
        QSignalSpy compare(m_view.get(), &CompareSettings::compareRequested), curves(m_view.get(), &CompareSettings::curvesRequested);
        QSignalSpy heldOut(m_view.get(), &CompareSettings::heldOutRequested), training(m_view.get(), &CompareSettings::trainingRequested);
        QTest::mouseClick(child<QPushButton>("compareStart"), Qt::LeftButton);
        QTest::mouseClick(child<QPushButton>("compareCurves"), Qt::LeftButton);
        QTest::mouseClick(child<QPushButton>("heldOutSamplesChoose"), Qt::LeftButton);
        QTest::mouseClick(child<QPushButton>("trainingSamplesChoose"), Qt::LeftButton);
        QCOMPARE(compare.size() + curves.size() + heldOut.size() + training.size(), 4);
        m_view->setDisabledReason("a comparison runs");
        QTest::mouseClick(child<QPushButton>("compareStart"), Qt::LeftButton);
        QCOMPARE(compare.size(), 1);
        QVERIFY(child<QPushButton>("compareCurves")->toolTip().contains("a comparison runs"));
        m_view->setHeldOut("photos");
        QCOMPARE(child<QLabel>("heldOutSamples")->text(), QStringLiteral("photos"));
    }
    void everyControlHasAName()
    {
        for (auto* widget : m_view->findChildren<QWidget*>())
            if (widget->focusPolicy() != Qt::NoFocus && widget->isVisible() && !qobject_cast<QLabel*>(widget) && !widget->objectName().startsWith("qt_"))
                QVERIFY2(!widget->accessibleName().isEmpty() || !widget->property("text").toString().isEmpty(), qPrintable(widget->objectName()));
    }
};

QTEST_MAIN(TstCompareSettings)
#include "tst_compare_settings.moc"
