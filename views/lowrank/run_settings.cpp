// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/run_settings.h"

#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/parameter_editor.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSlider>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kStepsPerPercent = 10; ///< the slider moves in tenths of a percent
constexpr int kAlignments[] = {1, 8, 16, 32};

void setReason(QPushButton* button, const QString& reason)
{
    button->setEnabled(reason.isEmpty());
    button->setToolTip(reason.isEmpty() ? button->property("help").toString() : RunSettings::tr("Not now: %1").arg(reason));
}
} // namespace

RunSettings::RunSettings(QWidget* parent) : QWidget(parent), m_parameters(new ParameterEditor(this))
{
    setObjectName(QStringLiteral("runSettings"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kSpacing, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing);
    buildMethod(column);
    buildBudget(column);
    m_parameters->setObjectName(QStringLiteral("runParameters"));
    column->addWidget(m_parameters);
    connect(m_parameters, &ParameterEditor::valueEdited, this, &RunSettings::parameterEdited);
    buildActions(column);
    column->addStretch(1);
}

void RunSettings::buildMethod(QVBoxLayout* column)
{
    m_method = new QComboBox(this);
    m_method->setObjectName(QStringLiteral("runMethod"));
    m_method->setAccessibleName(tr("Method"));
    m_method->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    auto* title = new QLabel(tr("&Method"), this);
    title->setBuddy(m_method);
    m_reference = mutedLabel(this, QStringLiteral("runReference"));
    m_reference->setWordWrap(true);
    m_reference->setFont(Theme::smallFont(font()));
    column->addWidget(title);
    column->addWidget(m_method);
    column->addWidget(m_reference);
    connect(m_method, &QComboBox::activated, this, [this] {
        showMethod();
        emit methodEdited(method());
    });
}

void RunSettings::buildBudget(QVBoxLayout* column)
{
    auto* form = new QFormLayout;
    form->setContentsMargins(0, 0, 0, 0);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    auto* keep = new QHBoxLayout;
    m_slider = new QSlider(Qt::Horizontal, this);
    m_slider->setObjectName(QStringLiteral("runKeepSlider"));
    m_slider->setRange(1 * kStepsPerPercent, 100 * kStepsPerPercent);
    m_slider->setSingleStep(kStepsPerPercent / 2);
    m_slider->setPageStep(5 * kStepsPerPercent);
    m_slider->setAccessibleName(tr("Keep"));
    m_spin = new QDoubleSpinBox(this);
    m_spin->setObjectName(QStringLiteral("runKeep"));
    m_spin->setLocale(QLocale::c());
    m_spin->setDecimals(1);
    m_spin->setRange(1, 100);
    m_spin->setSingleStep(0.5);
    m_spin->setSuffix(QStringLiteral("\u202f%"));
    m_spin->setKeyboardTracking(false);
    m_spin->setAccessibleName(tr("Keep in percent"));
    for (QWidget* control : {static_cast<QWidget*>(m_slider), static_cast<QWidget*>(m_spin)})
        control->setToolTip(tr("Fraction of the compressed matrices' parameters (bytes when remapped) that is kept"));
    keep->addWidget(m_slider, 1);
    keep->addWidget(m_spin);
    auto* label = new QLabel(tr("&Keep"), this);
    label->setBuddy(m_spin);
    form->addRow(label, keep);
    const auto combo = [&](const QString& title, const QString& name, const QString& help) {
        auto* box = new QComboBox(this);
        box->setObjectName(name);
        box->setToolTip(help);
        box->setAccessibleName(QString(title).remove(QLatin1Char('&')));
        form->addRow(title, box);
        connect(box, &QComboBox::activated, this, &RunSettings::tellBudget);
        return box;
    };
    m_allocation = combo(tr("A&llocation"), QStringLiteral("runAllocation"), tr("How one keep for the model becomes a rank for each matrix"));
    m_accounting = combo(tr("Acc&ounting"), QStringLiteral("runAccounting"), tr("How the factors are stored, and so what a rank costs"));
    m_alignment = combo(tr("&Ranks in steps of"), QStringLiteral("runAlignment"), tr("Ranks are multiples of this, which kernels like"));
    for (const int alignment : kAlignments)
        m_alignment->addItem(QString::number(alignment), alignment);
    column->addLayout(form);
    connect(m_slider, &QSlider::valueChanged, this, [this](int value) {
        const QSignalBlocker quiet(m_spin);
        m_spin->setValue(static_cast<double>(value) / kStepsPerPercent);
        emit keepEdited(this->keep(), !m_slider->isSliderDown());
    });
    connect(m_slider, &QSlider::sliderReleased, this, [this] { emit keepEdited(this->keep(), true); });
    connect(m_spin, &QDoubleSpinBox::valueChanged, this, [this](double value) {
        const QSignalBlocker quiet(m_slider);
        m_slider->setValue(static_cast<int>(std::lround(value * kStepsPerPercent)));
        emit keepEdited(this->keep(), true);
    });
}

void RunSettings::buildActions(QVBoxLayout* column)
{
    auto* row = new QHBoxLayout;
    m_trainingTitle = new QLabel(tr("Calibrate on"), this);
    m_training = mutedLabel(this, QStringLiteral("runTraining"));
    m_training->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_trainingChoose = new QPushButton(tr("Choose…"), this);
    m_trainingChoose->setObjectName(QStringLiteral("runTrainingChoose"));
    m_trainingChoose->setToolTip(tr("Photos or text that the method runs through the model"));
    row->addWidget(m_trainingTitle);
    row->addWidget(m_training, 1);
    row->addWidget(m_trainingChoose);
    column->addLayout(row);
    connect(m_trainingChoose, &QPushButton::clicked, this, &RunSettings::trainingRequested);
    const auto button = [&](const QString& name, const QString& icon, const QString& text, const QString& help) {
        auto* made = new QPushButton(themedIcon(icon), text, this);
        made->setObjectName(name);
        made->setProperty("help", help);
        made->setToolTip(help);
        column->addWidget(made);
        return made;
    };
    m_run = button(QStringLiteral("runMethodStart"), QStringLiteral("run"), tr("Run"), tr("Compress the model by this method; what is finished is shown as it comes"));
    m_compare = button(QStringLiteral("runToComparison"), QStringLiteral("compare"), tr("Add to the comparison"), tr("The method with these parameters joins those that are compared"));
    m_store = button(QStringLiteral("runStore"), QStringLiteral("save"), tr("Store…"), tr("Write the compressed operators and a plan into a directory, from which they export"));
    connect(m_run, &QPushButton::clicked, this, &RunSettings::runRequested);
    connect(m_compare, &QPushButton::clicked, this, &RunSettings::compareRequested);
    connect(m_store, &QPushButton::clicked, this, &RunSettings::storeRequested);
    setTraining({});
}

const LabMethod* RunSettings::chosen() const
{
    const auto found = std::find_if(m_methods.begin(), m_methods.end(), [id = method()](const LabMethod& m) { return m.id == id; });
    return found == m_methods.end() ? nullptr : &*found;
}

void RunSettings::setMethods(const std::vector<LabMethod>& methods)
{
    const QString before = method();
    const QSignalBlocker quiet(m_method);
    const bool same = std::equal(methods.begin(), methods.end(), m_methods.begin(), m_methods.end(), [](const LabMethod& a, const LabMethod& b) { return a.id == b.id; });
    m_methods = methods;
    if (!same) {
        m_method->clear();
        for (const LabMethod& each : methods)
            m_method->addItem(each.title, each.id);
        m_method->setCurrentIndex(std::max(0, m_method->findData(before)));
    }
    showMethod();
}

void RunSettings::setBudgetNames(const BudgetNames& names)
{
    m_allocation->clear();
    m_allocation->addItems(names.allocations);
    m_accounting->clear();
    m_accounting->addItems(names.accountings);
}

QString RunSettings::method() const { return m_method->currentData().toString(); }
double RunSettings::keep() const { return m_spin->value() / 100; }

void RunSettings::showMethod()
{
    const auto* method = chosen();
    if (!method)
        return;
    if (std::exchange(m_schemaOf, method->id) != method->id)
        m_parameters->setSchema(method->schema);
    m_reference->setText(method->reference);
    m_method->setToolTip(method->id);
    m_run->setText(method->live ? tr("Run again") : method->trains ? tr("Train") : tr("Run"));
    const bool samples = !method->live || method->takesSamples;
    setTraining(m_samples);
    for (QWidget* widget : {static_cast<QWidget*>(m_trainingTitle), static_cast<QWidget*>(m_training), static_cast<QWidget*>(m_trainingChoose)})
        widget->setVisible(samples);
}

void RunSettings::setChoice(const QString& method, const Parameters& parameters, const BudgetChoice& budget)
{
    const QSignalBlocker a(m_method), b(m_slider), c(m_spin);
    if (const int at = m_method->findData(method); at >= 0)
        m_method->setCurrentIndex(at);
    showMethod();
    if (const auto* of = chosen()) {
        Parameters complete = of->schema.defaults();
        for (const auto& [name, value] : parameters.all())
            complete.set(name, value);
        m_parameters->setValues(complete);
    }
    if (!m_slider->isSliderDown()) {
        m_spin->setValue(100 * budget.keep);
        m_slider->setValue(static_cast<int>(std::lround(100 * budget.keep * kStepsPerPercent)));
    }
    m_allocation->setCurrentText(budget.allocation);
    m_accounting->setCurrentText(budget.accounting);
    if (m_alignment->findData(budget.alignment) < 0)
        m_alignment->addItem(QString::number(budget.alignment), budget.alignment); // of a session
    m_alignment->setCurrentIndex(m_alignment->findData(budget.alignment));
}

void RunSettings::tellBudget()
{
    emit budgetEdited({keep(), m_allocation->currentText(), m_accounting->currentText(), m_alignment->currentData().toInt()});
}

void RunSettings::setTraining(const QString& text)
{
    m_samples = text;
    const auto* method = chosen();
    const bool optional = method && method->live && method->takesSamples;
    m_training->setText(!text.isEmpty() ? text : optional ? tr("none: less is measured") : tr("none chosen"));
    m_training->setToolTip(optional && text.isEmpty() ? tr("The method compresses without samples, but leaves out what it measures or collects on them. Choose some to see it, as a comparison and "
                                                           "the command line do with theirs.")
                                                      : QString());
}
void RunSettings::setRunReason(const QString& reason) { setReason(m_run, reason); }
void RunSettings::setStoreReason(const QString& reason) { setReason(m_store, reason); }

} // namespace tamis::views
