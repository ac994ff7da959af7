// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/cache_settings.h"

#include "views/cache/tick_delegate.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/parameter_editor.h"
#include "views/common/theme.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QListView>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QSlider>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kRowsInSight = 9;
constexpr int kMostWarmUp = 90; ///< percent
} // namespace

CacheSettings::CacheSettings(QWidget* parent) : QWidget(parent), m_policies(new PolicyListModel(this))
{
    setObjectName(QStringLiteral("cacheForm"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing);
    buildPolicies(column);
    buildWarmUp(column);
    buildPlan(column);
    column->addStretch(1);
    connect(m_policies, &PolicyListModel::tickedEdited, this, &CacheSettings::tickedEdited);
    setPlanned({}, false, {});
    setWarmUp(0);
}

void CacheSettings::buildPolicies(QVBoxLayout* column)
{
    auto* title = new QLabel(tr("&Policies"), this);
    m_list = new QListView(this);
    m_list->setObjectName(QStringLiteral("cachePolicies"));
    m_list->setAccessibleName(tr("Policies"));
    m_list->setToolTip(tr("Ticked policies are drawn; the one chosen here has its parameters below and is followed by the other panels"));
    m_list->setModel(m_policies);
    m_list->setUniformItemSizes(true);
    m_list->setItemDelegate(new TickDelegate(m_list));
    m_list->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_list->setTextElideMode(Qt::ElideRight);
    m_list->setMinimumHeight(kRowsInSight * (fontMetrics().height() + Theme::kSpacing));
    title->setBuddy(m_list);
    m_title = new QLabel(this);
    m_title->setObjectName(QStringLiteral("cachePolicyTitle"));
    m_title->setFont(Theme::headingFont(font()));
    m_title->setWordWrap(true);
    m_reference = mutedLabel(this, QStringLiteral("cachePolicyReference"));
    m_reference->setWordWrap(true);
    m_reference->setFont(Theme::smallFont(font()));
    m_parameters = new ParameterEditor(this);
    m_parameters->setObjectName(QStringLiteral("cacheParameters"));
    m_problem = inkedLabel(this, QStringLiteral("cacheParameterProblem"), Ink::Error);
    m_problem->setWordWrap(true);
    m_problem->hide();
    m_rulesTitle = new QLabel(tr("Capacity rules"), this);
    m_rulesTitle->setFont(Theme::headingFont(font()));
    m_rulesTitle->setToolTip(tr("Around every policy that does not know the future"));
    m_rules = new ParameterEditor(this);
    m_rules->setObjectName(QStringLiteral("cacheRules"));
    m_rulesTitle->hide();
    m_rules->hide();
    for (QWidget* each : std::initializer_list<QWidget*>{title, m_list, m_title, m_reference, m_parameters, m_problem, m_rulesTitle, m_rules})
        column->addWidget(each);
    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& now) {
        if (!m_quiet && now.isValid())
            emit focusedEdited(now.data(PolicyListModel::IdRole).toString());
    });
    connect(m_parameters, &ParameterEditor::valueEdited, this, &CacheSettings::parameterEdited);
    connect(m_rules, &ParameterEditor::valueEdited, this, &CacheSettings::ruleEdited);
}

void CacheSettings::buildWarmUp(QVBoxLayout* column)
{
    auto* row = new QHBoxLayout;
    auto* title = new QLabel(tr("&Warm-up"), this);
    m_warmUp = new QSlider(Qt::Horizontal, this);
    m_warmUp->setObjectName(QStringLiteral("cacheWarmUp"));
    m_warmUp->setAccessibleName(tr("Warm-up, percent of the trace"));
    m_warmUp->setToolTip(tr("The first part of the trace fills the caches and is not counted"));
    m_warmUp->setRange(0, kMostWarmUp);
    m_warmUp->setPageStep(10);
    title->setBuddy(m_warmUp);
    m_warmUpText = new QLabel(this);
    m_warmUpText->setObjectName(QStringLiteral("cacheWarmUpText"));
    m_warmUpText->setFont(Theme::numberFont(font()));
    m_warmUpText->setMinimumWidth(fontMetrics().horizontalAdvance(QStringLiteral("100 %")));
    row->addWidget(title);
    row->addWidget(m_warmUp, 1);
    row->addWidget(m_warmUpText);
    column->addLayout(row);
    connect(m_warmUp, &QSlider::valueChanged, this, [this](int percent) {
        showWarmUp(percent);
        if (!m_quiet)
            emit warmUpEdited(percent / 100.0, !m_warmUp->isSliderDown());
    });
    connect(m_warmUp, &QSlider::sliderReleased, this, [this] { emit warmUpEdited(m_warmUp->value() / 100.0, true); });
}

void CacheSettings::buildPlan(QVBoxLayout* column)
{
    m_keep = new QPushButton(themedIcon(QStringLiteral("bookmark")), tr("&Keep to compare"), this);
    m_keep->setObjectName(QStringLiteral("keepCacheRun"));
    m_keep->setToolTip(tr("The chosen policy with these parameters stays in the chart while you try others"));
    m_plan = new QPushButton(themedIcon(QStringLiteral("plan")), tr("Put into the &plan"), this);
    m_plan->setObjectName(QStringLiteral("planCache"));
    m_unplan = new QPushButton(themedIcon(QStringLiteral("remove")), tr("&Remove from the plan"), this);
    m_unplan->setObjectName(QStringLiteral("unplanCache"));
    m_planned = mutedLabel(this, QStringLiteral("plannedCache"));
    m_planned->setWordWrap(true);
    for (QWidget* each : std::initializer_list<QWidget*>{m_keep, m_plan, m_planned, m_unplan})
        column->addWidget(each);
    connect(m_keep, &QPushButton::clicked, this, &CacheSettings::keepRequested);
    connect(m_plan, &QPushButton::clicked, this, &CacheSettings::planRequested);
    connect(m_unplan, &QPushButton::clicked, this, &CacheSettings::unplanRequested);
}

void CacheSettings::setPolicies(const std::vector<OfferedPolicy>& policies, const std::map<QString, ParameterSchema>& schemas)
{
    const QScopedValueRollback quiet(m_quiet, true);
    m_schemas = schemas;
    m_policies->setPolicies(policies);
    m_schemaOf.clear();
}

void CacheSettings::setTicked(const QStringList& ids) { m_policies->setTicked(ids); }

void CacheSettings::setFocused(const QString& id, const Parameters& parameters)
{
    const QScopedValueRollback quiet(m_quiet, true);
    const QModelIndex at = m_policies->indexOf(id);
    m_list->setCurrentIndex(at);
    m_title->setText(at.data().toString());
    m_reference->setText(at.data(Qt::ToolTipRole).toString());
    const auto schema = m_schemas.find(id);
    if (schema == m_schemas.end())
        return;
    if (m_schemaOf != id)
        m_parameters->setSchema(schema->second);
    m_schemaOf = id;
    Parameters shown = schema->second.defaults();
    for (const auto& [name, value] : parameters.all())
        shown.set(name, value);
    m_parameters->setValues(shown);
    m_parameters->setVisible(!schema->second.specs().empty());
}

void CacheSettings::setRules(const ParameterSchema& schema, const Parameters& values)
{
    const bool any = !schema.specs().empty();
    QString names;
    for (const auto& spec : schema.specs())
        names += QString::fromStdString(spec.name) + QLatin1Char(' ');
    if (names != m_rulesOf)
        m_rules->setSchema(schema);
    m_rulesOf = names;
    Parameters shown = schema.defaults();
    for (const auto& [name, value] : values.all())
        shown.set(name, value);
    m_rules->setValues(shown);
    m_rules->setVisible(any);
    m_rulesTitle->setVisible(any);
}

void CacheSettings::setWarmUp(double share)
{
    if (m_warmUp->isSliderDown())
        return;
    const QScopedValueRollback quiet(m_quiet, true);
    m_warmUp->setValue(static_cast<int>(std::lround(share * 100)));
    showWarmUp(m_warmUp->value());
}

void CacheSettings::showWarmUp(int percent) { m_warmUpText->setText(QStringLiteral("%1 %").arg(percent)); }

void CacheSettings::setProblem(const QString& sentence)
{
    const bool ofPolicy = m_parameters->setProblem(sentence), below = m_rules->setProblem(sentence) || ofPolicy;
    m_problem->setText(sentence);
    m_problem->setVisible(!sentence.isEmpty() && !below);
}

void CacheSettings::setPlanned(const QString& title, bool same, const QString& reason)
{
    m_plan->setEnabled(reason.isEmpty() && !same);
    m_plan->setToolTip(!reason.isEmpty() ? tr("Not now: %1").arg(reason) : same ? tr("The plan has this already") : tr("The chosen policy, its parameters, the size of the cursor and the warm-up"));
    m_planned->setText(title.isEmpty() ? QString() : tr("In the plan: %1").arg(title));
    m_planned->setVisible(!title.isEmpty());
    m_unplan->setVisible(!title.isEmpty());
    m_keep->setEnabled(reason.isEmpty());
}

QString CacheSettings::focused() const { return m_list->currentIndex().data(PolicyListModel::IdRole).toString(); }

} // namespace tamis::views
