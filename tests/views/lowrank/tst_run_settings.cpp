// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/parameter_editor.h"
#include "views/lowrank/run_settings.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QTest>

using namespace tamis;
using namespace tamis::views;

namespace {
std::vector<LabMethod> methods()
{
    const ParameterSchema ridge({{.name = "ridge", .title = "Ridge", .type = ParameterType::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 1}});
    const ParameterSchema beta({{.name = "beta", .title = "Beta", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0, .maximum = 1}});
    return {{"lowrank.local", "Local", "a reference", false, true, {}, ridge}, {"lowrank.trained", "Trained", "another", true, false, {}, beta}};
}
} // namespace

class TstRunSettings : public QObject {
    Q_OBJECT
    std::unique_ptr<RunSettings> m_view;
    template <class T> T* child(const char* name) const { return m_view->findChild<T*>(QLatin1String(name)); }

private slots:
    void init()
    {
        m_view = std::make_unique<RunSettings>();
        m_view->setMethods(methods());
        m_view->setBudgetNames({{"uniform", "greedy"}, {"factors", "block-identity", "remapped"}});
        m_view->setChoice("lowrank.local", {}, {0.6, "uniform", "factors", 1});
        m_view->resize(300, 700);
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
    }
    void cleanup() { m_view.reset(); }

    void showsAConfigurationWithoutTelling()
    {
        QSignalSpy keep(m_view.get(), &RunSettings::keepEdited), parameter(m_view.get(), &RunSettings::parameterEdited), budget(m_view.get(), &RunSettings::budgetEdited);
        Parameters parameters;
        parameters.set("beta", 0.25);
        m_view->setChoice("lowrank.trained", parameters, {0.35, "greedy", "remapped", 24});
        QCOMPARE(m_view->method(), QStringLiteral("lowrank.trained"));
        QCOMPARE(m_view->keep(), 0.35);
        QCOMPARE(child<QSlider>("runKeepSlider")->value(), 350);
        QCOMPARE(child<QDoubleSpinBox>("beta")->value(), 0.25);
        QCOMPARE(child<QComboBox>("runAlignment")->currentText(), QStringLiteral("24")); // of a session
        QCOMPARE(child<QLabel>("runReference")->text(), QStringLiteral("another"));
        QCOMPARE(child<QPushButton>("runMethodStart")->text(), QStringLiteral("Train"));
        QCOMPARE(keep.size() + parameter.size() + budget.size(), 0);
    }
    void anotherMethodHasAnotherSchema()
    {
        QSignalSpy edited(m_view.get(), &RunSettings::methodEdited);
        QVERIFY(child<QDoubleSpinBox>("ridge"));
        QVERIFY(!child<QWidget>("runTrainingChoose")->isVisible()); // a local method runs no samples
        auto* combo = child<QComboBox>("runMethod");
        combo->setFocus();
        QTest::keyClick(combo, Qt::Key_Down);
        QCOMPARE(edited.last().first().toString(), QStringLiteral("lowrank.trained"));
        QVERIFY(child<QDoubleSpinBox>("beta"));
        QVERIFY(child<QWidget>("runTrainingChoose")->isVisible());
    }
    void aLiveMethodThatReadsSamplesSaysWhatItLacks()
    {
        m_view->setMethods({{"lowrank.joint-vo", "Joint", "a", false, true, {}, {}, true}});
        m_view->setTraining({});
        QVERIFY(child<QWidget>("runTrainingChoose")->isVisible());
        QCOMPARE(child<QLabel>("runTraining")->text(), QStringLiteral("none: less is measured"));
        m_view->setTraining("photos");
        QCOMPARE(child<QLabel>("runTraining")->text(), QStringLiteral("photos"));
    }
    void draggingTheKeepTellsAndEnds()
    {
        QSignalSpy edits(m_view.get(), &RunSettings::keepEdited);
        auto* slider = child<QSlider>("runKeepSlider");
        slider->setSliderDown(true);
        slider->setValue(500);
        QCOMPARE(edits.last().at(0).toDouble(), 0.5);
        QCOMPARE(edits.last().at(1).toBool(), false);
        m_view->setChoice("lowrank.local", {}, {0.45, "uniform", "factors", 1}); // an echo of an older value
        QCOMPARE(slider->value(), 500);
        slider->setSliderDown(false);
        QCOMPARE(edits.last().at(1).toBool(), true);
        auto* spin = child<QDoubleSpinBox>("runKeep");
        spin->selectAll();
        QTest::keyClicks(spin, "41.5");
        QTest::keyClick(spin, Qt::Key_Return);
        QCOMPARE(edits.last().at(0).toDouble(), 0.415);
        QCOMPARE(slider->value(), 415);
    }
    void budgetAndParametersAreTold()
    {
        QSignalSpy budget(m_view.get(), &RunSettings::budgetEdited), parameter(m_view.get(), &RunSettings::parameterEdited);
        auto* accounting = child<QComboBox>("runAccounting");
        accounting->setFocus();
        QTest::keyClick(accounting, Qt::Key_Down);
        QVERIFY(budget.last().first().value<BudgetChoice>() == (BudgetChoice{0.6, "uniform", "block-identity", 1}));
        auto* ridge = child<QDoubleSpinBox>("ridge");
        ridge->selectAll();
        QTest::keyClicks(ridge, "0.01");
        QTest::keyClick(ridge, Qt::Key_Return);
        QCOMPARE(parameter.last().at(0).toString(), QStringLiteral("ridge"));
        QCOMPARE(std::get<double>(parameter.last().at(1).value<ParameterValue>()), 0.01);
    }
    void actionsHaveReasons()
    {
        QSignalSpy run(m_view.get(), &RunSettings::runRequested), store(m_view.get(), &RunSettings::storeRequested), compare(m_view.get(), &RunSettings::compareRequested);
        m_view->setStoreReason("no method has run");
        QTest::mouseClick(child<QPushButton>("runStore"), Qt::LeftButton);
        QCOMPARE(store.size(), 0);
        QVERIFY(child<QPushButton>("runStore")->toolTip().contains("no method has run"));
        m_view->setStoreReason({});
        for (const char* name : {"runStore", "runMethodStart", "runToComparison"})
            QTest::mouseClick(child<QPushButton>(name), Qt::LeftButton);
        QCOMPARE(run.size() + store.size() + compare.size(), 3);
    }
};

QTEST_MAIN(TstRunSettings)
#include "tst_run_settings.moc"
