// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/parameter_editor.h"

#include <QCheckBox>
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
#include <QWheelEvent>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstParameterEditor : public QObject {
    Q_OBJECT
    std::unique_ptr<ParameterEditor> m_editor;

    static ParameterSchema schema()
    {
        return ParameterSchema({
            {.name = "ridge", .title = "Ridge", .defaultValue = 1e-3, .minimum = 0, .maximum = 1, .logarithmic = true, .help = "Share of the mean diagonal."},
            {.name = "keep", .title = "Keep", .defaultValue = 0.6, .minimum = 0.05, .maximum = 1, .step = 0.01},
            {.name = "alignment", .title = "Rank alignment", .type = ParameterType::Integer, .defaultValue = std::int64_t{8}, .minimum = 1, .maximum = 64},
            {.name = "budget", .title = "Time budget", .defaultValue = 250.0, .minimum = 0, .maximum = 1000, .step = 10, .unit = "ms"},
            {.name = "allocation", .title = "Allocation", .type = ParameterType::Choice, .defaultValue = std::string("greedy"), .choices = {"uniform", "energy", "greedy"}},
            {.name = "centre", .title = "Centre", .type = ParameterType::Boolean, .defaultValue = false},
            {.name = "layers", .title = "Layers", .type = ParameterType::Text, .defaultValue = std::string("blocks.*")},
        });
    }
    template <class T> T* child(const char* name) const { return m_editor->findChild<T*>(QLatin1String(name)); }
    static QPoint handle(const QSlider* slider)
    {
        QStyleOptionSlider option;
        option.initFrom(slider);
        option.orientation = Qt::Horizontal;
        option.minimum = slider->minimum();
        option.maximum = slider->maximum();
        option.sliderPosition = slider->sliderPosition();
        option.sliderValue = slider->value();
        option.subControls = QStyle::SC_All;
        return slider->style()->subControlRect(QStyle::CC_Slider, &option, QStyle::SC_SliderHandle, slider).center();
    }

private slots:
    void init()
    {
        m_editor = std::make_unique<ParameterEditor>();
        m_editor->setSchema(schema());
        m_editor->resize(500, 320);
        m_editor->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_editor.get()));
    }
    void cleanup() { m_editor.reset(); }

    void valuesGoInAndOutUnchangedAndSilently()
    {
        QCOMPARE(m_editor->values() == schema().defaults(), true);
        QSignalSpy edited(m_editor.get(), &ParameterEditor::valueEdited);
        Parameters given;
        given.set("ridge", 2.3456789e-5); // more digits than a slider or box can hold
        given.set("keep", 0.333333333333);
        given.set("alignment", std::int64_t{17});
        given.set("allocation", std::string("energy"));
        given.set("centre", true);
        given.set("layers", std::string("head"));
        given.set("nobody", 1.0);
        m_editor->setValues(given);
        QCOMPARE(edited.size(), 0);
        for (const auto& [name, value] : given.all())
            QCOMPARE(m_editor->values().contains(name) && m_editor->values().value(name) == value, name != "nobody");
        QCOMPARE(child<QComboBox>("allocation")->currentText(), QStringLiteral("energy"));
        QVERIFY(child<QCheckBox>("centre")->isChecked());
        QCOMPARE(child<QDoubleSpinBox>("alignment")->value(), 17.0);
        QCOMPARE(child<QDoubleSpinBox>("budget")->text(), QStringLiteral("250 ms"));
    }

    void draggingASlider()
    {
        auto* slider = child<QSlider>("keep-slider");
        QSignalSpy edited(m_editor.get(), &ParameterEditor::valueEdited);
        const QPoint start = handle(slider);
        QTest::mousePress(slider, Qt::LeftButton, {}, start);
        for (const int by : {20, 40, 60})
            QTest::mouseMove(slider, start + QPoint(by, 0));
        Parameters stale; // an older value arrives while the hand is on the slider
        stale.set("keep", 0.1);
        const double held = m_editor->values().real("keep");
        m_editor->setValues(stale);
        QCOMPARE(m_editor->values().real("keep"), held);
        QCOMPARE(child<QDoubleSpinBox>("keep")->value(), held);
        QTest::mouseRelease(slider, Qt::LeftButton, {}, start + QPoint(60, 0));
        QVERIFY(edited.size() >= 4);
        double before = 0.6;
        for (qsizetype i = 0; i < edited.size(); ++i) {
            QCOMPARE(edited[i][0].toString(), QStringLiteral("keep"));
            QCOMPARE(edited[i][2].toBool(), i == edited.size() - 1);
            const double value = std::get<double>(edited[i][1].value<ParameterValue>());
            QVERIFY(value >= before);
            QVERIFY(std::abs(value * 100 - std::round(value * 100)) < 1e-9); // steps of 0.01
            before = value;
        }
        QVERIFY(before > 0.65);
        m_editor->setValues(stale); // released: taken
        QCOMPARE(m_editor->values().real("keep"), 0.1);
    }

    void logarithmicSliderReachesZeroAndEvenDecades()
    {
        auto* slider = child<QSlider>("ridge-slider");
        slider->setFocus();
        QTest::keyClick(slider, Qt::Key_Home);
        QCOMPARE(m_editor->values().real("ridge"), 0.0);
        QTest::keyClick(slider, Qt::Key_End);
        QCOMPARE(m_editor->values().real("ridge"), 1.0);
        Parameters p;
        QList<int> ticks;
        for (const double v : {1e-6, 1e-4, 1e-2}) {
            p.set("ridge", v);
            m_editor->setValues(p);
            ticks.append(slider->value());
        }
        QVERIFY(std::abs((ticks[2] - ticks[1]) - (ticks[1] - ticks[0])) <= 1);
    }

    void typing()
    {
        auto* box = child<QDoubleSpinBox>("ridge");
        QSignalSpy edited(m_editor.get(), &ParameterEditor::valueEdited);
        box->setFocus();
        box->selectAll();
        QTest::keyClicks(box, QStringLiteral("2.5e-4"));
        QTest::keyClick(box, Qt::Key_Return);
        QCOMPARE(edited.size(), 1);
        QCOMPARE(std::get<double>(edited[0][1].value<ParameterValue>()), 2.5e-4);
        QVERIFY(edited[0][2].toBool());
        box->selectAll(); // outside the range: never emitted
        QTest::keyClicks(box, QStringLiteral("7"));
        QTest::keyClick(box, Qt::Key_Return);
        QVERIFY(m_editor->values().real("ridge") <= 1);
        edited.clear();
        auto* line = child<QLineEdit>("layers");
        line->setFocus();
        line->selectAll();
        QTest::keyClicks(line, QStringLiteral("head"));
        QCOMPARE(edited.size(), 0);
        QTest::keyClick(line, Qt::Key_Return);
        QCOMPARE(edited.size(), 1);
        QCOMPARE(m_editor->values().text("layers"), std::string("head"));
    }

    void clicksAndReset()
    {
        QSignalSpy edited(m_editor.get(), &ParameterEditor::valueEdited);
        auto* box = child<QCheckBox>("centre");
        QTest::mouseClick(box, Qt::LeftButton, {}, QPoint(8, box->height() / 2));
        QVERIFY(m_editor->values().boolean("centre"));
        QTest::keyClick(child<QComboBox>("allocation"), Qt::Key_Up);
        QCOMPARE(m_editor->values().text("allocation"), std::string("energy"));
        QTest::mouseClick(child<QToolButton>("allocation-reset"), Qt::LeftButton);
        QCOMPARE(m_editor->values().text("allocation"), std::string("greedy"));
        QCOMPARE(edited.size(), 3);
        QVERIFY(child<QToolButton>("allocation-reset")->toolTip().contains(QStringLiteral("greedy")));
    }

    void whatIsWrongWithATextStandsBelowIt()
    {
        auto* problem = child<QLabel>("layers-problem");
        QVERIFY(problem && problem->isHidden());
        QVERIFY(m_editor->setProblem(QStringLiteral("layers: found 'x', expected a list of blocks")));
        QVERIFY(!problem->isHidden());
        QCOMPARE(problem->text(), QStringLiteral("layers: found 'x', expected a list of blocks"));
        QVERIFY(!m_editor->setProblem(QStringLiteral("layers2: found 'x'"))); // another's
        QVERIFY(problem->isHidden());
        m_editor->setProblem(QStringLiteral("layers: found ''"));
        m_editor->setProblem({});
        QVERIFY(problem->isHidden() && problem->text().isEmpty());
    }

    void scrollingThePanelTurnsNothing()
    {
        auto* box = child<QDoubleSpinBox>("keep");
        child<QLineEdit>("layers")->setFocus();
        const QPointF middle = QRectF(box->rect()).center();
        QWheelEvent event(middle, box->mapToGlobal(middle), {}, QPoint(0, 120), Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
        QApplication::sendEvent(box, &event);
        QCOMPARE(m_editor->values().real("keep"), 0.6);
    }

    void everyControlHasAName()
    {
        const ParameterSchema all = schema();
        for (const auto& spec : all.specs()) {
            auto* control = child<QWidget>(spec.name.c_str());
            QVERIFY2(control, spec.name.c_str());
            QVERIFY2(!control->accessibleName().isEmpty(), spec.name.c_str());
            QVERIFY(control->width() > 0 && control->isVisible());
        }
    }
};

QTEST_MAIN(TstParameterEditor)
#include "tst_parameter_editor.moc"
