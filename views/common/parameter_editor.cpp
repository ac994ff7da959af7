// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/parameter_editor.h"

#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/theme.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QEvent>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QSlider>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kTicks = 1000;

/// A spin box that shows very small numbers in scientific form and is the same in every locale.
class NumberBox : public QDoubleSpinBox
{
public:
    NumberBox(QWidget* parent, bool whole) : QDoubleSpinBox(parent), m_whole(whole)
    {
        setLocale(QLocale::c());
        setKeyboardTracking(false);
        setDecimals(whole ? 0 : 15);
    }
    QString textFromValue(double value) const override
    {
        return m_whole ? QString::number(static_cast<qint64>(value)) : QString::number(value, 'g', 6);
    }
    double valueFromText(const QString& text) const override
    {
        QString number = text;
        return number.remove(suffix()).trimmed().toDouble();
    }
    QValidator::State validate(QString& text, int&) const override
    {
        QString number = text;
        number = number.remove(suffix()).trimmed();
        bool ok = false;
        const double value = number.toDouble(&ok);
        return ok && value >= minimum() && value <= maximum() ? QValidator::Acceptable : QValidator::Intermediate;
    }

private:
    bool m_whole;
};

/// Stands beside the label: behind the number it would be cut off.
bool hasLongUnit(const ParameterSpec& spec) { return spec.unit.size() > 4; }

constexpr int kTextColumns = 32; ///< of a text that are seen at least

double smallestPositive(const ParameterSpec& spec)
{
    return spec.minimum > 0 ? spec.minimum : std::max(spec.step, 1e-8);
}

int toTick(const ParameterSpec& spec, double value)
{
    if (!spec.logarithmic)
        return static_cast<int>(std::lround((value - spec.minimum) / (spec.maximum - spec.minimum) * kTicks));
    if (value <= 0)
        return 0; // the stop at the low end
    const double low = std::log10(smallestPositive(spec)), high = std::log10(spec.maximum);
    return 1 + static_cast<int>(std::lround((std::log10(value) - low) / (high - low) * (kTicks - 1)));
}

double fromTick(const ParameterSpec& spec, int tick)
{
    double value = 0;
    if (!spec.logarithmic)
        value = spec.minimum + (spec.maximum - spec.minimum) * tick / kTicks;
    else if (tick > 0 || spec.minimum > 0) {
        const double low = std::log10(smallestPositive(spec)), high = std::log10(spec.maximum);
        value = std::pow(10, low + (high - low) * std::max(tick - 1, 0) / (kTicks - 1));
        value = QString::number(value, 'g', 2).toDouble(); // a slider is not that precise
    }
    if (spec.step > 0 && !spec.logarithmic)
        value = spec.minimum + std::round((value - spec.minimum) / spec.step) * spec.step;
    if (spec.type == ParameterType::Integer)
        value = std::round(value);
    return std::clamp(value, spec.minimum, spec.maximum);
}

double asNumber(const ParameterValue& value)
{
    if (const auto* i = std::get_if<std::int64_t>(&value))
        return static_cast<double>(*i);
    if (const auto* d = std::get_if<double>(&value))
        return *d;
    return 0;
}

ParameterValue asValue(const ParameterSpec& spec, double number)
{
    if (spec.type == ParameterType::Integer)
        return static_cast<std::int64_t>(std::llround(number));
    return number;
}
} // namespace

ParameterEditor::ParameterEditor(QWidget* parent) : QWidget(parent)
{
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
}

ParameterEditor::~ParameterEditor()
{
    m_showing = true;
    delete m_form; // a line that loses the focus as it goes still reads m_values
}

void ParameterEditor::setSchema(const ParameterSchema& schema)
{
    m_schema = schema;
    m_values = schema.defaults();
    m_show.clear();
    delete m_form;
    m_form = new QWidget(this);
    auto* form = new QFormLayout(m_form);
    form->setContentsMargins(0, 0, 0, 0);
    form->setRowWrapPolicy(QFormLayout::WrapLongRows);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    static_cast<QVBoxLayout*>(layout())->insertWidget(0, m_form);
    for (const auto& spec : m_schema.specs())
        addRow(spec);
    m_form->show();
    setValues(m_values);
}

bool ParameterEditor::setProblem(const QString& sentence)
{
    bool shown = false;
    for (const auto& spec : m_schema.specs()) {
        if (spec.type != ParameterType::Text)
            continue;
        const QString name = QString::fromStdString(spec.name);
        if (auto* label = m_form->findChild<QLabel*>(name + QStringLiteral("-problem"))) {
            const bool own = sentence.startsWith(name) && sentence.size() > name.size() && !sentence[name.size()].isLetterOrNumber() && sentence[name.size()] != QLatin1Char('-');
            label->setText(own ? sentence : QString());
            label->setVisible(own);
            shown = shown || own;
        }
    }
    return shown;
}

void ParameterEditor::addRow(const ParameterSpec& spec)
{
    QWidget* control = nullptr;
    QLabel* problem = nullptr; // below the control
    const std::string name = spec.name;
    const auto objectName = QString::fromStdString(name);
    switch (spec.type) {
    case ParameterType::Integer:
    case ParameterType::Real: control = numberControl(spec); break;
    case ParameterType::Choice: control = choiceControl(spec); break;
    case ParameterType::Boolean: {
        auto* box = new QCheckBox(m_form);
        connect(box, &QCheckBox::toggled, this, [this, name](bool on) { edited(name, on, true); });
        m_show[name] = [box](const ParameterValue& v) { box->setChecked(std::holds_alternative<bool>(v) && std::get<bool>(v)); };
        box->setObjectName(objectName);
        control = box;
        break;
    }
    case ParameterType::Text:
        control = textControl(spec);
        problem = inkedLabel(m_form, objectName + QStringLiteral("-problem"), Ink::Error);
        problem->setWordWrap(true);
        problem->setFont(Theme::smallFont(font()));
        problem->hide();
        break;
    }
    const QString title = QString::fromStdString(spec.title.empty() ? spec.name : spec.title);
    auto* row = new QWidget(m_form);
    auto* layout = new QHBoxLayout(row);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(control, 1);
    auto* reset = new QToolButton(row);
    reset->setIcon(themedIcon(QStringLiteral("reset"), Ink::MutedText));
    reset->setAutoRaise(true);
    reset->setObjectName(objectName + QStringLiteral("-reset"));
    reset->setToolTip(tr("Back to %1").arg(QString::fromStdString(toText(spec.defaultValue))));
    reset->setAccessibleName(tr("Reset %1").arg(title));
    connect(reset, &QToolButton::clicked, this, [this, spec] {
        Parameters one = m_values;
        one.set(spec.name, spec.defaultValue);
        setValues(one);
        emit valueEdited(QString::fromStdString(spec.name), spec.defaultValue, true);
    });
    layout->addWidget(reset);
    for (QWidget* child : row->findChildren<QWidget*>()) // scrolling the panel must not turn what lies under the pointer
        if (qobject_cast<QAbstractSlider*>(child) || qobject_cast<QAbstractSpinBox*>(child) || qobject_cast<QComboBox*>(child)) {
            child->setFocusPolicy(Qt::StrongFocus);
            child->installEventFilter(this);
        }
    auto* label = new QLabel(hasLongUnit(spec) ? tr("%1 (%2)").arg(title, QString::fromStdString(spec.unit)) : title, m_form);
    label->setBuddy(control);
    const auto help = QString::fromStdString(spec.help);
    for (QWidget* widget : {static_cast<QWidget*>(label), control}) {
        widget->setToolTip(help);
        widget->setAccessibleDescription(help);
    }
    if (control->accessibleName().isEmpty())
        control->setAccessibleName(title);
    auto* rows = static_cast<QFormLayout*>(m_form->layout());
    if (spec.type == ParameterType::Integer || spec.type == ParameterType::Real) { // a slider has the whole width, whatever it is called
        rows->addRow(label);
        rows->addRow(row);
    } else {
        rows->addRow(label, row);
    }
    if (problem)
        rows->addRow(problem);
}

QWidget* ParameterEditor::textControl(const ParameterSpec& spec)
{
    const std::string name = spec.name;
    auto* line = new QLineEdit(m_form);
    line->setMinimumWidth(kTextColumns * line->fontMetrics().averageCharWidth()); // no room for it beside its label: the row wraps
    connect(line, &QLineEdit::editingFinished, this, [this, name, line] {
        if (ParameterValue typed = line->text().toStdString(); !m_values.contains(name) || m_values.value(name) != typed)
            edited(name, std::move(typed), true);
    });
    m_show[name] = [line](const ParameterValue& v) {
        const QString text = QString::fromStdString(toText(v));
        if (text == line->text())
            return;
        line->setText(text);
        line->setCursorPosition(0); // its beginning is seen
    };
    line->setObjectName(QString::fromStdString(name));
    return line;
}

QWidget* ParameterEditor::numberControl(const ParameterSpec& spec)
{
    auto* whole = new QWidget(m_form);
    auto* layout = new QHBoxLayout(whole);
    layout->setContentsMargins(0, 0, 0, 0);
    auto* slider = new QSlider(Qt::Horizontal, whole);
    auto* box = new NumberBox(whole, spec.type == ParameterType::Integer);
    const auto title = QString::fromStdString(spec.title.empty() ? spec.name : spec.title);
    slider->setRange(0, kTicks);
    slider->setPageStep(kTicks / 20);
    slider->setMinimumWidth(60);
    slider->setObjectName(QString::fromStdString(spec.name) + QStringLiteral("-slider"));
    slider->setAccessibleName(title);
    box->setRange(spec.minimum, spec.maximum);
    box->setSingleStep(spec.step > 0 ? spec.step : (spec.maximum - spec.minimum) / 100);
    if (!spec.unit.empty() && !hasLongUnit(spec))
        box->setSuffix(QStringLiteral(" ") + QString::fromStdString(spec.unit));
    box->setObjectName(QString::fromStdString(spec.name));
    box->setAccessibleName(title);
    box->setMinimumWidth(box->fontMetrics().horizontalAdvance(QStringLiteral("0.000000")) + 34);
    layout->addWidget(slider, 1);
    layout->addWidget(box);
    connect(slider, &QSlider::valueChanged, this, [this, spec, slider, box](int tick) {
        if (m_showing)
            return;
        const double value = fromTick(spec, tick);
        m_showing = true;
        box->setValue(value);
        m_showing = false;
        edited(spec.name, asValue(spec, value), !slider->isSliderDown());
    });
    connect(slider, &QSlider::sliderPressed, this, [this, name = spec.name] { m_dragged = name; });
    connect(slider, &QSlider::sliderReleased, this, [this, spec, slider] {
        m_dragged.clear();
        edited(spec.name, asValue(spec, fromTick(spec, slider->value())), true);
    });
    connect(box, &QDoubleSpinBox::valueChanged, this, [this, spec, slider](double value) {
        if (m_showing)
            return;
        m_showing = true;
        slider->setValue(toTick(spec, value));
        m_showing = false;
        edited(spec.name, asValue(spec, value), true);
    });
    m_show[spec.name] = [spec, slider, box](const ParameterValue& v) {
        box->setValue(asNumber(v));
        slider->setValue(toTick(spec, asNumber(v)));
    };
    return whole;
}

QWidget* ParameterEditor::choiceControl(const ParameterSpec& spec)
{
    auto* combo = new QComboBox(m_form);
    for (const auto& choice : spec.choices)
        combo->addItem(QString::fromStdString(choice));
    combo->setObjectName(QString::fromStdString(spec.name));
    connect(combo, &QComboBox::textActivated, this,
            [this, name = spec.name](const QString& text) { edited(name, text.toStdString(), true); });
    m_show[spec.name] = [combo](const ParameterValue& v) { combo->setCurrentText(QString::fromStdString(toText(v))); };
    return combo;
}

bool ParameterEditor::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::Wheel && watched->isWidgetType() && !static_cast<QWidget*>(watched)->hasFocus()) {
        event->ignore(); // goes on to the scroll area around the panel
        return true;
    }
    return QWidget::eventFilter(watched, event);
}

void ParameterEditor::setValues(const Parameters& values)
{
    m_showing = true;
    for (const auto& [name, value] : values.all())
        if (const auto show = m_show.find(name); show != m_show.end() && name != m_dragged) {
            m_values.set(name, value);
            show->second(value);
        }
    m_showing = false;
}

void ParameterEditor::edited(const std::string& name, ParameterValue value, bool finished)
{
    if (m_showing)
        return;
    m_values.set(name, value);
    emit valueEdited(QString::fromStdString(name), value, finished);
}

} // namespace tamis::views
