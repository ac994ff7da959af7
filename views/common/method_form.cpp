// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/method_form.h"

#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/parameter_editor.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QPushButton>
#include <QSignalBlocker>
#include <QStandardItemModel>
#include <QVBoxLayout>

#include <algorithm>
#include <utility>

namespace tamis::views {
namespace {
bool sameRanges(const ParameterSchema& a, const ParameterSchema& b)
{
    return std::ranges::equal(a.specs(), b.specs(), [](const ParameterSpec& x, const ParameterSpec& y) { return x.name == y.name && x.minimum == y.minimum && x.maximum == y.maximum; });
}
} // namespace

MethodForm::MethodForm(const Names& names, QWidget* parent) : QWidget(parent), m_names(names), m_column(new QVBoxLayout(this))
{
    m_column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    m_column->setSpacing(Theme::kSpacing);
}

void MethodForm::addMethod()
{
    auto* title = new QLabel(tr("&Method"), this);
    m_method = new QComboBox(this);
    m_method->setObjectName(m_names.method);
    m_method->setAccessibleName(tr("Method"));
    m_method->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    title->setBuddy(m_method);
    m_reference = mutedLabel(this, m_names.reference);
    m_reference->setWordWrap(true);
    m_reference->setFont(Theme::smallFont(font()));
    m_parameters = new ParameterEditor(this);
    m_parameters->setObjectName(m_names.parameters);
    m_train = new QPushButton(themedIcon(QStringLiteral("run")), tr("Train"), this);
    m_train->setObjectName(m_names.train);
    for (QWidget* each : std::initializer_list<QWidget*>{title, m_method, m_reference, m_parameters, m_train})
        m_column->addWidget(each);
    connect(m_method, &QComboBox::activated, this, [this] {
        showMethod();
        emit methodEdited(method());
    });
    connect(m_parameters, &ParameterEditor::valueEdited, this, &MethodForm::parameterEdited);
    connect(m_train, &QPushButton::clicked, this, &MethodForm::trainRequested);
    setTrainReason({});
    showMethod();
}

const OfferedMethod* MethodForm::chosen() const
{
    const auto found = std::ranges::find(m_methods, method(), &OfferedMethod::id);
    return found == m_methods.end() ? nullptr : &*found;
}

QString MethodForm::method() const { return m_method->currentData().toString(); }

void MethodForm::setMethods(const std::vector<OfferedMethod>& methods)
{
    const QString before = method();
    const QSignalBlocker quiet(m_method);
    const bool same = std::ranges::equal(methods, m_methods, {}, &OfferedMethod::id, &OfferedMethod::id);
    if (const auto* shown = chosen(); shown && same)
        if (const auto now = std::ranges::find(methods, shown->id, &OfferedMethod::id); !sameRanges(now->schema, shown->schema))
            m_schemaOf.clear(); // another model has another use for it
    m_methods = methods;
    if (!same) {
        m_method->clear();
        for (const OfferedMethod& each : methods)
            m_method->addItem(each.title, each.id);
        m_method->setCurrentIndex(std::max(methods.empty() ? -1 : 0, m_method->findData(before)));
    }
    for (int at = 0; at < m_method->count(); ++at) {
        const auto& each = m_methods[static_cast<std::size_t>(at)];
        m_method->setItemData(at, each.unavailable.isEmpty() ? each.reference : tr("Not now: %1").arg(each.unavailable), Qt::ToolTipRole);
        if (auto* items = qobject_cast<QStandardItemModel*>(m_method->model()))
            items->item(at)->setEnabled(each.unavailable.isEmpty());
    }
    showMethod();
}

void MethodForm::setChoice(const QString& method, const Parameters& parameters)
{
    const QSignalBlocker quiet(m_method);
    if (const int at = m_method->findData(method); at >= 0)
        m_method->setCurrentIndex(at);
    showMethod();
    if (const auto* of = chosen()) {
        Parameters complete = of->schema.defaults();
        for (const auto& [name, value] : parameters.all())
            complete.set(name, value);
        m_parameters->setValues(complete);
    }
}

void MethodForm::showMethod()
{
    const auto* of = chosen();
    m_train->setVisible(of && of->trains);
    if (!of)
        return;
    if (std::exchange(m_schemaOf, of->id) != of->id)
        m_parameters->setSchema(of->schema);
    m_reference->setText(of->reference);
    m_method->setToolTip(of->id);
}

bool MethodForm::setProblem(const QString& sentence) { return m_parameters->setProblem(sentence); }

void MethodForm::setTrainReason(const QString& reason)
{
    m_train->setEnabled(reason.isEmpty());
    m_train->setToolTip(reason.isEmpty() ? m_names.trainHelp : tr("Not now: %1").arg(reason));
}

} // namespace tamis::views
