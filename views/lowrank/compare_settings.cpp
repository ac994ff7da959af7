// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/compare_settings.h"

#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/theme.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {
namespace {
constexpr int kIdRole = Qt::UserRole;
constexpr int kReferenceRole = Qt::UserRole + 1;
constexpr int kMostSamples = 1'000'000;

QLabel* heading(QWidget* parent, const QString& text)
{
    auto* label = new QLabel(text, parent);
    QFont strong = label->font();
    strong.setWeight(QFont::DemiBold);
    label->setFont(strong);
    return label;
}
} // namespace

CompareSettings::CompareSettings(QWidget* parent) : QWidget(parent)
{
    setObjectName(QStringLiteral("compareSettings"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kSpacing, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing);
    buildMethods(column);
    buildBudget(column);
    buildSamples(column);
    buildActions(column);
    showActions();
}

void CompareSettings::buildMethods(QVBoxLayout* column)
{
    auto* head = new QHBoxLayout;
    auto* title = heading(this, tr("&Methods"));
    head->addWidget(title, 1);
    m_methods = new QListWidget(this);
    m_methods->setObjectName(QStringLiteral("compareMethods"));
    m_methods->setAccessibleName(tr("Methods to compare"));
    m_methods->setUniformItemSizes(true);
    m_methods->setTextElideMode(Qt::ElideRight);
    m_methods->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_methods->setMinimumHeight(150);
    title->setBuddy(m_methods);
    for (const bool all : {true, false}) {
        auto* button = new QToolButton(this);
        button->setObjectName(all ? QStringLiteral("checkAllMethods") : QStringLiteral("checkNoMethod"));
        button->setText(all ? tr("All") : tr("None"));
        button->setToolTip(all ? tr("Check every method that can run and does not train") : tr("Check no method"));
        button->setAutoRaise(true);
        connect(button, &QToolButton::clicked, this, [this, all] {
            m_showing = true;
            for (int at = 0; at < m_methods->count(); ++at) {
                auto* item = m_methods->item(at);
                const bool trains = item->data(kReferenceRole + 1).toBool();
                item->setCheckState(all && !trains && item->flags().testFlag(Qt::ItemIsEnabled) ? Qt::Checked : Qt::Unchecked);
            }
            m_showing = false;
            tell();
        });
        head->addWidget(button);
    }
    column->addLayout(head);
    column->addWidget(m_methods, 1);
    m_reference = mutedLabel(this, QStringLiteral("methodReference"));
    m_reference->setWordWrap(true);
    m_reference->setFont(Theme::smallFont(font()));
    column->addWidget(m_reference);
    connect(m_methods, &QListWidget::itemChanged, this, [this] { tell(); });
    connect(m_methods, &QListWidget::currentRowChanged, this, &CompareSettings::showReference);
}

void CompareSettings::buildBudget(QVBoxLayout* column)
{
    auto* form = new QFormLayout;
    form->setContentsMargins(0, 0, 0, 0);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    const auto row = [&](const QString& title, QWidget* control, const QString& name, const QString& help) {
        control->setObjectName(name);
        control->setToolTip(help);
        control->setAccessibleName(QString(title).remove(QLatin1Char('&')));
        control->setAccessibleDescription(help);
        form->addRow(title, control);
    };
    m_keeps = new QLineEdit(keepsText(m_valid), this);
    row(tr("&Keep"), m_keeps, QStringLiteral("compareKeeps"), tr("Fractions of the compressed matrices to keep, one configuration a method and fraction: 0.8, 0.6, 0.4"));
    m_allocation = new QComboBox(this);
    row(tr("A&llocation"), m_allocation, QStringLiteral("compareAllocation"), tr("How one keep for the model becomes a rank for each matrix"));
    m_accounting = new QComboBox(this);
    row(tr("Acc&ounting"), m_accounting, QStringLiteral("compareAccounting"), tr("How the factors are stored, and so what a rank costs"));
    column->addLayout(form);
    m_problem = inkedLabel(this, QStringLiteral("compareProblem"), Ink::Error);
    m_problem->setWordWrap(true);
    m_problem->hide();
    column->addWidget(m_problem);
    connect(m_keeps, &QLineEdit::editingFinished, this, &CompareSettings::keepsEdited);
    for (auto* box : {m_allocation, m_accounting})
        connect(box, &QComboBox::activated, this, &CompareSettings::tell);
}

void CompareSettings::buildSamples(QVBoxLayout* column)
{
    column->addWidget(heading(this, tr("Samples")));
    auto* form = new QFormLayout;
    form->setContentsMargins(0, 0, 0, 0);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    const auto source = [&](const QString& title, QLabel*& shown, const QString& name, const QString& help, void (CompareSettings::*ask)()) {
        auto* row = new QHBoxLayout;
        shown = mutedLabel(this, name);
        shown->setToolTip(help);
        shown->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
        auto* choose = new QPushButton(tr("Choose…"), this);
        choose->setObjectName(name + QStringLiteral("Choose"));
        choose->setToolTip(help);
        choose->setAccessibleName(tr("%1: choose").arg(title));
        row->addWidget(shown, 1);
        row->addWidget(choose);
        form->addRow(title, row);
        connect(choose, &QPushButton::clicked, this, ask);
    };
    source(tr("Held-out"), m_heldOut, QStringLiteral("heldOutSamples"), tr("Photos or text on which every configuration is judged; they must not have been calibrated on"), &CompareSettings::heldOutRequested);
    source(tr("Calibrate on"), m_training, QStringLiteral("trainingSamples"), tr("Photos or text for methods that run the model themselves: sequential, joint and trained ones"), &CompareSettings::trainingRequested);
    m_samples = new QSpinBox(this);
    m_samples->setObjectName(QStringLiteral("compareSamples"));
    m_samples->setRange(0, kMostSamples);
    m_samples->setSpecialValueText(tr("all"));
    m_samples->setKeyboardTracking(false);
    m_samples->setAccessibleName(tr("Held-out samples at most"));
    m_samples->setToolTip(tr("Held-out samples at most, evenly spread over the source"));
    form->addRow(tr("At &most"), m_samples);
    m_latency = new QCheckBox(tr("Measure latency"), this);
    m_latency->setObjectName(QStringLiteral("compareLatency"));
    m_latency->setToolTip(tr("Time one sample through every compressed model on this machine"));
    m_latency->setChecked(true);
    column->addLayout(form);
    column->addWidget(m_latency);
    connect(m_samples, &QSpinBox::valueChanged, this, &CompareSettings::tell);
    connect(m_latency, &QCheckBox::toggled, this, &CompareSettings::tell);
    setHeldOut({});
    setTraining({});
}

void CompareSettings::buildActions(QVBoxLayout* column)
{
    m_compare = new QPushButton(themedIcon(QStringLiteral("run")), tr("Compare"), this);
    m_compare->setObjectName(QStringLiteral("compareStart"));
    m_compare->setProperty("help", tr("Compress by each checked method at each keep and judge the results on the held-out samples, beside 8-bit and 4-bit rounding"));
    m_curves = new QPushButton(themedIcon(QStringLiteral("compare")), tr("Quality curves"), this);
    m_curves->setObjectName(QStringLiteral("compareCurves"));
    m_curves->setProperty("help", tr("The same at keep 0.9, 0.8 … 0.3"));
    auto* row = new QHBoxLayout;
    row->addWidget(m_compare, 1);
    row->addWidget(m_curves, 1);
    column->addLayout(row);
    connect(m_compare, &QPushButton::clicked, this, &CompareSettings::compareRequested);
    connect(m_curves, &QPushButton::clicked, this, &CompareSettings::curvesRequested);
}

void CompareSettings::setMethods(const std::vector<LabMethod>& methods)
{
    const bool same = std::equal(methods.begin(), methods.end(), m_known.begin(), m_known.end(),
                                 [](const LabMethod& a, const LabMethod& b) { return a.id == b.id && a.title == b.title && a.unavailable == b.unavailable; });
    if (same)
        return;
    m_known = methods;
    const CompareChoice before = choice();
    const QString current = m_methods->currentItem() ? m_methods->currentItem()->data(kIdRole).toString() : QString();
    m_showing = true;
    m_methods->clear();
    for (const LabMethod& method : methods) {
        auto* item = new QListWidgetItem(method.trains ? tr("%1 (trains)").arg(method.title) : method.title, m_methods);
        item->setData(kIdRole, method.id);
        item->setSizeHint({0, m_methods->fontMetrics().height() + Theme::kSpacing}); // room for the box
        item->setData(kReferenceRole, method.unavailable.isEmpty() ? method.reference : tr("Not now: %1.").arg(method.unavailable));
        item->setData(kReferenceRole + 1, method.trains);
        item->setToolTip(method.id + QLatin1Char('\n') + method.reference + (method.unavailable.isEmpty() ? QString() : QLatin1Char('\n') + tr("Not now: %1.").arg(method.unavailable)));
        item->setFlags(Qt::ItemIsUserCheckable | Qt::ItemIsSelectable | (method.unavailable.isEmpty() ? Qt::ItemIsEnabled : Qt::NoItemFlags));
        item->setCheckState(before.methods.contains(method.id) ? Qt::Checked : Qt::Unchecked);
        if (method.id == current)
            m_methods->setCurrentItem(item);
    }
    m_showing = false;
    showReference();
    showActions();
}

void CompareSettings::setBudgetNames(const BudgetNames& names)
{
    const CompareChoice before = choice();
    m_allocation->clear();
    m_allocation->addItems(names.allocations);
    m_accounting->clear();
    m_accounting->addItems(names.accountings);
    m_allocation->setCurrentIndex(std::max(0, m_allocation->findText(before.allocation)));
    m_accounting->setCurrentIndex(std::max(0, m_accounting->findText(before.accounting)));
}

void CompareSettings::setChoice(const CompareChoice& wanted)
{
    m_showing = true;
    for (int at = 0; at < m_methods->count(); ++at) {
        auto* item = m_methods->item(at);
        item->setCheckState(wanted.methods.contains(item->data(kIdRole).toString()) ? Qt::Checked : Qt::Unchecked);
    }
    if (wanted.keeps != m_valid || m_problem->text().isEmpty()) {
        m_valid = wanted.keeps;
        m_keeps->setText(keepsText(m_valid));
        m_problem->clear();
        m_problem->hide();
    }
    m_allocation->setCurrentText(wanted.allocation);
    m_accounting->setCurrentText(wanted.accounting);
    m_samples->setValue(wanted.samples);
    m_latency->setChecked(wanted.latency);
    m_showing = false;
    showActions();
}

CompareChoice CompareSettings::choice() const
{
    CompareChoice made;
    for (int at = 0; at < m_methods->count(); ++at)
        if (m_methods->item(at)->checkState() == Qt::Checked)
            made.methods << m_methods->item(at)->data(kIdRole).toString();
    made.keeps = m_valid;
    made.allocation = m_allocation->currentText();
    made.accounting = m_accounting->currentText();
    made.samples = m_samples->value();
    made.latency = m_latency->isChecked();
    return made;
}

void CompareSettings::setHeldOut(const QString& text) { m_heldOut->setText(text.isEmpty() ? tr("none chosen") : text); }
void CompareSettings::setTraining(const QString& text) { m_training->setText(text.isEmpty() ? tr("none chosen") : text); }

void CompareSettings::setDisabledReason(const QString& reason)
{
    m_reason = reason;
    showActions();
}

void CompareSettings::keepsEdited()
{
    QString problem;
    const auto keeps = parseKeeps(m_keeps->text(), problem);
    m_problem->setText(problem);
    m_problem->setVisible(!problem.isEmpty());
    if (problem.isEmpty() && keeps != m_valid) {
        m_valid = keeps;
        tell();
    }
    showActions();
}

void CompareSettings::showReference()
{
    const auto* item = m_methods->currentItem();
    m_reference->setText(item ? item->data(kReferenceRole).toString() : QString());
    m_reference->setVisible(!m_reference->text().isEmpty());
}

void CompareSettings::showActions()
{
    const bool none = choice().methods.isEmpty();
    const QString reason = !m_reason.isEmpty() ? m_reason : none ? tr("no method is checked") : !m_problem->text().isEmpty() ? tr("the keeps do not read as numbers") : QString();
    for (auto* button : {m_compare, m_curves}) {
        button->setEnabled(reason.isEmpty());
        button->setToolTip(reason.isEmpty() ? button->property("help").toString() : tr("Not now: %1").arg(reason));
    }
}

void CompareSettings::tell()
{
    if (m_showing)
        return;
    showActions();
    emit choiceEdited(choice());
}

} // namespace tamis::views
